//! `ListOffsets` v1-v11: offsets by time.
//!
//! v4 adds leader epochs, v7 the largest time (-3), v8 the earliest local (-4), v9 the latest tiered
//! (-5), v11 the earliest not yet uploaded (-6). Nothing is tiered here.

use forebay_protocol::messages::list_offsets_request::ListOffsetsPartition;
use forebay_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use forebay_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::log::Log;
use crate::topic::TopicRef;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIME: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING: i64 = -6;

pub(super) fn list_offsets(
    cluster: &mut Cluster,
    call: &Call,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let committed = request.isolation_level == 1;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let place = TopicRef::Name(topic.name.as_str().to_owned());
        let one = |asked| answer(cluster, call, (&place, asked), committed.into());
        let partitions = topic.partitions.iter().map(one).collect();
        topics.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions });
    }
    ListOffsetsResponse { throttle_time_ms: call.throttle(), topics }
}

/// Up to where records count.
#[derive(Clone, Copy)]
enum Bound {
    HighWatermark,
    LastStable,
}

impl From<bool> for Bound {
    fn from(committed: bool) -> Self {
        if committed { Self::LastStable } else { Self::HighWatermark }
    }
}

fn answer(
    cluster: &mut Cluster,
    call: &Call,
    (place, asked): (&TopicRef, &ListOffsetsPartition),
    bound: Bound,
) -> ListOffsetsPartitionResponse {
    let mut answer = ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
        error_code: 0,
    };
    let place_and_epoch = (asked.partition_index, asked.current_leader_epoch);
    let name = match cluster.led_here(call, place, place_and_epoch) {
        Ok(name) => name,
        Err(refusal) => {
            answer.error_code = refusal.code.0;
            return answer;
        }
    };
    let Some(partition) = cluster.topics.partition(&name, asked.partition_index) else {
        answer.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
        return answer;
    };
    if let Some((offset, time, epoch)) = found(&partition.log, asked.timestamp, bound) {
        answer.offset = offset;
        answer.timestamp = time;
        if call.version >= 4 {
            answer.leader_epoch = if asked.timestamp == LATEST { partition.epoch } else { epoch };
        }
    }
    answer
}

/// Offset, time and epoch of what is asked for.
fn found(log: &Log, time: i64, bound: Bound) -> Option<(i64, i64, i32)> {
    let end = match bound {
        Bound::HighWatermark => log.high_watermark(),
        Bound::LastStable => log.last_stable_offset(),
    };
    match time {
        LATEST => Some((end, -1, -1)),
        EARLIEST | EARLIEST_LOCAL => Some((log.start(), -1, log.epochs().at(log.start()))),
        LARGEST_TIME => log.latest_time(end),
        LATEST_TIERED | EARLIEST_PENDING => None,
        time => log.first_at(time, end),
    }
}
