//! Kafka's messages about groups, in the words of the machines and back.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::ownership::member::{
    Answer, Beat, Beaten, Identity, Join, Joined, JoinedMember, Sync, Synced,
};
use forebay_protocol::messages as m;
use forebay_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use forebay_protocol::messages::describe_configs_request::DescribeConfigsResource;
use forebay_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use forebay_protocol::messages::leave_group_request::MemberIdentity;
use forebay_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use forebay_protocol::types::BrokerId;
use forebay_protocol::wire::Str;

use super::translate;
use crate::error::Error;

/// What kind of members our groups have.
const CONSUMER: &str = "consumer";
/// First `JoinGroup` with static members.
const STATIC_JOIN_FROM: i16 = 5;
/// First `LeaveGroup` that names several members.
const LEAVE_MEMBERS_FROM: i16 = 3;
/// First `SyncGroup` that names its protocol.
const SYNC_PROTOCOL_FROM: i16 = 5;
/// How much longer than the rebalance timeout a `JoinGroup` may take, as Java's client has it.
pub(super) const JOIN_SLACK: Duration = Duration::from_secs(5);

/// The oldest version that can say it all: static members need a newer one.
pub(super) const fn oldest(instance: Option<&Arc<str>>, since: i16) -> i16 {
    if instance.is_some() { since } else { 0 }
}

/// First versions with static members: `JoinGroup`, and `SyncGroup`, `Heartbeat`.
pub(super) const STATIC_FROM: (i16, i16) = (STATIC_JOIN_FROM, 3);

pub(super) fn join(group: &str, join: &Join) -> m::JoinGroupRequest {
    let protocols = join.protocols.iter().map(|(name, metadata)| JoinGroupRequestProtocol {
        name: (&**name).into(),
        metadata: metadata.clone(),
    });
    m::JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: millis(join.session_timeout),
        rebalance_timeout_ms: millis(join.rebalance_timeout),
        member_id: (&*join.member).into(),
        group_instance_id: text(join.instance.as_ref()),
        protocol_type: CONSUMER.into(),
        protocols: protocols.collect(),
        reason: None,
    }
}

pub(super) fn joined(answer: Result<m::JoinGroupResponse, Error>) -> Answer {
    let joined = answer.map(|answer| Joined {
        code: answer.error_code,
        generation: answer.generation_id,
        protocol: answer.protocol_name.as_deref().unwrap_or_default().into(),
        leader: (&*answer.leader).into(),
        member: (&*answer.member_id).into(),
        members: answer.members.into_iter().map(member).collect(),
        keeps_plan: answer.skip_assignment,
    });
    let failed = |code| Answer::Joined(Joined { code, ..Joined::default() });
    joined.map_or_else(|error| silence(&error, failed), Answer::Joined)
}

fn member(member: m::join_group_response::JoinGroupResponseMember) -> JoinedMember {
    JoinedMember {
        id: (&*member.member_id).into(),
        instance: member.group_instance_id.as_deref().map(Into::into),
        subscription: member.metadata,
    }
}

pub(super) fn sync(group: &str, sync: &Sync, version: i16) -> m::SyncGroupRequest {
    let Sync { identity, protocol, plan } = sync;
    let assignments = plan.iter().map(|(member, assignment)| SyncGroupRequestAssignment {
        member_id: (&**member).into(),
        assignment: assignment.clone(),
    });
    let named = (SYNC_PROTOCOL_FROM <= version).then_some(());
    m::SyncGroupRequest {
        group_id: group.into(),
        generation_id: identity.generation,
        member_id: (&*identity.member).into(),
        group_instance_id: text(identity.instance.as_ref()),
        protocol_type: named.map(|()| CONSUMER.into()),
        protocol_name: named.map(|()| (&**protocol).into()),
        assignments: assignments.collect(),
    }
}

pub(super) fn synced(answer: Result<m::SyncGroupResponse, Error>) -> Answer {
    let synced =
        answer.map(|answer| Synced { code: answer.error_code, assignment: answer.assignment });
    let failed = |code| Answer::Synced(Synced { code, ..Synced::default() });
    synced.map_or_else(|error| silence(&error, failed), Answer::Synced)
}

pub(super) fn heartbeat(group: &str, identity: &Identity) -> m::HeartbeatRequest {
    m::HeartbeatRequest {
        group_id: group.into(),
        generation_id: identity.generation,
        member_id: (&*identity.member).into(),
        group_instance_id: text(identity.instance.as_ref()),
    }
}

pub(super) fn beat(answer: Result<m::HeartbeatResponse, Error>) -> Answer {
    let code = answer.map(|answer| answer.error_code);
    code.map_or_else(|error| silence(&error, Answer::Beat), Answer::Beat)
}

pub(super) fn leave(group: &str, identity: &Identity, version: i16) -> m::LeaveGroupRequest {
    let group_id = group.into();
    let member_id: Str = (&*identity.member).into();
    if version < LEAVE_MEMBERS_FROM {
        return m::LeaveGroupRequest { group_id, member_id, ..Default::default() };
    }
    let group_instance_id = text(identity.instance.as_ref());
    let member = MemberIdentity { member_id, group_instance_id, reason: None };
    m::LeaveGroupRequest { group_id, members: vec![member], ..Default::default() }
}

/// The oldest `ConsumerGroupHeartbeat` whose members make their own ids.
pub(super) const BEAT_FROM: i16 = 1;

/// What stays the same in all heartbeats of a member by KIP-848.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) rack: Option<Arc<str>>,
    pub(super) assignor: Option<Arc<str>>,
}

pub(super) fn consumer_heartbeat(
    group: &str,
    beat: &Beat,
    constant: &Constant,
) -> m::ConsumerGroupHeartbeatRequest {
    let topics = beat.topics.as_ref();
    let owned = beat.owned.as_ref().map(|owned| {
        let topics = owned.iter().map(|(topic_id, partitions)| TopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.clone(),
        });
        topics.collect()
    });
    let whole = beat.rest.is_some();
    m::ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: (&*beat.identity.member).into(),
        member_epoch: beat.identity.generation,
        instance_id: text(beat.identity.instance.as_ref()),
        rack_id: text(constant.rack.as_ref().filter(|_| whole)),
        rebalance_timeout_ms: beat.rest.map_or(-1, millis),
        subscribed_topic_names: topics
            .map(|topics| topics.iter().map(|topic| topic.as_str().into()).collect()),
        subscribed_topic_regex: text(beat.regex.as_ref()),
        server_assignor: text(constant.assignor.as_ref().filter(|_| whole)),
        topic_partitions: owned,
    }
}

pub(super) fn beaten(answer: Result<m::ConsumerGroupHeartbeatResponse, Error>) -> Answer {
    let beaten = answer.map(|answer| {
        if let Some(message) = &answer.error_message {
            tracing::warn!(target: "forebay::group", code = answer.error_code, %message, "refused");
        }
        let interval = u64::try_from(answer.heartbeat_interval_ms).unwrap_or(0);
        Beaten {
            code: answer.error_code,
            member: answer.member_id.as_deref().unwrap_or_default().into(),
            epoch: answer.member_epoch,
            interval: Duration::from_millis(interval),
            assignment: answer.assignment.map(|assignment| {
                let topics = assignment.topic_partitions.into_iter();
                topics.map(|topic| (topic.topic_id, topic.partitions)).collect()
            }),
        }
    });
    let failed = |code| Answer::Beaten(Beaten { code, ..Beaten::default() });
    beaten.map_or_else(|error| silence(&error, failed), Answer::Beaten)
}

/// Kafka's kinds of resources that have settings.
const BROKER_RESOURCE: i8 = 4;
const GROUP_RESOURCE: i8 = 32;
/// How long a session is, as a group's setting and as a broker's.
const SESSION: (&str, &str) = ("consumer.session.timeout.ms", "group.consumer.session.timeout.ms");

pub(super) fn session_of_group(group: &str) -> m::DescribeConfigsRequest {
    setting(GROUP_RESOURCE, group, SESSION.0)
}

pub(super) fn session_of_broker(broker: BrokerId) -> m::DescribeConfigsRequest {
    setting(BROKER_RESOURCE, &broker.to_string(), SESSION.1)
}

fn setting(resource_type: i8, name: &str, key: &str) -> m::DescribeConfigsRequest {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: Some(vec![key.into()]),
    };
    m::DescribeConfigsRequest { resources: vec![resource], ..Default::default() }
}

/// What the answer to either says; one that makes no sense says nothing.
pub(super) fn session(answer: Result<m::DescribeConfigsResponse, Error>) -> Option<Duration> {
    let results = answer.ok()?.results;
    let mut configs = results.iter().flat_map(|result| &result.configs);
    let known = |name: &str| name == SESSION.0 || name == SESSION.1;
    let found = configs.find(|config| known(&config.name))?.value.as_deref()?;
    let millis = found.parse().ok().filter(|millis| (1..=86_400_000).contains(millis))?;
    Some(Duration::from_millis(millis))
}

/// What a call without an answer means: nothing, or one final code.
fn silence(error: &Error, failed: impl FnOnce(i16) -> Answer) -> Answer {
    tracing::debug!(target: "forebay::group", %error, "no answer about the group");
    translate::final_code(error).map_or(Answer::Unreachable, failed)
}

fn text(it: Option<&Arc<str>>) -> Option<Str> {
    it.map(|it| (&**it).into())
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
