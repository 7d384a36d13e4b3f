//! Table. Which handler answers which API; each has a file of its own, named after it.

mod alter_configs;
mod api_versions;
mod configs;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_log_dirs;
mod elect_leaders;
pub(crate) mod fetch;
mod find_coordinator;
mod groups;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod reassignments;
mod sync_group;
mod transactions;

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use forebay_protocol::api::{ApiKey, Request};
use forebay_protocol::wire::{EncodeError, Message, Reader, Writer};

use crate::answer::Answer;
use crate::cluster::{self, Cluster};
use crate::connection::{BadRequest, Call, Then};
use crate::fault::Effect;
use crate::lies;

/// What a handler says.
pub(crate) enum Reply {
    /// This is the body of the answer.
    Body(Vec<Bytes>),
    /// There is no answer to this request.
    Silent,
    /// The answer comes when others have done their part; it may be there already.
    Park,
    /// There is not enough data yet.
    Wait {
        /// What is waited for.
        ask: fetch::Ask,
        /// Until when, at the latest.
        until: Duration,
    },
}

/// Whether a request's version is one that is offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    Offered,
    /// Only `ApiVersions`: answer in version 0 with what is offered.
    Fallback,
}

/// The API with this key.
pub(crate) fn key(code: i16) -> Option<ApiKey> {
    ApiKey::from_code(code)
}

/// Finds the handler and lets it answer.
#[allow(clippy::wildcard_enum_match_arm, reason = "what is not in the table is not offered")]
pub(crate) fn answer(
    cluster: &mut Cluster,
    call: &Call,
    reader: &mut Reader,
    version: Version,
) -> Result<Reply, BadRequest> {
    if version == Version::Fallback {
        return api_versions::fallback(cluster);
    }
    match call.api {
        ApiKey::Produce => produce::produce(cluster, call, &decode(call, reader)?),
        ApiKey::Fetch => fetch::fetch(cluster, call, &decode(call, reader)?),
        ApiKey::ListOffsets => with(cluster, call, reader, list_offsets::list_offsets),
        ApiKey::Metadata => with(cluster, call, reader, metadata::metadata),
        ApiKey::OffsetCommit => with(cluster, call, reader, offset_commit::offset_commit),
        ApiKey::OffsetDelete => with(cluster, call, reader, offset_delete::offset_delete),
        ApiKey::OffsetFetch => with(cluster, call, reader, offset_fetch::offset_fetch),
        ApiKey::FindCoordinator => {
            find_coordinator::find_coordinator(cluster, call, &decode(call, reader)?)
        }
        ApiKey::JoinGroup => join_group::join_group(cluster, call, reader),
        ApiKey::SyncGroup => sync_group::sync_group(cluster, call, reader),
        ApiKey::Heartbeat => with(cluster, call, reader, heartbeat::heartbeat),
        ApiKey::LeaveGroup => with(cluster, call, reader, leave_group::leave_group),
        ApiKey::DescribeGroups => with(cluster, call, reader, groups::describe),
        ApiKey::ListGroups => with(cluster, call, reader, groups::list),
        ApiKey::DeleteGroups => with(cluster, call, reader, groups::delete),
        ApiKey::ConsumerGroupDescribe => {
            with(cluster, call, reader, consumer_group_describe::consumer_group_describe)
        }
        ApiKey::ConsumerGroupHeartbeat => {
            with(cluster, call, reader, consumer_group_heartbeat::consumer_group_heartbeat)
        }
        ApiKey::ApiVersions => with(cluster, call, reader, api_versions::api_versions),
        ApiKey::CreateTopics => with(cluster, call, reader, create_topics::create_topics),
        ApiKey::DeleteTopics => with(cluster, call, reader, delete_topics::delete_topics),
        ApiKey::DeleteRecords => with(cluster, call, reader, delete_records::delete_records),
        ApiKey::InitProducerId => with(cluster, call, reader, init_producer_id::init_producer_id),
        ApiKey::OffsetForLeaderEpoch => {
            with(cluster, call, reader, offset_for_leader_epoch::offset_for_leader_epoch)
        }
        ApiKey::AddPartitionsToTxn => with(cluster, call, reader, transactions::add_partitions),
        ApiKey::AddOffsetsToTxn => with(cluster, call, reader, transactions::add_offsets),
        ApiKey::EndTxn => with(cluster, call, reader, transactions::end),
        ApiKey::TxnOffsetCommit => with(cluster, call, reader, transactions::commit_offsets),
        ApiKey::DescribeConfigs => with(cluster, call, reader, configs::describe),
        ApiKey::IncrementalAlterConfigs => with(cluster, call, reader, configs::alter),
        ApiKey::CreatePartitions => {
            with(cluster, call, reader, create_partitions::create_partitions)
        }
        ApiKey::AlterConfigs => with(cluster, call, reader, alter_configs::alter_configs),
        ApiKey::DescribeLogDirs => {
            with(cluster, call, reader, describe_log_dirs::describe_log_dirs)
        }
        ApiKey::ElectLeaders => with(cluster, call, reader, elect_leaders::elect_leaders),
        ApiKey::AlterPartitionReassignments => with(cluster, call, reader, reassignments::alter),
        ApiKey::ListPartitionReassignments => with(cluster, call, reader, reassignments::list),
        ApiKey::DescribeCluster => with(cluster, call, reader, describe_cluster::describe_cluster),
        // The table of versions lets nothing else through.
        other => Err(BadRequest::NotOffered(other.code())),
    }
}

fn decode<R: Request>(call: &Call, reader: &mut Reader) -> Result<R, BadRequest> {
    Ok(R::decode(reader, call.version)?)
}

/// Most APIs: a message in, a message out, at once.
fn with<R: Request>(
    cluster: &mut Cluster,
    call: &Call,
    reader: &mut Reader,
    handler: fn(&mut Cluster, &Call, R) -> R::Response,
) -> Result<Reply, BadRequest> {
    let request = decode(call, reader)?;
    let response = handler(cluster, call, request);
    Ok(Reply::Body(vec![encoded(&response, call.version)?]))
}

/// A message as bytes, in one piece.
pub(crate) fn encoded<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::with_capacity(message.encoded_len(version)?);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// The frames for a body, after what the script does to them, and what follows.
pub(crate) fn framed(call: &Call, mut body: Vec<Bytes>) -> (Vec<Answer>, Then) {
    for effect in &call.mischief.to_answer {
        if let Effect::Body(other) = effect {
            body = vec![other.clone()];
        }
        if let Effect::Lies(seed) = effect {
            body = vec![lies::told(call, &body, *seed)];
        }
    }
    let mut header = BytesMut::with_capacity(5);
    let wrong = call.mischief.to_answer.contains(&Effect::WrongCorrelationId);
    header.put_i32(call.correlation.wrapping_add(if wrong { 1_000 } else { 0 }));
    // Clients read this answer before they know what the broker speaks, so it has the old header.
    if call.api != ApiKey::ApiVersions && call.version >= call.api.api().flexible_from {
        header.put_u8(0);
    }
    cluster::spoil(&call.mischief.to_answer, Answer::frame(&header, body))
}
