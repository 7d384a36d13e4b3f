//! Kafka's messages about the cluster, in our words and back.

use std::collections::BTreeMap;

use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::cluster::metadata::{Partition, Topic, Update};
use forebay_core::orders::Address;
use forebay_protocol::messages as m;
use forebay_protocol::types::{BrokerId, LeaderEpoch, TopicName};

/// The newest `FindCoordinator` with one key per request, which is all we ask.
pub(super) const FIND_COORDINATOR_AT_MOST: i16 = 3;

/// A question about `topics`, or about all; none of them is created by being asked for.
pub(super) fn metadata_request(topics: Option<&[TopicName]>) -> m::MetadataRequest {
    let named = |topic: &TopicName| m::metadata_request::MetadataRequestTopic {
        name: Some(topic.as_str().into()),
        ..Default::default()
    };
    m::MetadataRequest {
        topics: topics.map(|topics| topics.iter().map(named).collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

/// What an answer says. Brokers and topics that make no sense are left out.
pub(super) fn update(response: m::MetadataResponse) -> Update {
    let brokers = response.brokers.iter().filter_map(|broker| {
        let address = address(&broker.host, broker.port)?;
        (0 <= broker.node_id).then_some((BrokerId(broker.node_id), address))
    });
    let topics = response.topics.into_iter().filter_map(|topic| {
        let name = TopicName::from(topic.name.as_ref()?.as_str());
        Some((name, translate_topic(&topic)))
    });
    Update {
        cluster_id: response.cluster_id.map(|id| id.as_str().into()),
        controller: (0 <= response.controller_id).then_some(BrokerId(response.controller_id)),
        brokers: brokers.collect(),
        topics: topics.collect(),
        is_whole: false,
    }
}

/// What an answer about all topics says. Kafka's own are nobody's business.
pub(super) fn whole_update(mut response: m::MetadataResponse) -> Update {
    response.topics.retain(|topic| !topic.is_internal);
    Update { is_whole: true, ..update(response) }
}

fn translate_topic(topic: &m::metadata_response::MetadataResponseTopic) -> Topic {
    let partitions = topic.partitions.iter().filter(|partition| 0 <= partition.partition_index);
    let partitions = partitions.map(|partition| {
        let leader = (0 <= partition.leader_id).then_some(BrokerId(partition.leader_id));
        let epoch = LeaderEpoch(partition.leader_epoch);
        (partition.partition_index, Partition { leader, epoch })
    });
    Topic {
        id: topic.topic_id,
        error: topic.error_code,
        partitions: partitions.collect::<BTreeMap<_, _>>(),
    }
}

/// A question for a coordinator.
pub(super) fn find_coordinator_request(key: &CoordinatorKey) -> m::FindCoordinatorRequest {
    let (key_type, key) = match key {
        CoordinatorKey::Group(name) => (0, name),
        CoordinatorKey::Transaction(name) => (1, name),
    };
    m::FindCoordinatorRequest { key: (&**key).into(), key_type, ..Default::default() }
}

/// Where the coordinator is; Kafka's error code when the broker does not say.
pub(super) fn coordinator(
    response: &m::FindCoordinatorResponse,
) -> Result<(BrokerId, Address), i16> {
    if response.error_code != 0 {
        return Err(response.error_code);
    }
    let address = address(&response.host, response.port).filter(|_| 0 <= response.node_id);
    address.map(|address| (BrokerId(response.node_id), address)).ok_or(-1)
}

fn address(host: &str, port: i32) -> Option<Address> {
    let port = u16::try_from(port).ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| Address { host: host.into(), port })
}
