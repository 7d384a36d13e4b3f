//! `AddPartitionsToTxn` v0-v3, `AddOffsetsToTxn` v0-v4, `TxnOffsetCommit` v0-v4, `EndTxn` v0-v4: a
//! producer's transaction.
//!
//! `TxnOffsetCommit` v2 adds leader epochs, v3 the member that commits.

use forebay_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use forebay_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use forebay_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use forebay_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use forebay_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};

use super::offset_commit::MAX_METADATA;
use crate::batch::Marker;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::group::Committed;
use crate::transactions::Claim;
use crate::versions::Release;

pub(super) fn add_partitions(
    cluster: &mut Cluster,
    call: &Call,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let topics = &request.v3_and_below_topics;
    let named: Vec<(String, i32)> = topics.iter().flat_map(places).collect();
    let missing = |place: &(String, i32)| cluster.topics.partition(&place.0, place.1).is_none();
    let claim = Claim {
        transactional_id: &request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id,
        epoch: request.v3_and_below_producer_epoch,
    };
    // One that is missing keeps the others from being added.
    let codes: Vec<ErrorCode> = if named.iter().any(missing) {
        let code = |place| {
            if missing(place) {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            } else {
                ErrorCode::OPERATION_NOT_ATTEMPTED
            }
        };
        named.iter().map(code).collect()
    } else {
        let added = cluster.add_to_transaction(call, claim, named.clone(), None);
        vec![added.err().unwrap_or(ErrorCode::NONE); named.len()]
    };
    let mut codes = codes.into_iter();
    let topic = |topic: &AddPartitionsToTxnTopic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: in_order(
            cluster.options.release,
            topic.partitions.iter().map(|partition| AddPartitionsToTxnPartitionResult {
                partition_index: *partition,
                partition_error_code: codes.next().unwrap_or_default().0,
            }),
        ),
    };
    let results_by_topic_v3_and_below = request.v3_and_below_topics.iter().map(topic).collect();
    AddPartitionsToTxnResponse {
        throttle_time_ms: call.throttle(),
        results_by_topic_v3_and_below,
        ..Default::default()
    }
}

/// Newer releases tell first what does not exist.
fn in_order(
    release: Release,
    results: impl Iterator<Item = AddPartitionsToTxnPartitionResult>,
) -> Vec<AddPartitionsToTxnPartitionResult> {
    let mut results: Vec<_> = results.collect();
    if release >= Release::V2_8 {
        let attempted = ErrorCode::OPERATION_NOT_ATTEMPTED.0;
        results.sort_by_key(|result| result.partition_error_code == attempted);
    }
    results
}

fn places(topic: &AddPartitionsToTxnTopic) -> impl Iterator<Item = (String, i32)> + '_ {
    topic.partitions.iter().map(|partition| (topic.name.as_str().to_owned(), *partition))
}

pub(super) fn add_offsets(
    cluster: &mut Cluster,
    call: &Call,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let claim = Claim {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    let added = cluster.add_to_transaction(call, claim, [], Some(&request.group_id));
    AddOffsetsToTxnResponse {
        throttle_time_ms: call.throttle(),
        error_code: added.err().unwrap_or(ErrorCode::NONE).0,
    }
}

pub(super) fn end(cluster: &mut Cluster, call: &Call, request: EndTxnRequest) -> EndTxnResponse {
    let claim = Claim {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    let marker = if request.committed { Marker::Commit } else { Marker::Abort };
    let ended = cluster.end_transaction(call, claim, marker);
    EndTxnResponse {
        throttle_time_ms: call.throttle(),
        error_code: ended.err().unwrap_or(ErrorCode::NONE).0,
        ..Default::default()
    }
}

pub(super) fn commit_offsets(
    cluster: &mut Cluster,
    call: &Call,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let refused = refusal(cluster, call, &request);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let code = refused.or_else(|| pend(cluster, call, &request, (topic, asked)).err());
            TxnOffsetCommitResponsePartition {
                partition_index: asked.partition_index,
                error_code: code.unwrap_or(ErrorCode::NONE).0,
            }
        });
        let partitions = partitions.collect();
        let (name, topic_id) = (topic.name.clone(), topic.topic_id);
        topics.push(TxnOffsetCommitResponseTopic { name, topic_id, partitions });
    }
    TxnOffsetCommitResponse { throttle_time_ms: call.throttle(), topics }
}

/// First release that asks the transaction's coordinator before it takes offsets.
const VERIFIES_FROM: Release = Release::V3_9;

fn claim(request: &TxnOffsetCommitRequest) -> Claim<'_> {
    Claim {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    }
}

fn refusal(
    cluster: &mut Cluster,
    call: &Call,
    request: &TxnOffsetCommitRequest,
) -> Option<ErrorCode> {
    if call.forced().is_some() {
        return call.forced();
    }
    if cluster.coordinator_of(&request.group_id) != Some(call.node) {
        return Some(ErrorCode::NOT_COORDINATOR);
    }
    if request.group_id.is_empty() && cluster.options.release > Release::V0_11 {
        return Some(ErrorCode::INVALID_GROUP_ID);
    }
    if cluster.options.release >= VERIFIES_FROM
        && let Err(code) = cluster.coordinator.may_pend(&claim(request), &request.group_id)
    {
        return Some(code);
    }
    // Before v3 nothing is known of the member, and nothing is checked.
    let (member, generation) = (&request.member_id, request.generation_id_or_member_epoch);
    if member.is_empty() && generation < 0 {
        return None;
    }
    let member = (member.as_str(), request.group_instance_id.as_deref());
    let time = (cluster.now, cluster.options.release);
    match cluster.groups.get_mut(request.group_id.as_str()) {
        Some(group) => group.may_commit(time, member, generation).err(),
        None => Some(ErrorCode::ILLEGAL_GENERATION),
    }
}

fn pend(
    cluster: &mut Cluster,
    call: &Call,
    request: &TxnOffsetCommitRequest,
    (topic, asked): (&TxnOffsetCommitRequestTopic, &TxnOffsetCommitRequestPartition),
) -> Result<(), ErrorCode> {
    let place = (topic.name.as_str().to_owned(), asked.partition_index);
    if let Some(code) = cluster.forced(call, &place.0, place.1) {
        return Err(code);
    }
    let looks = cluster.options.release > Release::V0_11;
    if looks && cluster.topics.partition(&place.0, place.1).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    if MAX_METADATA < asked.committed_metadata.as_deref().unwrap_or_default().len() {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    let committed = Committed {
        offset: asked.committed_offset,
        leader_epoch: asked.committed_leader_epoch,
        metadata: asked.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        at: cluster.wall_clock(),
    };
    let group = cluster.groups.entry(request.group_id.as_str().to_owned()).or_default();
    group.pend(request.producer_id, place, committed);
    Ok(())
}
