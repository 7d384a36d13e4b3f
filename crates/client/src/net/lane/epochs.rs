//! Asks an old leader where epochs ended in its log, before the first Fetch.

use std::collections::BTreeMap;

use bytes::Bytes;
use forebay_core::connection::Fault;
use forebay_core::fetch::lane::{EpochAsk, EpochEnd};
use forebay_core::shard::LaneState;
use forebay_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use forebay_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use forebay_protocol::types::{LeaderEpoch, Offset, TopicName};
use forebay_protocol::wire::Str;
use forebay_protocol::{request, response};
use tokio::io::AsyncWriteExt;

use super::{ANSWER_MAX, LaneDriver, Stop};
use crate::net::connector::Stream;
use crate::net::socket::read_frame;

impl LaneDriver {
    /// One question about all partitions that have to be asked about, and its answer.
    pub(super) async fn ask_epochs(&mut self, stream: &mut Stream) -> Result<(), Stop> {
        self.tell(LaneState::Unable);
        let asks = self.machine.epoch_asks();
        let version = self.epochs.unwrap_or(0);
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        let message = to_message(&asks, version);
        let frame = request::encode(&message, version, self.correlation, Some(&self.client_id))
            .map_err(Fault::from)?;
        let after = self.setup.request_timeout;
        let talk = tokio::time::timeout(after, exchange(stream, &frame));
        let frame = self.hear_during(talk).await?;
        let frame = frame.map_err(|_| Fault::Timeout { api: "OffsetForLeaderEpoch", after })??;
        let answer =
            response::decode::<OffsetForLeaderEpochRequest>(frame, version, self.correlation)
                .map_err(Fault::from)?;
        let ends = ends(&answer);
        for ask in asks {
            let end = ends.get(&(ask.tp.topic.clone(), ask.tp.partition)).copied();
            self.machine.handle_epoch(&ask, end);
        }
        Ok(())
    }
}

async fn exchange(stream: &mut Stream, frame: &Bytes) -> Result<Bytes, Fault> {
    stream.write_all(frame).await.map_err(|_| Fault::Disconnected)?;
    let mut frames = forebay_protocol::frame::Frames::new(ANSWER_MAX);
    let answer = read_frame(stream, &mut frames).await?;
    if 0 < frames.buffered() { Err(Fault::Unasked) } else { Ok(answer) }
}

fn to_message(asks: &[EpochAsk], version: i16) -> OffsetForLeaderEpochRequest {
    let mut topics: BTreeMap<&TopicName, Vec<OffsetForLeaderPartition>> = BTreeMap::new();
    for ask in asks {
        topics.entry(&ask.tp.topic).or_default().push(OffsetForLeaderPartition {
            partition: ask.tp.partition,
            current_leader_epoch: if 2 <= version { ask.leader_epoch.0 } else { -1 },
            leader_epoch: ask.epoch.0,
        });
    }
    let topics = topics.into_iter().map(|(name, partitions)| OffsetForLeaderTopic {
        topic: Str::from(name.as_str()),
        partitions,
    });
    OffsetForLeaderEpochRequest {
        // A consumer, and no replica.
        replica_id: if 3 <= version { -1 } else { -2 },
        topics: topics.collect(),
    }
}

fn ends(answer: &OffsetForLeaderEpochResponse) -> BTreeMap<(TopicName, i32), EpochEnd> {
    let mut ends = BTreeMap::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let end = EpochEnd {
                code: partition.error_code,
                epoch: LeaderEpoch(partition.leader_epoch),
                end: Offset(partition.end_offset),
            };
            ends.insert((TopicName::from(topic.topic.as_str()), partition.partition), end);
        }
    }
    ends
}
