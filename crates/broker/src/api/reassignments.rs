//! `AlterPartitionReassignments` v0-v1 and `ListPartitionReassignments` v0: other nodes hold a
//! partition. Here all nodes share one memory, so that a move is over as soon as it is asked for.

use forebay_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use forebay_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use forebay_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use forebay_protocol::types::BrokerId;

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

pub(super) fn alter(
    cluster: &mut Cluster,
    call: &Call,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    if let Some(code) = call.forced() {
        return AlterPartitionReassignmentsResponse {
            throttle_time_ms: call.throttle(),
            error_code: code.0,
            ..Default::default()
        };
    }
    let mut responses = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let (error_code, error_message) =
                Refusal::outcome(reassign(cluster, call, &topic.name, asked));
            let partition_index = asked.partition_index;
            ReassignablePartitionResponse { partition_index, error_code, error_message }
        });
        let partitions = partitions.collect();
        responses.push(ReassignableTopicResponse { name: topic.name.clone(), partitions });
    }
    AlterPartitionReassignmentsResponse {
        throttle_time_ms: call.throttle(),
        allow_replication_factor_change: request.allow_replication_factor_change,
        responses,
        ..Default::default()
    }
}

fn reassign(
    cluster: &mut Cluster,
    call: &Call,
    topic: &str,
    asked: &ReassignablePartition,
) -> Result<(), Refusal> {
    let index = asked.partition_index;
    if let Some(code) = cluster.forced(call, topic, index) {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    cluster.controls(call)?;
    if cluster.topics.partition(topic, index).is_none() {
        let why = format!("there is no partition {index} of {topic:?}");
        return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, why));
    }
    let Some(replicas) = &asked.replicas else {
        let why = "nothing moves".to_owned();
        return Err(Refusal::new(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, why));
    };
    let replicas: Vec<_> = replicas.iter().copied().map(BrokerId).collect();
    let up = cluster.up();
    if replicas.is_empty() || !replicas.iter().all(|node| up.contains(node)) {
        let why = format!("the replicas must be nodes that are up: {up:?}");
        return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
    }
    cluster.topics.change(topic, index, |partition| {
        if partition.leader.is_none_or(|leader| !replicas.contains(&leader)) {
            partition.elect(replicas.first().copied());
        }
        partition.replicas = replicas;
    });
    cluster.changed(topic, index);
    Ok(())
}

pub(super) fn list(
    _: &mut Cluster,
    call: &Call,
    _: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse {
        throttle_time_ms: call.throttle(),
        error_code: call.forced().unwrap_or(ErrorCode::NONE).0,
        ..Default::default()
    }
}
