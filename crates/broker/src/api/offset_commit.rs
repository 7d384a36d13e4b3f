//! `OffsetCommit` v2-v10: positions of a group.
//!
//! v6 adds the leader epoch, v10 topic ids. A client without membership (member "" and generation
//! -1) may commit only while the group has no members: `UNKNOWN_MEMBER_ID` otherwise.

use forebay_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use forebay_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use forebay_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::group::Committed;
use crate::topic::TopicRef;
use crate::versions::Release;

/// First version whose generation may be a member epoch.
const EPOCHS_FROM: i16 = 9;

/// How long a commit's metadata may be, in bytes: Kafka's `offset.metadata.max.bytes`.
pub(super) const MAX_METADATA: usize = 4096;

pub(super) fn offset_commit(
    cluster: &mut Cluster,
    call: &Call,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let refused = refusal(cluster, call, &request);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let is_classic = cluster.is_classic_in_modern(&request.group_id, &request.member_id);
            let stale = refused == Some(ErrorCode::STALE_MEMBER_EPOCH)
                || (is_classic && refused == Some(ErrorCode::ILLEGAL_GENERATION));
            let forgiven = stale && had(cluster, &request, (topic, asked.partition_index));
            let code = match refused.filter(|_| !forgiven) {
                None => commit(cluster, call, &request.group_id, (topic, asked)).err(),
                refused => refused,
            };
            OffsetCommitResponsePartition {
                partition_index: asked.partition_index,
                error_code: code.unwrap_or(ErrorCode::NONE).0,
            }
        });
        topics.push(OffsetCommitResponseTopic {
            partitions: partitions.collect(),
            name: topic.name.clone(),
            topic_id: topic.topic_id,
        });
    }
    OffsetCommitResponse { throttle_time_ms: call.throttle(), topics }
}

/// Whether the member had the partition already in the epoch that it commits in, and has it still
/// (KIP-1251): then it is no matter that its epoch has grown since.
fn had(
    cluster: &Cluster,
    request: &OffsetCommitRequest,
    (topic, index): (&OffsetCommitRequestTopic, i32),
) -> bool {
    let place = TopicRef::of(&topic.name, topic.topic_id);
    let name = cluster.topics.name_of(&place);
    let id = name.and_then(|name| cluster.topic_id(name));
    let group = cluster.groups.get(request.group_id.as_str());
    let (member, epoch) = (&request.member_id, request.generation_id_or_member_epoch);
    let had = group.zip(id).map(|(group, id)| group.modern.had(member, epoch, (id, index)));
    had.unwrap_or(false)
}

/// Why nothing of the request is committed, if so.
fn refusal(cluster: &mut Cluster, call: &Call, request: &OffsetCommitRequest) -> Option<ErrorCode> {
    if call.forced().is_some() {
        return call.forced();
    }
    if cluster.coordinator_of(&request.group_id) != Some(call.node) {
        return Some(ErrorCode::NOT_COORDINATOR);
    }
    let generation = request.generation_id_or_member_epoch;
    let member = (request.member_id.as_str(), request.group_instance_id.as_deref());
    let time = (cluster.now, cluster.options.release);
    match cluster.groups.get_mut(request.group_id.as_str()) {
        Some(group) if group.modern.is_classic(member.0) => {
            group.may_commit(time, member, generation).err()
        }
        Some(group) => match group.may_commit(time, member, generation).err() {
            // Before the ninth version there was no member epoch to tell.
            Some(ErrorCode::STALE_MEMBER_EPOCH) | None
                if group.is_modern() && group.has_members() && call.version < EPOCHS_FROM =>
            {
                Some(ErrorCode::UNSUPPORTED_VERSION)
            }
            code => code,
        },
        None if generation < 0 => None,
        // The newer code came with the versions of the newer group protocol.
        None if call.version >= EPOCHS_FROM => Some(ErrorCode::GROUP_ID_NOT_FOUND),
        None => Some(ErrorCode::ILLEGAL_GENERATION),
    }
}

fn commit(
    cluster: &mut Cluster,
    call: &Call,
    group: &str,
    (topic, asked): (&OffsetCommitRequestTopic, &OffsetCommitRequestPartition),
) -> Result<(), ErrorCode> {
    let place = TopicRef::of(&topic.name, topic.topic_id);
    let name = cluster.topics.name_of(&place).map(str::to_owned);
    let name = name.ok_or_else(|| Cluster::no_partition(&place).code)?;
    if let Some(code) = cluster.forced(call, &name, asked.partition_index) {
        return Err(code);
    }
    // 0.11 only looked for the topic.
    let looks = cluster.options.release > Release::V0_11;
    if looks && cluster.topics.partition(&name, asked.partition_index).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
    if metadata.len() > MAX_METADATA {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    let committed = Committed {
        offset: asked.committed_offset,
        leader_epoch: asked.committed_leader_epoch,
        metadata: metadata.to_owned(),
        at: cluster.wall_clock(),
    };
    let group = cluster.groups.entry(group.to_owned()).or_default();
    group.offsets.insert((name, asked.partition_index), committed);
    Ok(())
}
