//! Which coordinator answers a request of a member: that of its group, whose kind may change.
//!
//! As Kafka 4 does, a classic group of consumers becomes one by KIP-848 when the first member by that
//! protocol joins, and a classic one again when the last of them is gone. Members of both kinds share
//! the partitions in between.

use forebay_protocol::messages::{
    ConsumerGroupHeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};

use super::CONSUMER;
use super::classic::{Classic, is_session, refusal};
use super::modern::{Modern, Told, Topics};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

/// First version whose dynamic members must come with an id that they were given before.
const NEEDS_ID_FROM: i16 = 4;

impl Cluster {
    fn known_topics(&self) -> Topics {
        let topics = self.topics.iter().map(|(name, topic)| {
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (name.to_owned(), (topic.id, count))
        });
        topics.collect()
    }

    /// Whether the group has members and is one by KIP-848.
    pub(crate) fn has_modern(&self, name: &str) -> bool {
        self.groups.get(name).is_some_and(|group| !group.modern.is_empty())
    }

    /// Whether it is a member by the classic protocol in a group by KIP-848.
    pub(crate) fn is_classic_in_modern(&self, name: &str, member: &str) -> bool {
        self.groups.get(name).is_some_and(|group| group.modern.is_classic(member))
    }

    /// A heartbeat by KIP-848.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        call: &Call,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Told, ErrorCode> {
        let topics = self.known_topics();
        let name = request.group_id.as_str();
        let (now, rules) = (self.now, self.options.consumer_groups);
        let joins = request.member_epoch == 0;
        let is_new = joins && !self.groups.contains_key(name);
        if joins {
            self.groups.entry(name.to_owned()).or_default();
        }
        let told = self.on_group(name, |group, world| {
            let client = call.client_id.as_deref().unwrap_or_default();
            let beat =
                |modern: &mut Modern| modern.heartbeat((now, rules), client, request, &topics);
            if group.classic.is_empty() {
                if !(joins || group.is_modern()) {
                    return Err(ErrorCode::GROUP_ID_NOT_FOUND);
                }
                // Who comes to an empty group decides what it is.
                group.classic = Classic::default();
                return beat(&mut group.modern);
            }
            let is_ready = joins && group.classic.protocol_type() == CONSUMER;
            let upgraded = is_ready.then(|| Modern::of(&group.classic, now, &topics)).flatten();
            let mut upgraded = upgraded.ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
            let told = beat(&mut upgraded)?;
            group.classic.dissolve(world);
            group.modern = upgraded;
            Ok(told)
        });
        let told = told.unwrap_or(Err(ErrorCode::GROUP_ID_NOT_FOUND));
        if is_new && told.is_err() {
            self.groups.remove(name);
        }
        self.maybe_downgrade(name);
        self.arm(name);
        told
    }

    /// A group that lost its last member by KIP-848 is a classic one again.
    pub(super) fn maybe_downgrade(&mut self, name: &str) {
        let is_due = self.groups.get(name).is_some_and(|group| group.modern.is_all_classic());
        if !is_due {
            return;
        }
        let topics = self.known_topics();
        self.on_group(name, |group, world| {
            group.classic = Classic::of(&group.modern, world, &topics);
            group.modern = Modern::default();
        });
    }

    /// `JoinGroup` in a group by KIP-848: answered at once.
    pub(crate) fn join_modern(
        &mut self,
        call: &Call,
        request: &JoinGroupRequest,
    ) -> JoinGroupResponse {
        if !is_session(request.session_timeout_ms) {
            return refusal(call, ErrorCode::INVALID_SESSION_TIMEOUT, &request.member_id);
        }
        let is_unknown = request.member_id.is_empty();
        let fresh = if is_unknown { self.rng.uuid_text() } else { String::new() };
        let id = if is_unknown { fresh.as_str() } else { request.member_id.as_str() };
        let group = self.groups.get(request.group_id.as_str());
        if !group.is_some_and(|group| group.modern.is_compatible(id, request)) {
            return refusal(call, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, "");
        }
        let is_static = request.group_instance_id.is_some();
        if is_unknown && !is_static && NEEDS_ID_FROM <= call.version {
            return refusal(call, ErrorCode::MEMBER_ID_REQUIRED, id);
        }
        let (now, topics) = (self.now, self.known_topics());
        let client = call.client_id.as_deref().unwrap_or_default();
        let name = request.group_id.as_str();
        let joined = self
            .groups
            .get_mut(name)
            .map(|group| group.modern.join_classic((now, id), client, request, &topics));
        self.arm(name);
        match joined.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID)) {
            Err(code) => refusal(call, code, ""),
            Ok((generation_id, assignor)) => JoinGroupResponse {
                throttle_time_ms: call.throttle(),
                generation_id,
                protocol_type: Some(CONSUMER.into()),
                protocol_name: Some(assignor.as_str().into()),
                member_id: id.into(),
                ..Default::default()
            },
        }
    }

    /// `SyncGroup` in a group by KIP-848: answered at once.
    pub(crate) fn sync_modern(
        &mut self,
        call: &Call,
        request: &SyncGroupRequest,
    ) -> SyncGroupResponse {
        let (now, topics) = (self.now, self.known_topics());
        let name = request.group_id.as_str();
        let group = self.groups.get_mut(name);
        let synced = group.map(|group| group.modern.sync_classic(now, request, &topics));
        self.arm(name);
        let throttle_time_ms = call.throttle();
        match synced.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID)) {
            Err(code) => {
                SyncGroupResponse { throttle_time_ms, error_code: code.0, ..Default::default() }
            }
            Ok(assignment) => SyncGroupResponse {
                throttle_time_ms,
                error_code: 0,
                protocol_type: request.protocol_type.clone(),
                protocol_name: request.protocol_name.clone(),
                assignment,
            },
        }
    }

    /// `Heartbeat` in a group of whatever kind.
    pub(crate) fn beat(
        &mut self,
        name: &str,
        (id, instance): (&str, Option<&str>),
        generation: i32,
    ) -> ErrorCode {
        let now = self.now;
        let beat = self.on_group(name, |group, world| {
            if group.modern.is_empty() {
                return group.classic.heartbeat(world, id, instance, generation);
            }
            group.modern.beat_classic(now, (id, instance), generation)
        });
        self.arm(name);
        beat.unwrap_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// `LeaveGroup` of one member of a group of whatever kind.
    pub(crate) fn leave(&mut self, name: &str, id: &str, instance: Option<&str>) -> ErrorCode {
        let left = self.on_group(name, |group, world| {
            if group.modern.is_empty() {
                return group.classic.leave(world, id, instance);
            }
            group.modern.leave_classic(id, instance)
        });
        self.maybe_downgrade(name);
        self.arm(name);
        left.unwrap_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }
}
