//! What a member says and hears, read off its connections: who owns what, which commits leave, what
//! the coordinator makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use forebay_histcheck::What;
use forebay_protocol::api::{ApiKey, Request};
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::frame::{DEFAULT_LIMIT, Frames};
use forebay_protocol::group::{Assignment, Subscription};
use forebay_protocol::messages as m;
use forebay_protocol::request::RequestHeader;
use forebay_protocol::response;
use forebay_protocol::types::{TopicName, TopicPartition, Uuid};
use forebay_protocol::wire::{Message, Reader};

use crate::recorder::Recorder;

/// One connection, as far as it was read.
#[derive(Debug)]
pub(crate) struct Talk {
    asked: Frames,
    answered: Frames,
    open: BTreeMap<i32, Asked>,
}

impl Default for Talk {
    fn default() -> Self {
        let frames = || Frames::new(DEFAULT_LIMIT);
        Self { asked: frames(), answered: frames(), open: BTreeMap::new() }
    }
}

/// A request that matters here, until it is answered.
#[derive(Debug)]
struct Asked {
    api: ApiKey,
    version: i16,
    sent: u64,
    /// The generation or member epoch that it names.
    epoch: i32,
    /// A commit's number.
    commit: u64,
    /// How often it had left the group by then.
    life: u32,
    /// How many names the coordinator had given it by then.
    names: u32,
}

/// Reads along what one member says.
#[derive(Debug)]
pub(crate) struct Witness {
    member: String,
    recorder: Arc<Recorder>,
    /// The topics by their ids.
    topics: BTreeMap<Uuid, TopicName>,
    held: BTreeSet<TopicPartition>,
    commits: u64,
    /// The generation or member epoch that it was told last.
    epoch: i32,
    /// It asked to join the next generation and has no plan of it yet.
    is_joining: bool,
    /// How often it has left the group: answers to what it asked before come too late.
    life: u32,
    /// The name that the coordinator gave it last, by the classic protocol, and how many there were.
    name: String,
    names: u32,
}

impl Witness {
    pub(crate) const fn new(
        member: String,
        recorder: Arc<Recorder>,
        topics: BTreeMap<Uuid, TopicName>,
    ) -> Self {
        let held = BTreeSet::new();
        let name = String::new();
        Self {
            member,
            recorder,
            topics,
            held,
            commits: 0,
            epoch: -1,
            is_joining: false,
            life: 0,
            name,
            names: 0,
        }
    }

    pub(crate) fn hear_client(&mut self, talk: &mut Talk, bytes: &[u8]) {
        talk.asked.push(bytes);
        while let Ok(Some(frame)) = talk.asked.next_frame() {
            let mut reader = Reader::new(frame);
            let Ok(header) = RequestHeader::decode(&mut reader) else { continue };
            let Some(api) = ApiKey::from_code(header.api_key) else { continue };
            let version = header.version;
            let epoch = self.request(api, version, &mut reader);
            let (sent, commit) = (self.recorder.now(), self.commits);
            if let Some(epoch) = epoch {
                let (life, names) = (self.life, self.names);
                let asked = Asked { api, version, sent, epoch, commit, life, names };
                talk.open.insert(header.correlation_id, asked);
            }
        }
    }

    pub(crate) fn hear_broker(&mut self, talk: &mut Talk, bytes: &[u8]) {
        talk.answered.push(bytes);
        while let Ok(Some(frame)) = talk.answered.next_frame() {
            let Ok(number) = response::correlation_id(&frame) else { continue };
            let Some(asked) = talk.open.remove(&number) else { continue };
            self.response(&asked, (frame, number));
        }
    }

    fn note(&self, what: What) {
        self.recorder.note_of(&self.member, what);
    }
}

/// What the member says.
impl Witness {
    /// The epoch that it names, for requests whose answer matters.
    #[allow(clippy::wildcard_enum_match_arm, reason = "of eighty APIs six matter here")]
    fn request(&mut self, api: ApiKey, version: i16, body: &mut Reader) -> Option<i32> {
        match api {
            ApiKey::OffsetCommit => {
                let request = m::OffsetCommitRequest::decode(body, version).ok()?;
                self.commit(&request);
                Some(request.generation_id_or_member_epoch)
            }
            ApiKey::JoinGroup => {
                let request = m::JoinGroupRequest::decode(body, version).ok()?;
                let kept = request
                    .protocols
                    .iter()
                    .filter_map(|protocol| Subscription::decode(protocol.metadata.clone()).ok());
                let kept = kept.flat_map(|it| it.owned).collect();
                self.keep(&kept);
                self.is_joining = true;
                Some(-1)
            }
            ApiKey::SyncGroup => {
                Some(m::SyncGroupRequest::decode(body, version).ok()?.generation_id)
            }
            ApiKey::Heartbeat => {
                Some(m::HeartbeatRequest::decode(body, version).ok()?.generation_id)
            }
            ApiKey::LeaveGroup => {
                self.leave();
                None
            }
            ApiKey::ConsumerGroupHeartbeat => {
                let request = m::ConsumerGroupHeartbeatRequest::decode(body, version).ok()?;
                let owned = request.topic_partitions.iter().flatten();
                let owned =
                    owned.flat_map(|topic| self.named(topic.topic_id, &topic.partitions)).collect();
                if request.member_epoch < 0 {
                    self.leave();
                } else if request.topic_partitions.is_some() {
                    self.keep(&owned);
                }
                Some(request.member_epoch)
            }
            _ => None,
        }
    }

    fn commit(&mut self, request: &m::OffsetCommitRequest) {
        self.commits += 1;
        let all = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |partition| (&topic.name, partition))
        });
        for (topic, partition) in all {
            self.note(What::CommitSent {
                member: self.member.clone(),
                commit: self.commits,
                epoch: request.generation_id_or_member_epoch,
                tp: TopicPartition::new(topic.as_str(), partition.partition_index).to_string(),
                offset: partition.committed_offset,
            });
        }
    }

    /// It is over, in good order: one that will be back says nothing to the coordinator.
    pub(crate) fn leave(&mut self) {
        self.keep(&BTreeSet::new());
        self.life += 1;
    }

    /// Everything else is given back.
    fn keep(&mut self, kept: &BTreeSet<TopicPartition>) {
        for tp in self.held.difference(kept) {
            let member = self.member.clone();
            self.note(What::Released { member, tp: tp.to_string() });
        }
        self.held.retain(|tp| kept.contains(tp));
    }

    /// Partitions of a topic that is known by its id.
    fn named(&self, topic: Uuid, partitions: &[i32]) -> Vec<TopicPartition> {
        let Some(name) = self.topics.get(&topic) else { return Vec::new() };
        partitions.iter().map(|it| TopicPartition::new(name.as_str(), *it)).collect()
    }
}

/// What the coordinator says.
impl Witness {
    #[allow(clippy::wildcard_enum_match_arm, reason = "of eighty APIs six matter here")]
    fn response(&mut self, asked: &Asked, answer: (Bytes, i32)) -> Option<()> {
        match asked.api {
            ApiKey::OffsetCommit => {
                let answer = read::<m::OffsetCommitRequest>(asked, answer)?;
                self.committed(asked, &answer);
            }
            ApiKey::JoinGroup => {
                let answer = read::<m::JoinGroupRequest>(asked, answer)?;
                if answer.error_code == 0 {
                    self.epoch = answer.generation_id;
                    self.names += u32::from(self.name != *answer.member_id);
                    self.name = answer.member_id.as_str().to_owned();
                }
                self.beat(asked, answer.error_code);
            }
            ApiKey::SyncGroup => {
                let answer = read::<m::SyncGroupRequest>(asked, answer)?;
                self.beat(asked, answer.error_code);
                if answer.error_code == 0 {
                    self.is_joining = false;
                    let assigned = Assignment::decode(answer.assignment).ok()?.partitions;
                    self.gain(asked, asked.epoch, assigned);
                }
            }
            ApiKey::Heartbeat => {
                let code = read::<m::HeartbeatRequest>(asked, answer)?.error_code;
                self.beat(asked, code);
            }
            ApiKey::ConsumerGroupHeartbeat => {
                let answer = read::<m::ConsumerGroupHeartbeatRequest>(asked, answer)?;
                self.beat(asked, answer.error_code);
                if answer.error_code == 0 {
                    self.epoch = answer.member_epoch;
                }
                let assigned = answer.assignment.iter().flat_map(|it| &it.topic_partitions);
                let assigned =
                    assigned.flat_map(|topic| self.named(topic.topic_id, &topic.partitions));
                let assigned = assigned.collect();
                if answer.error_code == 0 && 0 <= asked.epoch {
                    self.gain(asked, answer.member_epoch, assigned);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn committed(&mut self, asked: &Asked, answer: &m::OffsetCommitResponse) {
        let mut fence = 0;
        let all = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |partition| (&topic.name, partition))
        });
        for (topic, partition) in all {
            self.note(What::CommitAnswered {
                member: self.member.clone(),
                commit: asked.commit,
                tp: TopicPartition::new(topic.as_str(), partition.partition_index).to_string(),
                code: partition.error_code,
            });
            fence = partition.error_code;
        }
        self.hear_code(asked, fence);
    }

    fn beat(&mut self, asked: &Asked, code: i16) {
        if code == 0 || code == ErrorCode::REBALANCE_IN_PROGRESS.0 {
            self.note(What::Beat { member: self.member.clone(), sent: asked.sent });
        }
        self.hear_code(asked, code);
    }

    /// Some codes say that the membership is over; about an epoch that has passed they say nothing.
    fn hear_code(&mut self, asked: &Asked, code: i16) {
        let is_of_past = asked.epoch != self.epoch || self.is_joining;
        if code == ErrorCode::ILLEGAL_GENERATION.0 && is_of_past {
            return;
        }
        // Of a name that it has no more.
        if code == ErrorCode::UNKNOWN_MEMBER_ID.0 && asked.names != self.names {
            return;
        }
        let over = [
            ErrorCode::ILLEGAL_GENERATION,
            ErrorCode::UNKNOWN_MEMBER_ID,
            ErrorCode::FENCED_INSTANCE_ID,
            ErrorCode::FENCED_MEMBER_EPOCH,
        ];
        if !over.iter().any(|it| it.0 == code) {
            return;
        }
        for tp in std::mem::take(&mut self.held) {
            let (member, cause) = (self.member.clone(), format!("code {code}"));
            self.note(What::Lost { member, tp: tp.to_string(), cause });
        }
    }

    fn gain(&mut self, asked: &Asked, epoch: i32, assigned: Vec<TopicPartition>) {
        if asked.life != self.life {
            return;
        }
        for tp in assigned {
            if self.held.insert(tp.clone()) {
                let member = self.member.clone();
                self.note(What::Gained { member, epoch, tp: tp.to_string() });
            }
        }
    }
}

fn read<R: Request>(asked: &Asked, (frame, number): (Bytes, i32)) -> Option<R::Response> {
    response::decode::<R>(frame, asked.version, number).ok()
}
