//! `ElectLeaders` v0-v2: the first of the replicas leads again, if it is up.

use forebay_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use forebay_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

/// First version with a code for the whole answer.
const WHOLE_CODE_FROM: i16 = 1;
/// The kind of election that takes any replica.
const UNCLEAN: i8 = 1;

pub(super) fn elect_leaders(
    cluster: &mut Cluster,
    call: &Call,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    if let Some(code) = call.forced().filter(|_| WHOLE_CODE_FROM <= call.version) {
        let throttle_time_ms = call.throttle();
        return ElectLeadersResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
    }
    let everything = || {
        let all = cluster.topics.iter().map(|(name, topic)| {
            (name.to_owned(), (0..).take(topic.partitions.len()).collect::<Vec<i32>>())
        });
        all.collect()
    };
    let topics: Vec<(String, Vec<i32>)> = match request.topic_partitions {
        None => everything(),
        Some(topics) => topics
            .into_iter()
            .map(|topic| (topic.topic.as_str().to_owned(), topic.partitions))
            .collect(),
    };
    let mut results = Vec::with_capacity(topics.len());
    for (topic, partitions) in topics {
        let partition_result = partitions.into_iter().map(|partition_id| {
            let elected = elect(cluster, call, (&topic, partition_id), request.election_type);
            let (error_code, error_message) = Refusal::outcome(elected);
            PartitionResult { partition_id, error_code, error_message }
        });
        let partition_result = partition_result.collect();
        results.push(ReplicaElectionResult { topic: topic.as_str().into(), partition_result });
    }
    ElectLeadersResponse {
        throttle_time_ms: call.throttle(),
        error_code: 0,
        replica_election_results: results,
    }
}

fn elect(
    cluster: &mut Cluster,
    call: &Call,
    (topic, index): (&str, i32),
    kind: i8,
) -> Result<(), Refusal> {
    if let Some(code) = cluster.forced(call, topic, index) {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    cluster.controls(call)?;
    let up = cluster.up();
    let found = cluster.topics.partition(topic, index).ok_or_else(|| {
        let why = format!("there is no partition {index} of {topic:?}");
        Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, why)
    })?;
    let preferred = found.replicas.first().copied();
    let is_led = found.leader.is_some_and(|leader| kind == UNCLEAN || Some(leader) == preferred);
    if is_led {
        let why = "the leader is the right one".to_owned();
        return Err(Refusal::new(ErrorCode::ELECTION_NOT_NEEDED, why));
    }
    let Some(leader) = preferred.filter(|preferred| up.contains(preferred)) else {
        let why = "the first of the replicas is not up".to_owned();
        return Err(Refusal::new(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, why));
    };
    cluster.topics.change(topic, index, |partition| partition.elect(Some(leader)));
    cluster.changed(topic, index);
    Ok(())
}
