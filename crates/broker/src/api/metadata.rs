//! Metadata v0-v13: nodes, topics, leaders.
//!
//! v0 asks for all topics with an empty list, later versions with null. v10 has topic ids, v12 asks
//! by them. Topics are created only where the request (v4 and later) and the broker's options
//! both allow it.

use forebay_protocol::messages::metadata_request::MetadataRequestTopic;
use forebay_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use forebay_protocol::messages::{MetadataRequest, MetadataResponse};
use forebay_protocol::types::{BrokerId, Uuid};
use forebay_protocol::wire::Str;

use crate::cluster::{Cluster, Node, NodeState};
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::{Partition, Topic, TopicRef};
use crate::versions::Release;

pub(super) fn metadata(
    cluster: &mut Cluster,
    call: &Call,
    request: MetadataRequest,
) -> MetadataResponse {
    let wants_all = |topics: &Vec<MetadataRequestTopic>| call.version == 0 && topics.is_empty();
    let topics = match request.topics.filter(|topics| !wants_all(topics)) {
        None => all(cluster, call),
        Some(topics) => {
            let asks = call.version < 4 || request.allow_auto_topic_creation;
            let partitions = cluster.options.auto_create.filter(|_| asks);
            topics.iter().map(|topic| one(cluster, call, topic, partitions)).collect()
        }
    };
    MetadataResponse {
        throttle_time_ms: call.throttle(),
        brokers: brokers(cluster),
        cluster_id: Some(Str::from(cluster.options.cluster_id.as_str())),
        controller_id: cluster.controller().0,
        topics,
        error_code: if call.version >= 13 { forced(call).0 } else { 0 },
        ..Default::default()
    }
}

fn forced(call: &Call) -> ErrorCode {
    call.forced().unwrap_or(ErrorCode::NONE)
}

fn brokers(cluster: &Cluster) -> Vec<MetadataResponseBroker> {
    let up = cluster.nodes.iter().filter(|(_, node)| node.state != NodeState::Down);
    up.map(|(id, Node { host, port, .. })| MetadataResponseBroker {
        node_id: id.0,
        host: host.as_str().into(),
        port: i32::from(*port),
        rack: cluster.rack(*id).map(Into::into),
    })
    .collect()
}

fn all(cluster: &Cluster, call: &Call) -> Vec<MetadataResponseTopic> {
    let told = |(name, topic)| described(cluster, call, name, topic);
    cluster.topics.iter().map(told).collect()
}

fn one(
    cluster: &mut Cluster,
    call: &Call,
    asked: &MetadataRequestTopic,
    create: Option<i32>,
) -> MetadataResponseTopic {
    let name = asked.name.as_deref().unwrap_or_default().to_owned();
    let forced = call.forced().or_else(|| cluster.forced(call, &name, -1));
    if let Some(code) = forced.filter(|_| call.version < 13 || call.forced().is_none()) {
        return failed(call.version, asked, code);
    }
    let topic = if asked.name.is_some() {
        TopicRef::Name(name.clone())
    } else {
        TopicRef::Id(asked.topic_id)
    };
    if let Some(partitions) = create
        && matches!(topic, TopicRef::Name(_))
        && cluster.topics.get(&name).is_none()
        && let Err(refusal) = cluster.new_topic(&name, partitions, 1)
    {
        return failed(call.version, asked, refusal.code);
    }
    let found = cluster.topics.name_of(&topic).and_then(|name| {
        cluster.topics.get(name).map(|topic| described(cluster, call, name, topic))
    });
    found.unwrap_or_else(|| failed(call.version, asked, missing(&topic, cluster.options.release)))
}

fn missing(topic: &TopicRef, release: Release) -> ErrorCode {
    match topic {
        TopicRef::Id(_) => ErrorCode::UNKNOWN_TOPIC_ID,
        TopicRef::Name(name)
            if release > Release::V0_11 && !crate::control::is_topic_name(name) =>
        {
            ErrorCode::INVALID_TOPIC_EXCEPTION
        }
        TopicRef::Name(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    }
}

fn failed(version: i16, asked: &MetadataRequestTopic, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: code.0,
        // Only from v12 on may the name be missing.
        name: asked.name.clone().or_else(|| (version < 12).then(Str::default)),
        topic_id: asked.topic_id,
        ..Default::default()
    }
}

fn described(cluster: &Cluster, call: &Call, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions);
    // Before 2.8 topics had no ids; the version says so.
    let topic_id = if call.version >= 10 { topic.id } else { Uuid::ZERO };
    MetadataResponseTopic {
        error_code: 0,
        name: Some(name.into()),
        topic_id,
        partitions: partitions
            .map(|(index, partition)| described_partition(cluster, (name, index), partition))
            .collect(),
        ..Default::default()
    }
}

fn described_partition(
    cluster: &Cluster,
    (topic, index): (&str, i32),
    partition: &Partition,
) -> MetadataResponsePartition {
    let (leader, epoch) = cluster.told_leader(topic, index, partition);
    let ids = |nodes: &[BrokerId]| nodes.iter().map(|node| node.0).collect::<Vec<_>>();
    let (up, down): (Vec<_>, Vec<_>) =
        partition.replicas.iter().copied().partition(|node| cluster.is_up(*node));
    let error = leader.map_or(ErrorCode::LEADER_NOT_AVAILABLE, |_| ErrorCode::NONE);
    MetadataResponsePartition {
        error_code: error.0,
        partition_index: index,
        leader_id: leader.map_or(-1, |leader| leader.0),
        leader_epoch: epoch,
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&up),
        offline_replicas: ids(&down),
    }
}
