//! `OffsetDelete` v0: forgets what a group has committed, of topics that no member reads.

use forebay_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use forebay_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use forebay_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

pub(super) fn offset_delete(
    cluster: &mut Cluster,
    call: &Call,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let throttle_time_ms = call.throttle();
    let group = request.group_id.as_str();
    let known = cluster.groups.get(group);
    let refused = cluster.no_group(call, group).or_else(|| match known {
        None => Some(ErrorCode::GROUP_ID_NOT_FOUND),
        // What members of another kind read cannot be known.
        Some(group) => group.reads_unknown().then_some(ErrorCode::NON_EMPTY_GROUP),
    });
    if let Some(code) = refused {
        return OffsetDeleteResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
    }
    let topics = request.topics.iter().map(|topic| deleted(cluster, group, topic)).collect();
    OffsetDeleteResponse { throttle_time_ms, error_code: 0, topics }
}

fn deleted(
    cluster: &mut Cluster,
    group: &str,
    topic: &OffsetDeleteRequestTopic,
) -> OffsetDeleteResponseTopic {
    let name = topic.name.as_str();
    let partitions = topic.partitions.iter().map(|asked| {
        let index = asked.partition_index;
        let code = delete(cluster, group, (name, index)).err().unwrap_or(ErrorCode::NONE);
        OffsetDeleteResponsePartition { partition_index: index, error_code: code.0 }
    });
    OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name.clone() }
}

fn delete(
    cluster: &mut Cluster,
    group: &str,
    (topic, index): (&str, i32),
) -> Result<(), ErrorCode> {
    if cluster.topics.partition(topic, index).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let Some(group) = cluster.groups.get_mut(group) else { return Ok(()) };
    if group.reads(topic) {
        return Err(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
    }
    group.offsets.remove(&(topic.to_owned(), index));
    Ok(())
}
