//! Questions about members by KIP-848.

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, OffsetCommitRequest, OffsetFetchRequest,
};

use crate::members::{delete, describe, forget, group, join, list};
use crate::side::{Side, name, text};

/// A heartbeat that says nothing new.
pub(crate) fn beat(id: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

pub(crate) fn first(id: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    beat(id, member, 0)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![name("m")]))
        .with_topic_partitions(Some(vec![]))
}

pub(crate) fn described(id: &str) -> ConsumerGroupDescribeRequest {
    ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(id)])
}

fn commit(id: &str, member: &str, epoch: i32) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(3)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(Some(text("")));
    let topic =
        OffsetCommitRequestTopic::default().with_name(name("m")).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(epoch)
        .with_topics(vec![topic])
}

fn committed(id: &str, member: Option<&str>, epoch: i32) -> OffsetFetchRequest {
    let topic =
        OffsetFetchRequestTopics::default().with_name(name("m")).with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(group(id))
        .with_member_id(member.map(text))
        .with_member_epoch(epoch)
        .with_topics(Some(vec![topic]));
    OffsetFetchRequest::default().with_groups(vec![group])
}

/// What the answer gives, to be said back.
fn owned(answer: Option<&ConsumerGroupHeartbeatResponse>) -> Vec<TopicPartitions> {
    let topics = answer.and_then(|it| it.assignment.as_ref()).map(|it| &it.topic_partitions);
    let said =
        |id, partitions| TopicPartitions::default().with_topic_id(id).with_partitions(partitions);
    topics.into_iter().flatten().map(|it| said(it.topic_id, it.partitions.clone())).collect()
}

pub(crate) fn sort(answer: &mut ConsumerGroupDescribeResponse) {
    for group in &mut answer.groups {
        group.members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
    }
}

pub(crate) fn modern(side: &mut Side) {
    refused(side);
    alone(side);
    statics(side);
    patterns(side);
    mixed(side);
}

fn refused(side: &mut Side) {
    let from = || first("w", "a");
    for (what, request) in [
        ("in a group without a name", first("", "a")),
        ("without an id", first("w", "")),
        ("with an epoch that is not", from().with_member_epoch(-3)),
        ("without a rebalance timeout", from().with_rebalance_timeout_ms(-1)),
        ("that owns unsaid", from().with_topic_partitions(None)),
        ("that owns", from().with_topic_partitions(Some(vec![TopicPartitions::default()]))),
        ("without topics", from().with_subscribed_topic_names(None)),
        ("with an assignor that is not", from().with_server_assignor(Some(text("mine")))),
        ("without the name of its instance", from().with_instance_id(Some(text("")))),
        ("without the name of its rack", from().with_rack_id(Some(text("")))),
        ("with no pattern", from().with_subscribed_topic_regex(Some(text("(")))),
        ("that leaves for a while as nobody", beat("w", "a", -2)),
        ("that leaves no group", beat("w", "a", -1)),
        ("in no group", beat("w", "a", 5)),
    ] {
        side.note(&format!("member {what}"), 1, &request);
    }
    side.note("members of no group", 1, &described("w"));
    side.note("members of a group without a name", 1, &described(""));
}

fn alone(side: &mut Side) {
    let joined = side.note("member", 1, &first("u", "a"));
    let had = owned(joined.as_ref());
    let now = joined.map_or(1, |answer| answer.member_epoch);
    side.note("member that has joined", 1, &beat("u", "a", now));
    let again = first("u", "a").with_member_epoch(now).with_topic_partitions(None);
    side.note("member that says all again", 1, &again);
    side.note("member that begins without a word", 1, &beat("u", "a", 0));
    side.note("member of the epoch before", 1, &beat("u", "a", now - 1));
    side.note("member of an epoch to come", 1, &beat("u", "a", now + 5));
    side.note("member that is nobody", 1, &beat("u", "b", 1));
    side.note("member that is nobody leaves", 1, &beat("u", "b", -1));
    side.error_of("member v0", 0, &first("v", ""), |answer| answer.error_code);
    side.note("members", 1, &described("u"));
    side.note("members as of a classic group", 6, &describe("u"));
    side.note("members as of a classic group, before v6", 5, &describe("u"));
    side.note_in_order("list of consumer groups", 5, &list("", "consumer"), |answer| {
        answer.groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    });
    for (what, member, epoch) in [
        ("of the member", "a", now),
        ("of the epoch before", "a", now - 1),
        ("of an epoch to come", "a", now + 5),
        ("of nobody", "b", now),
        ("from outside", "", -1),
    ] {
        side.note(&format!("commit by epoch {what}"), 9, &commit("u", member, epoch));
        side.note(&format!("commit by epoch {what}, v8"), 8, &commit("u", member, epoch));
        side.note(&format!("committed by epoch {what}"), 9, &committed("u", Some(member), epoch));
    }
    side.note("committed as nobody", 9, &committed("u", None, -1));
    side.note("committed of no group as a member", 9, &committed("w", Some("a"), 1));
    side.note("deletion of a consumer group that lives", 2, &delete("u"));
    side.note("deletion of offsets of a topic that members read", 0, &forget("u", "m", &[0]));
    together(side, now, had);
}

/// A second member gets a part of what the first one, in epoch `now`, has.
fn together(side: &mut Side, now: i32, had: Vec<TopicPartitions>) {
    let with = |epoch, owned| beat("u", "a", epoch).with_topic_partitions(Some(owned));
    side.note("first member tells what it has", 1, &with(now, had.clone()));
    let second = side.note("second member", 1, &first("u", "b"));
    let next = second.map_or(1, |answer| answer.member_epoch);
    side.note("second member waits", 1, &beat("u", "b", next));
    let less = side.note("first member gives up", 1, &beat("u", "a", now));
    side.note("first member has not given up", 1, &with(now, had));
    side.note_in_order("members while one gives up", 1, &described("u"), sort);
    side.note("second member still waits", 1, &beat("u", "b", next));
    side.note("first member has given up", 1, &with(now, owned(less.as_ref())));
    side.note("second member gets", 1, &beat("u", "b", next));
    side.note("commit by the epoch before", 9, &commit("u", "a", now));
    side.note("commit by the epoch now", 9, &commit("u", "a", next));
    side.note("first member, whose answer was lost", 1, &with(now, owned(less.as_ref())));
    side.note("first member, whose answer was lost, with nothing to say", 1, &beat("u", "a", now));
    side.note_in_order("members together", 1, &described("u"), sort);
    side.note("second member leaves", 1, &beat("u", "b", -1));
    side.note("first member hears of it", 1, &beat("u", "a", next));
    side.note("first member leaves", 1, &beat("u", "a", -1));
    side.note("first member leaves again", 1, &beat("u", "a", -1));
    side.note("members of an empty group", 1, &described("u"));
    side.note("deletion of offsets of a consumer group", 0, &forget("u", "m", &[0, 1]));
    side.note("deletion of a consumer group", 2, &delete("u"));
}

fn statics(side: &mut Side) {
    let with = |request: ConsumerGroupHeartbeatRequest| request.with_instance_id(Some(text("i")));
    let joined = side.note("static member", 1, &with(first("y", "a")));
    let now = joined.map_or(1, |answer| answer.member_epoch);
    side.note("static member twice", 1, &with(first("y", "b")));
    side.note("static member as another", 1, &with(beat("y", "b", now)));
    side.note("static member without its instance", 1, &beat("y", "a", now));
    side.note("static member goes for a while", 1, &with(beat("y", "a", -2)));
    side.note("static member while it is gone", 1, &with(beat("y", "a", now)));
    side.note("static members while one is gone", 1, &described("y"));
    side.note("static member is back", 1, &with(first("y", "b")));
    side.note("static member that was replaced", 1, &with(beat("y", "a", now)));
    side.note("static member leaves", 1, &with(beat("y", "b", -1)));
}

fn patterns(side: &mut Side) {
    let by = |pattern: &str| {
        first("r", "a")
            .with_subscribed_topic_names(None)
            .with_subscribed_topic_regex(Some(text(pattern)))
    };
    side.note("member by pattern", 1, &by("m|nothing"));
    side.rest(500);
    side.note("member by pattern, after", 1, &beat("r", "a", 1));
    side.note("members by pattern", 1, &described("r"));
    side.note("member by pattern leaves", 1, &beat("r", "a", -1));
    side.note("member by an empty pattern", 1, &by("").with_group_id(group("e")));
}

/// Members of both kinds.
fn mixed(side: &mut Side) {
    side.quietly(1, &first("z", "a"));
    let other = join("z", "").with_protocol_type(text("connect"));
    side.note("classic member of another kind", 3, &other);
    if side.newest(68) >= 0 {
        let none = join("z", "").with_protocols(vec![]);
        side.note("classic member without an assignor", 3, &none);
    }
    side.note("heartbeat of a classic member that is none", 4, &{
        kafka_protocol::messages::HeartbeatRequest::default()
            .with_group_id(group("z"))
            .with_member_id(text("nobody"))
            .with_generation_id(1)
    });
}
