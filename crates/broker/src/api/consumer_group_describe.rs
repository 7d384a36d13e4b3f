//! `ConsumerGroupDescribe` v0-v1: the members of groups by KIP-848.

use std::collections::{BTreeMap, BTreeSet};

use forebay_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use forebay_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use forebay_protocol::types::Uuid;
use forebay_protocol::wire::Str;

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::group::modern::Place;

/// No answer to "what may I do": nobody asked.
const NOT_ASKED: i32 = i32::MIN;

pub(super) fn consumer_group_describe(
    cluster: &mut Cluster,
    call: &Call,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let groups = request.group_ids.iter().map(|name| {
        let code = cluster.no_group(call, name);
        described(cluster, name).filter(|_| code.is_none()).unwrap_or_else(|| DescribedGroup {
            group_id: name.clone(),
            error_code: code.unwrap_or(ErrorCode::GROUP_ID_NOT_FOUND).0,
            authorized_operations: NOT_ASKED,
            ..Default::default()
        })
    });
    ConsumerGroupDescribeResponse { throttle_time_ms: call.throttle(), groups: groups.collect() }
}

fn described(cluster: &Cluster, name: &Str) -> Option<DescribedGroup> {
    let group = &cluster.groups.get(name.as_str())?.modern;
    if group.epoch() == 0 {
        return None;
    }
    let names: BTreeMap<Uuid, &str> =
        cluster.topics.iter().map(|(name, topic)| (topic.id, name)).collect();
    let members = group.members().map(|(id, member)| Member {
        member_id: id.as_str().into(),
        instance_id: member.instance.as_deref().map(Into::into),
        member_epoch: member.told_epoch(),
        client_id: member.client_id.as_str().into(),
        client_host: "/127.0.0.1".into(),
        subscribed_topic_names: member.topics.iter().map(|it| it.as_str().into()).collect(),
        subscribed_topic_regex: Some(member.pattern.as_deref().unwrap_or_default().into()),
        assignment: assignment(member.held(), &names),
        target_assignment: assignment(group.target(id), &names),
        member_type: i8::from(!member.is_classic()),
        ..Default::default()
    });
    let members: Vec<Member> = members.collect();
    Some(DescribedGroup {
        group_id: name.clone(),
        group_state: group.state().into(),
        group_epoch: group.epoch(),
        assignment_epoch: group.target_epoch(),
        assignor_name: "uniform".into(),
        members,
        authorized_operations: NOT_ASKED,
        ..Default::default()
    })
}

fn assignment<'a>(
    places: impl IntoIterator<Item = &'a Place>,
    names: &BTreeMap<Uuid, &str>,
) -> Assignment {
    let mut topics: BTreeMap<Uuid, BTreeSet<i32>> = BTreeMap::new();
    for (id, number) in places {
        topics.entry(*id).or_default().insert(*number);
    }
    let topics = topics.into_iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id,
        topic_name: names.get(&topic_id).copied().unwrap_or_default().into(),
        partitions: partitions.into_iter().collect(),
    });
    Assignment { topic_partitions: topics.collect() }
}
