//! Members by the classic protocol in a group by KIP-848, as Kafka 4 has them while a group changes
//! from one to the other.
//!
//! Such a member joins, syncs and beats as ever. Its generation is its member epoch, the plan is the
//! coordinator's, and nobody waits for anybody: it is told to join again when that leads it a step
//! further.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::group::{Assignment, Subscription};
use forebay_protocol::messages::{JoinGroupRequest, SyncGroupRequest};
use forebay_protocol::types::TopicPartition;

use super::{Member, Modern, Place, Topics};
use crate::code::ErrorCode;
use crate::group::CONSUMER;
use crate::group::classic::Classic;

/// What a member by the classic protocol has besides.
#[derive(Debug)]
pub(in crate::group) struct Old {
    pub(in crate::group) session: Duration,
    /// Assignors and what the member tells each, the best liked first.
    pub(in crate::group) protocols: Vec<(String, Bytes)>,
    /// It was told to join again, until this at the latest.
    join_by: Option<Duration>,
    /// It joined and has not asked for its part, which it may until this.
    sync_by: Option<Duration>,
}

impl Old {
    fn new(session: Duration, protocols: Vec<(String, Bytes)>) -> Self {
        Self { session, protocols, join_by: None, sync_by: None }
    }

    fn of(request: &JoinGroupRequest) -> Self {
        let protocols = request.protocols.iter();
        let protocols = protocols.map(|it| (it.name.as_str().to_owned(), it.metadata.clone()));
        Self::new(millis(request.session_timeout_ms), protocols.collect())
    }

    /// When its silence is death.
    pub(super) fn due(&self) -> Option<Duration> {
        [self.join_by, self.sync_by].into_iter().flatten().min()
    }

    fn has(&self, assignor: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == assignor)
    }

    /// The assignor that it likes best, and what it tells it.
    fn best(&self) -> (String, Bytes) {
        self.protocols.first().cloned().unwrap_or_default()
    }
}

fn millis(it: i32) -> Duration {
    Duration::from_millis(u64::try_from(it).unwrap_or(0))
}

/// In the order of their ids.
fn places(tps: &[TopicPartition], topics: &Topics) -> BTreeSet<Place> {
    let place = |tp: &TopicPartition| Some((topics.get(tp.topic.as_str())?.0, tp.partition));
    tps.iter().filter_map(place).collect()
}

/// What a member is told, in the words of the version that it speaks.
pub(in crate::group) fn told<'a>(
    places: impl IntoIterator<Item = &'a Place>,
    topics: &Topics,
    said: &Bytes,
) -> Result<Bytes, ErrorCode> {
    let name = |place: &Place| topics.iter().find(|(_, at)| at.0 == place.0).map(|(name, _)| name);
    let tp = |place: &'a Place| Some(TopicPartition::new(name(place)?.as_str(), place.1));
    let partitions = places.into_iter().filter_map(tp).collect();
    let version = said.first_chunk().map_or(0, |version| i16::from_be_bytes(*version));
    let version = version.min(forebay_protocol::group::VERSION);
    let assignment = Assignment { partitions, user_data: None };
    assignment.encode(version).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)
}

impl Member {
    /// Whether it came by the classic protocol.
    pub(crate) const fn is_classic(&self) -> bool {
        self.old.is_some()
    }
}

impl Modern {
    /// A group whose members all came by the classic protocol, as it stands. `None` when what its
    /// members said or were told cannot be read.
    pub(in crate::group) fn of(classic: &Classic, now: Duration, topics: &Topics) -> Option<Self> {
        let epoch = classic.generation();
        let mut group = Self { epoch, target_epoch: epoch, ..Self::default() };
        for (id, member) in classic.members() {
            let old = Old::new(member.session, member.protocols.clone());
            let chosen = classic.protocol().map(|protocol| member.metadata(protocol));
            let said = Subscription::decode(chosen.unwrap_or_else(|| old.best().1)).ok()?;
            let has = Assignment::decode(member.assignment.clone()).ok()?;
            let assigned = places(&has.partitions, topics);
            group.target.insert(id.clone(), assigned.clone());
            let member = Member {
                epoch,
                before: epoch,
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                rebalance: member.rebalance,
                topics: said.topics.iter().map(|it| it.as_str().to_owned()).collect(),
                since: assigned.iter().map(|place| (*place, epoch)).collect(),
                assigned,
                expires: now.saturating_add(member.session),
                old: Some(old),
                ..Member::default()
            };
            group.members.insert(id.clone(), member);
        }
        Some(group)
    }

    /// Whether only members by the classic protocol are left.
    pub(in crate::group) fn is_all_classic(&self) -> bool {
        !self.members.is_empty() && self.members.values().all(Member::is_classic)
    }

    /// `JoinGroup`: says the member's generation and assignor.
    pub(crate) fn join_classic(
        &mut self,
        (now, id): (Duration, &str),
        client_id: &str,
        request: &JoinGroupRequest,
        topics: &Topics,
    ) -> Result<(i32, String), ErrorCode> {
        let mut old = Old::of(request);
        let (assignor, said) = old.best();
        let said = Subscription::decode(said).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let rebalance = millis(request.rebalance_timeout_ms);
        old.sync_by = Some(now.saturating_add(rebalance));
        let session = old.session;
        let instance = request.group_instance_id.as_deref();
        if instance.is_some() && !request.member_id.is_empty() {
            self.check_instance(id, instance)?;
        }
        let member = self.enter(id, instance, Some(old))?;
        client_id.clone_into(&mut member.client_id);
        (member.rebalance, member.expires) = (rebalance, now.saturating_add(session));
        let wanted: BTreeSet<String> =
            said.topics.iter().map(|it| it.as_str().to_owned()).collect();
        let is_changed = member.topics != wanted;
        (member.topics, member.pattern) = (wanted, None);
        if self.learn_topics(topics) || is_changed {
            self.epoch += 1;
        }
        self.plan();
        self.lead(now, id, Some(&places(&said.owned, topics)));
        let epoch = self.members.get(id).map(|member| member.epoch);
        epoch.map(|epoch| (epoch, assignor)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// Whether it is a consumer and shares an assignor with all others of the classic protocol.
    pub(crate) fn is_compatible(&self, id: &str, request: &JoinGroupRequest) -> bool {
        let old = Old::of(request);
        let others = self.members.iter().filter(|(other, _)| *other != id);
        let others: Vec<&Old> = others.filter_map(|(_, member)| member.old.as_ref()).collect();
        let is_shared = |name: &str| others.iter().all(|other| other.has(name));
        let shares = old.protocols.iter().any(|(name, _)| is_shared(name));
        request.protocol_type == CONSUMER && shares
    }

    /// The member by the classic protocol with this id, instance and generation.
    fn classic(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(&Member, &Old), ErrorCode> {
        self.check_instance(id, instance)?;
        let member = self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let old = member.old.as_ref().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.epoch == generation {
            Ok((member, old))
        } else {
            Err(ErrorCode::ILLEGAL_GENERATION)
        }
    }

    /// `SyncGroup`: says the member's part.
    pub(crate) fn sync_classic(
        &mut self,
        now: Duration,
        request: &SyncGroupRequest,
        topics: &Topics,
    ) -> Result<Bytes, ErrorCode> {
        let (id, instance) = (request.member_id.as_str(), request.group_instance_id.as_deref());
        let (member, old) = self.classic(id, instance, request.generation_id)?;
        let (assignor, said) = old.best();
        let differs = |said: Option<&str>, own: &str| said.is_some_and(|said| said != own);
        if differs(request.protocol_type.as_deref(), CONSUMER)
            || differs(request.protocol_name.as_deref(), &assignor)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        // Who gives up partitions has joined again already: first it is to be done with that.
        if member.epoch < self.epoch && member.revoking.is_empty() {
            self.wants_join(now, id);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        let part = told(&member.assigned, topics, &said)?;
        if let Some(old) = self.sign(now, id) {
            old.sync_by = None;
        }
        Ok(part)
    }

    /// `Heartbeat`.
    pub(crate) fn beat_classic(
        &mut self,
        now: Duration,
        (id, instance): (&str, Option<&str>),
        generation: i32,
    ) -> ErrorCode {
        let is_led_on = match self.classic(id, instance, generation) {
            Err(code) => return code,
            Ok((member, _)) => {
                member.epoch < self.epoch || !member.revoking.is_empty() || self.may_get(id, member)
            }
        };
        self.sign(now, id);
        if is_led_on {
            self.wants_join(now, id);
            return ErrorCode::REBALANCE_IN_PROGRESS;
        }
        ErrorCode::NONE
    }

    /// Whether the plan has something more for a member, and nobody has any of it.
    fn may_get(&self, id: &str, member: &Member) -> bool {
        let mut more = self.target(id).filter(|place| !member.assigned.contains(place)).peekable();
        let taken = |place: &Place| {
            let others = self.members.iter().filter(|(other, _)| *other != id);
            others.flat_map(|(_, it)| it.held()).any(|it| it == place)
        };
        more.peek().is_some() && !more.any(taken)
    }

    /// A member has shown that it lives.
    fn sign(&mut self, now: Duration, id: &str) -> Option<&mut Old> {
        let member = self.members.get_mut(id)?;
        let old = member.old.as_mut()?;
        member.expires = now.saturating_add(old.session);
        Some(old)
    }

    /// A member is told to join again.
    fn wants_join(&mut self, now: Duration, id: &str) {
        let Some(member) = self.members.get_mut(id) else { return };
        let until = now.saturating_add(member.rebalance);
        if let Some(old) = &mut member.old {
            old.join_by.get_or_insert(until);
        }
    }

    /// `LeaveGroup` of one member, which may be one by KIP-848.
    pub(crate) fn leave_classic(&mut self, id: &str, instance: Option<&str>) -> ErrorCode {
        // An administrator removes a static member by its instance alone.
        let same = |it: &Member| instance.is_some() && it.instance.as_deref() == instance;
        let known = self.members.iter().find(|(_, it)| id.is_empty() && same(it));
        let id = known.map_or_else(|| id.to_owned(), |(id, _)| id.clone());
        if let Err(code) = self.check_instance(&id, instance) {
            return code;
        }
        if self.members.remove(&id).is_none() {
            return ErrorCode::UNKNOWN_MEMBER_ID;
        }
        self.shrank();
        ErrorCode::NONE
    }
}
