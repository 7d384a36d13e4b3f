//! Kafka's messages about the cluster, in our words and back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::cluster::metadata::{Partition, Racks, Topic, Update};
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
    let mut racks = RackSets::of(&response.brokers);
    let topics = response.topics.into_iter().filter_map(|topic| {
        let name = TopicName::from(topic.name.as_ref()?.as_str());
        Some((name, translate_topic(&topic, &mut racks)))
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

/// Where brokers stand. Partitions whose replicas stand in the same racks share one set.
struct RackSets {
    of_brokers: BTreeMap<i32, Arc<str>>,
    made: BTreeSet<Racks>,
}

impl RackSets {
    fn of(brokers: &[m::metadata_response::MetadataResponseBroker]) -> Self {
        let stands = |it: &m::metadata_response::MetadataResponseBroker| {
            Some((it.node_id, it.rack.as_ref()?.as_str().into()))
        };
        Self { of_brokers: brokers.iter().filter_map(stands).collect(), made: BTreeSet::new() }
    }

    /// The racks of these replicas; `None` where no broker tells its rack.
    fn of_replicas(&mut self, replicas: &[i32]) -> Option<Racks> {
        if self.of_brokers.is_empty() {
            return None;
        }
        let racks = replicas.iter().filter_map(|replica| self.of_brokers.get(replica).cloned());
        let racks: BTreeSet<Arc<str>> = racks.collect();
        if let Some(made) = self.made.get(&racks) {
            return Some(Arc::clone(made));
        }
        let racks = Arc::new(racks);
        self.made.insert(Arc::clone(&racks));
        Some(racks)
    }
}

fn translate_topic(
    topic: &m::metadata_response::MetadataResponseTopic,
    racks: &mut RackSets,
) -> Topic {
    let known = topic.partitions.iter().filter(|partition| 0 <= partition.partition_index);
    let stand = known.clone().filter_map(|partition| {
        Some((partition.partition_index, racks.of_replicas(&partition.replica_nodes)?))
    });
    let racks = stand.collect();
    let partitions = known.map(|partition| {
        let leader = (0 <= partition.leader_id).then_some(BrokerId(partition.leader_id));
        let epoch = LeaderEpoch(partition.leader_epoch);
        (partition.partition_index, Partition { leader, epoch })
    });
    Topic {
        id: topic.topic_id,
        error: topic.error_code,
        partitions: partitions.collect::<BTreeMap<_, _>>(),
        racks,
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
