//! `DeleteRecords` v0-v2: moves the start of a log. -1 means up to the high watermark.

use forebay_protocol::messages::delete_records_request::DeleteRecordsPartition;
use forebay_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use forebay_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::TopicRef;

pub(super) fn delete_records(
    cluster: &mut Cluster,
    call: &Call,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let place = TopicRef::Name(topic.name.as_str().to_owned());
        let partitions = topic.partitions.iter().map(|asked| {
            let deleted = delete(cluster, call, &place, asked);
            DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: deleted.unwrap_or(-1),
                error_code: deleted.err().unwrap_or(ErrorCode::NONE).0,
            }
        });
        let partitions = partitions.collect();
        topics.push(DeleteRecordsTopicResult { name: topic.name.clone(), partitions });
    }
    DeleteRecordsResponse { throttle_time_ms: call.throttle(), topics }
}

fn delete(
    cluster: &mut Cluster,
    call: &Call,
    place: &TopicRef,
    asked: &DeleteRecordsPartition,
) -> Result<i64, ErrorCode> {
    let index = asked.partition_index;
    let name = cluster.led_here(call, place, (index, -1)).map_err(|refusal| refusal.code)?;
    let start = cluster.topics.change(&name, index, |partition| {
        let end = partition.log.high_watermark();
        let before = if asked.offset == -1 { end } else { asked.offset };
        if !(0..=end).contains(&before) {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        partition.log.delete_before(before);
        Ok(partition.log.start())
    });
    cluster.changed(&name, index);
    start.unwrap_or(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
}
