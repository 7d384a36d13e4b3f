//! How members join a classic group, and when a generation begins.

use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::messages::join_group_response::JoinGroupResponseMember;
use forebay_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::member::Member;
use super::{Classic, State, Waited, World, answer_sync};
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::versions::Release;

/// First version whose dynamic members must come with an id that they were given before.
const NEEDS_ID_FROM: i16 = 4;
/// First version that spares a static leader a new plan (KIP-814).
const KEEPS_PLAN_FROM: i16 = 9;
/// Kafka's limits of session timeouts.
const SESSION: std::ops::RangeInclusive<i32> = 6_000..=1_800_000;

/// Whether a member may be silent for so many milliseconds.
pub(crate) fn is_session(millis: i32) -> bool {
    SESSION.contains(&millis)
}

/// A `JoinGroup` in the words of the machine.
pub(crate) struct Joining {
    call: Call,
    id: String,
    instance: Option<String>,
    kind: String,
    session: i32,
    rebalance: i32,
    protocols: Vec<(String, Bytes)>,
}

impl Joining {
    pub(crate) fn new(call: Call, request: JoinGroupRequest) -> Self {
        let protocols = request.protocols.into_iter();
        // Version 0 has no rebalance timeout: the session is one.
        let has_timeout = 1 <= call.version;
        let timeouts = (request.session_timeout_ms, request.rebalance_timeout_ms);
        Self {
            id: request.member_id.as_str().to_owned(),
            instance: request.group_instance_id.as_deref().map(str::to_owned),
            kind: request.protocol_type.as_str().to_owned(),
            session: timeouts.0,
            rebalance: if has_timeout { timeouts.1 } else { timeouts.0 },
            protocols: protocols.map(|it| (it.name.as_str().to_owned(), it.metadata)).collect(),
            call,
        }
    }

    fn into_member(self, now: Duration) -> Member {
        let millis = |it: i32| Duration::from_millis(u64::try_from(it).unwrap_or(0));
        let session = millis(self.session);
        Member {
            instance: self.instance,
            client_id: self.call.client_id.as_deref().unwrap_or_default().to_owned(),
            session,
            rebalance: millis(self.rebalance),
            protocols: self.protocols,
            assignment: Bytes::new(),
            expires: now.saturating_add(session),
            join: Some(self.call),
            sync: None,
        }
    }
}

impl Classic {
    /// `JoinGroup`. The answer comes at once or when the generation begins.
    pub(crate) fn join(&mut self, world: &mut World<'_>, joining: Joining) {
        let refused = if !is_session(joining.session) {
            Some(ErrorCode::INVALID_SESSION_TIMEOUT)
        } else if self.is_compatible(&joining, world.release) {
            None
        } else {
            Some(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
        };
        if let Some(code) = refused {
            return refuse(world, joining.call, code, &joining.id);
        }
        match (joining.id.is_empty(), joining.instance.clone()) {
            (true, Some(instance)) => self.join_static(world, &instance, joining),
            (true, None) => self.join_new(world, joining),
            (false, _) => self.join_known(world, joining),
        }
    }

    /// Whether it is of the group's kind and shares an assignor with all others.
    fn is_compatible(&self, joining: &Joining, release: Release) -> bool {
        // The first releases did not ask for a kind.
        let has_kind = !joining.kind.is_empty() || release <= Release::V1_1;
        if joining.protocols.is_empty() || !has_kind {
            return false;
        }
        let others = self.members.iter().filter(|(id, _)| **id != joining.id);
        let others: Vec<_> = others.map(|(_, member)| member).collect();
        let has = |other: &Member, name: &str| other.protocols.iter().any(|it| it.0 == name);
        let shares = |(name, _): &(String, Bytes)| others.iter().all(|other| has(other, name));
        let is_of_kind = others.is_empty() || joining.kind == self.protocol_type;
        is_of_kind && joining.protocols.iter().any(shares)
    }

    fn fresh_id(world: &mut World<'_>, joining: &Joining) -> String {
        let client = joining.call.client_id.as_deref().unwrap_or_default();
        let name = joining.instance.as_deref().unwrap_or(client);
        format!("{name}-{}", world.rng.uuid_text())
    }

    fn join_new(&mut self, world: &mut World<'_>, joining: Joining) {
        let id = Self::fresh_id(world, &joining);
        if joining.call.version >= NEEDS_ID_FROM {
            let session = Duration::from_millis(u64::from(joining.session.unsigned_abs()));
            self.promised.insert(id.clone(), world.now.saturating_add(session));
            return refuse(world, joining.call, ErrorCode::MEMBER_ID_REQUIRED, &id);
        }
        self.add(world, id, joining);
    }

    /// A static member without an id: a new one, or one that was started again. The old id is
    /// fenced; its place and its part of the plan go on.
    fn join_static(&mut self, world: &mut World<'_>, instance: &str, joining: Joining) {
        let id = Self::fresh_id(world, &joining);
        let before = self.statics.get(instance).cloned();
        let Some((before, old)) = before.and_then(|id| self.members.remove_entry(&id)) else {
            return self.add(world, id, joining);
        };
        let assignment = old.assignment.clone();
        let unchanged = old.protocols == joining.protocols;
        old.dismiss(world, ErrorCode::FENCED_INSTANCE_ID);
        self.statics.insert(instance.to_owned(), id.clone());
        if self.leader.as_deref() == Some(before.as_str()) {
            self.leader = Some(id.clone());
        }
        let mut member = joining.into_member(world.now);
        member.assignment = assignment;
        let stays = unchanged && self.state == State::Stable;
        let call = if stays { member.join.take() } else { None };
        self.members.insert(id.clone(), member);
        match call {
            Some(call) => self.answer_join(world, (&id, &before), call),
            None => self.joined(world),
        }
    }

    fn join_known(&mut self, world: &mut World<'_>, joining: Joining) {
        let id = joining.id.clone();
        if self.promised.remove(&id).is_some() {
            return self.add(world, id, joining);
        }
        if let Err(code) = self.check(&id, joining.instance.as_deref()) {
            return refuse(world, joining.call, code, &id);
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        let unchanged = member.protocols == joining.protocols;
        let is_leader = self.leader.as_deref() == Some(id.as_str());
        let stays = match self.state {
            State::Empty | State::Preparing { .. } => false,
            State::Completing { .. } => unchanged,
            State::Stable => unchanged && !is_leader,
        };
        if stays {
            member.beat(world.now);
            return self.answer_join(world, (&id, &id), joining.call);
        }
        let mut fresh = joining.into_member(world.now);
        fresh.assignment = member.assignment.clone();
        let old = std::mem::replace(member, fresh);
        old.dismiss(world, ErrorCode::REBALANCE_IN_PROGRESS);
        self.joined(world);
    }

    fn add(&mut self, world: &mut World<'_>, id: String, joining: Joining) {
        if self.members.is_empty() {
            self.protocol_type.clone_from(&joining.kind);
        }
        if let Some(instance) = joining.instance.clone() {
            self.statics.insert(instance, id.clone());
        }
        self.members.insert(id, joining.into_member(world.now));
        self.joined(world);
    }

    /// Somebody joined: a new generation is wanted.
    fn joined(&mut self, world: &mut World<'_>) {
        if matches!(self.state, State::Preparing { .. }) {
            self.complete_if_all_joined(world);
        } else {
            self.prepare(world);
        }
    }

    /// All members are to join again.
    pub(super) fn prepare(&mut self, world: &mut World<'_>) {
        for member in self.members.values_mut() {
            if let Some(call) = member.sync.take() {
                let code = ErrorCode::REBALANCE_IN_PROGRESS;
                answer_sync(world, call, code, Bytes::new(), None);
                member.beat(world.now);
            }
        }
        let is_first = self.state == State::Empty;
        let wait = if is_first { world.initial_delay } else { self.rebalance_timeout() };
        self.is_gathering = is_first && !wait.is_zero();
        self.state = State::Preparing { until: world.now.saturating_add(wait) };
        self.complete_if_all_joined(world);
    }

    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance).max().unwrap_or_default()
    }

    pub(super) fn complete_if_all_joined(&mut self, world: &mut World<'_>) {
        let all = self.members.values().all(|member| member.join.is_some());
        let is_preparing = matches!(self.state, State::Preparing { .. });
        if is_preparing && all && self.promised.is_empty() && !self.is_gathering {
            self.complete(world);
        }
    }

    /// The next generation begins with those that joined. Static members keep their place while
    /// their session lasts.
    pub(super) fn complete(&mut self, world: &mut World<'_>) {
        self.is_gathering = false;
        self.members.retain(|_, member| member.join.is_some() || member.instance.is_some());
        self.generation += 1;
        if self.members.is_empty() {
            (self.state, self.protocol, self.leader) = (State::Empty, None, None);
            return;
        }
        self.protocol = self.choose();
        let joined = self.members.iter().find(|(_, member)| member.join.is_some());
        let first = joined.or_else(|| self.members.iter().next()).map(|(id, _)| id.clone());
        let stays = |id: &String| self.members.get(id).is_some_and(|it| it.join.is_some());
        self.leader = self.leader.take().filter(stays).or(first);
        let until = world.now.saturating_add(self.rebalance_timeout());
        self.state = State::Completing { until };
        let calls = self.members.iter_mut().filter_map(|(id, member)| {
            member.beat(world.now);
            Some((id.clone(), member.join.take()?))
        });
        for (id, call) in calls.collect::<Vec<_>>() {
            self.answer_join(world, (&id, &id), call);
        }
    }

    /// The assignor that most members like best, of those that all name.
    pub(super) fn choose(&self) -> Option<String> {
        let has = |member: &Member, name: &str| member.protocols.iter().any(|it| it.0 == name);
        let is_common = |name: &str| self.members.values().all(|member| has(member, name));
        let mut votes: Vec<(usize, &str)> = Vec::new();
        for member in self.members.values() {
            let best = member.protocols.iter().find(|(name, _)| is_common(name));
            let Some((name, _)) = best else { continue };
            match votes.iter_mut().find(|(_, known)| known == name) {
                Some((count, _)) => *count += 1,
                None => votes.push((1, name)),
            }
        }
        votes.into_iter().max_by_key(|(count, _)| *count).map(|(_, name)| name.to_owned())
    }

    /// The member's answer; `before` is the id that it had until now.
    fn answer_join(&self, world: &mut World<'_>, (id, before): (&str, &str), call: Call) {
        let protocol = self.protocol.clone().unwrap_or_default();
        let leads = self.leader.as_deref() == Some(id);
        let keeps_plan = leads && self.state == State::Stable;
        // Before KIP-814 a static leader that came back was told that it still led under its former
        // id, so that it made no plan that nobody waited for.
        let is_told = !keeps_plan || KEEPS_PLAN_FROM <= call.version;
        let lists = |_: &_| leads && is_told;
        let members =
            self.members.iter().filter(lists).map(|(id, member)| JoinGroupResponseMember {
                member_id: id.as_str().into(),
                group_instance_id: member.instance.as_deref().map(Into::into),
                metadata: member.metadata(&protocol),
            });
        let leader = self.leader.as_deref().unwrap_or_default();
        let leader = if is_told { leader } else { before };
        let body = JoinGroupResponse {
            throttle_time_ms: call.throttle(),
            error_code: 0,
            generation_id: self.generation,
            protocol_type: Some(self.protocol_type.as_str().into()),
            protocol_name: Some(protocol.as_str().into()),
            leader: leader.into(),
            skip_assignment: keeps_plan && is_told,
            member_id: id.into(),
            members: members.collect(),
        };
        world.answers.push((call, Waited::Join(body)));
    }
}

/// No place in the group, for this reason.
pub(super) fn refuse(world: &mut World<'_>, call: Call, code: ErrorCode, id: &str) {
    let body = refusal(&call, code, id);
    world.answers.push((call, Waited::Join(body)));
}

/// What is said to one that cannot join.
pub(crate) fn refusal(call: &Call, code: ErrorCode, id: &str) -> JoinGroupResponse {
    // Releases without the fifth version wrote 0 for no generation.
    let nothing = -i32::from(2 < call.newest);
    JoinGroupResponse {
        throttle_time_ms: call.throttle(),
        error_code: code.0,
        generation_id: nothing,
        // Before v7 the name is not nullable.
        protocol_name: (call.version < 7).then(|| "".into()),
        member_id: id.into(),
        ..Default::default()
    }
}
