//! What does one member say and hear of its membership: what it holds, what it commits, whether it
//! is still one?

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use forebay_histcheck::What;
use forebay_protocol::api::ApiKey;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::group::{Assignment, Subscription};
use forebay_protocol::messages as m;
use forebay_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use forebay_protocol::types::{TopicPartition, Uuid};
use forebay_protocol::wire::{Message, Reader};

use super::topics::Topics;
use super::{About, Ledger, Question, read};

/// Where things are written down, and how partitions are called.
type Desk<'a> = (&'a dyn Ledger, &'a Topics);

/// A member.
#[derive(Debug, Default)]
pub(crate) struct Member {
    held: BTreeSet<String>,
    /// What was given to it by the id of a topic whose name nobody was told yet, with the epoch: a
    /// client cannot touch it before it hears the name, and a history knows names alone.
    unnamed: BTreeMap<(Uuid, i32), i32>,
    commits: u64,
    /// The generation or member epoch that it was told last.
    epoch: i32,
    /// It asked to join the next generation and has no plan of it yet.
    is_joining: bool,
}

/// What it says.
impl Member {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the caller picks six of eighty")]
    pub(crate) fn says(
        &mut self,
        question: &mut Question,
        body: &mut Reader,
        desk: Desk<'_>,
    ) -> io::Result<()> {
        let (version, sent) = (question.version, desk.0.now());
        let client = question.client.to_string();
        let epoch = match question.api {
            ApiKey::OffsetCommit => {
                let request = m::OffsetCommitRequest::decode(body, version);
                let Ok(request) = request else { return Ok(()) };
                self.commits += 1;
                let epoch = request.generation_id_or_member_epoch;
                question.about = About::Commit { number: self.commits, epoch };
                return self.commits(&client, &request, desk);
            }
            ApiKey::JoinGroup => {
                let Ok(request) = m::JoinGroupRequest::decode(body, version) else { return Ok(()) };
                self.joins(&client, &request, desk)?
            }
            ApiKey::SyncGroup => {
                let request = m::SyncGroupRequest::decode(body, version);
                request.map_or(-1, |it| it.generation_id)
            }
            ApiKey::Heartbeat => {
                let request = m::HeartbeatRequest::decode(body, version);
                request.map_or(-1, |it| it.generation_id)
            }
            ApiKey::LeaveGroup => return self.keep(&client, &BTreeSet::new(), desk),
            ApiKey::ConsumerGroupHeartbeat => {
                let request = m::ConsumerGroupHeartbeatRequest::decode(body, version);
                let Ok(request) = request else { return Ok(()) };
                self.lists(&client, &request, desk)?
            }
            _ => return Ok(()),
        };
        question.about = About::Membership { sent, epoch };
        Ok(())
    }

    /// Says the epoch that it joins with: none.
    fn joins(
        &mut self,
        client: &str,
        request: &m::JoinGroupRequest,
        desk: Desk<'_>,
    ) -> io::Result<i32> {
        self.keep(client, &owned(request, desk.1), desk)?;
        self.is_joining = true;
        Ok(-1)
    }

    /// What it has by KIP-848; says its epoch.
    fn lists(
        &mut self,
        client: &str,
        request: &m::ConsumerGroupHeartbeatRequest,
        desk: Desk<'_>,
    ) -> io::Result<i32> {
        if request.topic_partitions.is_some() || request.member_epoch < 0 {
            let owned = request.topic_partitions.iter().flatten();
            let owned: BTreeSet<_> = owned.flat_map(by_id).collect();
            self.unnamed.retain(|it, _| owned.contains(it));
            let owned = owned.iter().map(|it| desk.1.tp(("", it.0), it.1)).collect();
            self.keep(client, &owned, desk)?;
        }
        Ok(request.member_epoch)
    }

    fn commits(
        &self,
        client: &str,
        request: &m::OffsetCommitRequest,
        (ledger, topics): Desk<'_>,
    ) -> io::Result<()> {
        for topic in &request.topics {
            for partition in &topic.partitions {
                let name = (topic.name.as_str(), topic.topic_id);
                ledger.note(What::CommitSent {
                    member: client.to_owned(),
                    commit: self.commits,
                    epoch: request.generation_id_or_member_epoch,
                    tp: topics.tp(name, partition.partition_index),
                    offset: partition.committed_offset,
                })?;
            }
        }
        Ok(())
    }

    /// Everything else is given back.
    fn keep(&mut self, client: &str, kept: &BTreeSet<String>, desk: Desk<'_>) -> io::Result<()> {
        for tp in self.held.difference(kept) {
            let (member, tp) = (client.to_owned(), tp.clone());
            desk.0.note(What::Released { member, tp })?;
        }
        self.held.retain(|partition| kept.contains(partition));
        Ok(())
    }
}

/// What the coordinator says to it.
impl Member {
    #[allow(clippy::wildcard_enum_match_arm, reason = "of eighty APIs five matter here")]
    pub(crate) fn hears(
        &mut self,
        question: &Question,
        answer: (Bytes, i32),
        desk: Desk<'_>,
    ) -> io::Result<()> {
        match (question.api, &question.about) {
            (ApiKey::OffsetCommit, About::Commit { number, epoch }) => {
                let Some(answer) = read::<m::OffsetCommitRequest>(question, answer) else {
                    return Ok(());
                };
                self.committed(question, (*number, *epoch), &answer, desk)
            }
            (ApiKey::JoinGroup, _) => {
                let Some(answer) = read::<m::JoinGroupRequest>(question, answer) else {
                    return Ok(());
                };
                if answer.error_code == 0 {
                    self.epoch = answer.generation_id;
                }
                self.beats(question, answer.error_code, desk)
            }
            (ApiKey::SyncGroup, About::Membership { epoch, .. }) => {
                let Some(answer) = read::<m::SyncGroupRequest>(question, answer) else {
                    return Ok(());
                };
                self.beats(question, answer.error_code, desk)?;
                self.is_planned(question, *epoch, &answer, desk)
            }
            (ApiKey::Heartbeat, _) => {
                let answer = read::<m::HeartbeatRequest>(question, answer);
                answer.map_or(Ok(()), |it| self.beats(question, it.error_code, desk))
            }
            (ApiKey::ConsumerGroupHeartbeat, About::Membership { epoch, .. }) => {
                let Some(answer) = read::<m::ConsumerGroupHeartbeatRequest>(question, answer)
                else {
                    return Ok(());
                };
                self.is_told(question, *epoch, &answer, desk)
            }
            _ => Ok(()),
        }
    }

    /// The plan of a classic group.
    fn is_planned(
        &mut self,
        question: &Question,
        epoch: i32,
        answer: &m::SyncGroupResponse,
        desk: Desk<'_>,
    ) -> io::Result<()> {
        if answer.error_code != 0 {
            return Ok(());
        }
        self.is_joining = false;
        let Ok(assigned) = Assignment::decode(answer.assignment.clone()) else { return Ok(()) };
        let assigned = assigned.partitions.iter().map(|it| by_name(it, desk.1));
        self.gains(&question.client, epoch, assigned, desk)
    }

    /// What a coordinator by KIP-848 says.
    fn is_told(
        &mut self,
        question: &Question,
        epoch: i32,
        answer: &m::ConsumerGroupHeartbeatResponse,
        desk: Desk<'_>,
    ) -> io::Result<()> {
        self.beats(question, answer.error_code, desk)?;
        if answer.error_code != 0 || epoch < 0 {
            return Ok(());
        }
        self.epoch = answer.member_epoch;
        let assigned = answer.assignment.iter().flat_map(|it| &it.topic_partitions);
        let assigned = assigned.flat_map(|it| it.partitions.iter().map(|n| (it.topic_id, *n)));
        self.unnamed.extend(assigned.map(|tp| (tp, answer.member_epoch)));
        self.hears_names(&question.client, desk)
    }

    /// Somebody was told the names of topics.
    pub(crate) fn hears_names(&mut self, client: &str, desk: Desk<'_>) -> io::Result<()> {
        let named = self.unnamed.extract_if(.., |(id, _), _| desk.1.knows(*id));
        let named: Vec<_> = named.collect();
        for ((id, partition), epoch) in named {
            self.gains(client, epoch, [desk.1.tp(("", id), partition)], desk)?;
        }
        Ok(())
    }

    fn committed(
        &mut self,
        question: &Question,
        (commit, epoch): (u64, i32),
        answer: &m::OffsetCommitResponse,
        desk: Desk<'_>,
    ) -> io::Result<()> {
        let mut fence = 0;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let name = (topic.name.as_str(), topic.topic_id);
                desk.0.note(What::CommitAnswered {
                    member: question.client.to_string(),
                    commit,
                    tp: desk.1.tp(name, partition.partition_index),
                    code: partition.error_code,
                })?;
                fence = partition.error_code;
            }
        }
        self.hears_code(question, (epoch, fence), desk)
    }

    fn beats(&mut self, question: &Question, code: i16, desk: Desk<'_>) -> io::Result<()> {
        let About::Membership { sent, epoch } = question.about else { return Ok(()) };
        if code == 0 || code == ErrorCode::REBALANCE_IN_PROGRESS.0 {
            desk.0.note(What::Beat { member: question.client.to_string(), sent })?;
        }
        self.hears_code(question, (epoch, code), desk)
    }

    /// Some codes say that the membership is over; about an epoch that has passed they say nothing.
    fn hears_code(
        &mut self,
        question: &Question,
        (epoch, code): (i32, i16),
        desk: Desk<'_>,
    ) -> io::Result<()> {
        let is_of_past = epoch != self.epoch || self.is_joining;
        if code == ErrorCode::ILLEGAL_GENERATION.0 && is_of_past {
            return Ok(());
        }
        let over = [
            ErrorCode::ILLEGAL_GENERATION,
            ErrorCode::UNKNOWN_MEMBER_ID,
            ErrorCode::FENCED_INSTANCE_ID,
            ErrorCode::FENCED_MEMBER_EPOCH,
        ];
        if !over.iter().any(|it| it.0 == code) {
            return Ok(());
        }
        self.unnamed.clear();
        for tp in std::mem::take(&mut self.held) {
            let (member, cause) = (question.client.to_string(), format!("code {code}"));
            desk.0.note(What::Lost { member, tp, cause })?;
        }
        Ok(())
    }

    fn gains(
        &mut self,
        client: &str,
        epoch: i32,
        assigned: impl IntoIterator<Item = String>,
        desk: Desk<'_>,
    ) -> io::Result<()> {
        for tp in assigned {
            if self.held.insert(tp.clone()) {
                let member = client.to_owned();
                desk.0.note(What::Gained { member, epoch, tp })?;
            }
        }
        Ok(())
    }
}

/// What one that joins a classic group says it has.
fn owned(request: &m::JoinGroupRequest, topics: &Topics) -> BTreeSet<String> {
    let said = request.protocols.iter();
    let said = said.filter_map(|protocol| Subscription::decode(protocol.metadata.clone()).ok());
    said.flat_map(|it| it.owned).map(|tp| by_name(&tp, topics)).collect()
}

fn by_name(tp: &TopicPartition, topics: &Topics) -> String {
    topics.tp((tp.topic.as_str(), Uuid::ZERO), tp.partition)
}

fn by_id(of: &TopicPartitions) -> impl Iterator<Item = (Uuid, i32)> + '_ {
    of.partitions.iter().map(|partition| (of.topic_id, *partition))
}
