//! `OffsetForLeaderEpoch` v0-v4: where an epoch ended.
//!
//! v1 answers with the epoch that was found, v2 asks with the current one.

use forebay_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use forebay_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use forebay_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::cluster::Cluster;
use crate::connection::Call;
use crate::topic::TopicRef;

pub(super) fn offset_for_leader_epoch(
    cluster: &mut Cluster,
    call: &Call,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let place = TopicRef::Name(topic.topic.as_str().to_owned());
        let partitions = topic.partitions.iter().map(|asked| answer(cluster, call, &place, asked));
        let partitions = partitions.collect();
        topics.push(OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions });
    }
    OffsetForLeaderEpochResponse { throttle_time_ms: call.throttle(), topics }
}

fn answer(
    cluster: &mut Cluster,
    call: &Call,
    place: &TopicRef,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let partition = asked.partition;
    let mut answer = EpochEndOffset { error_code: 0, partition, leader_epoch: -1, end_offset: -1 };
    match cluster.led_here(call, place, (partition, asked.current_leader_epoch)) {
        Ok(name) => {
            if let Some(found) = cluster.topics.partition(&name, partition) {
                let end = found.log.epochs().end_of(asked.leader_epoch, found.log.end());
                answer.leader_epoch = end.epoch;
                answer.end_offset = end.end;
            }
        }
        Err(refusal) => answer.error_code = refusal.code.0,
    }
    answer
}
