//! Writes a Fetch answer around the slices of the logs, so that records are not copied together.

use bytes::Bytes;
use forebay_protocol::messages::FetchResponse;
use forebay_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use forebay_protocol::types::{BrokerId, Uuid};
use forebay_protocol::wire::{EncodeError, Lengths, Message, Str, Wire, Writer};

use super::read::Part;
use crate::api::encoded;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::TopicRef;

/// Slices up to this size are copied: a system call costs more per slice.
const COPIED: usize = 2048;

/// An answer that is one error code.
pub(super) fn failed(call: &Call, code: ErrorCode) -> Result<Vec<Bytes>, EncodeError> {
    let throttle_time_ms = call.throttle();
    let response = FetchResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
    Ok(vec![encoded(&response, call.version)?])
}

/// An answer with these partitions.
pub(super) fn fetched(
    cluster: &Cluster,
    call: &Call,
    session_id: i32,
    parts: &[Part],
) -> Result<Vec<Bytes>, EncodeError> {
    let mut out = Out::new(call.version, parts.len());
    out.writer.i32(call.throttle());
    if call.version >= 7 {
        out.writer.i16(ErrorCode::NONE.0);
        out.writer.i32(session_id);
    }
    // As Kafka does, neighbours of the same topic share its entry; a topic may come again.
    let topics: Vec<_> = parts.chunk_by(|a, b| a.topic == b.topic).collect();
    out.count(topics.len());
    for topic in topics {
        out.topic(topic)?;
    }
    out.leaders(cluster, parts)?;
    Ok(out.done())
}

struct Out {
    done: Vec<Bytes>,
    writer: Writer,
    version: i16,
}

impl Out {
    fn new(version: i16, parts: usize) -> Self {
        let capacity = 64 + parts.saturating_mul(96);
        Self { done: Vec::new(), writer: Self::begun(version, capacity), version }
    }

    fn begun(version: i16, capacity: usize) -> Writer {
        let mut writer = Writer::with_capacity(capacity);
        let lengths = Lengths::of(version, FetchResponse::FLEXIBLE_FROM);
        writer.begin(FetchResponse::NAME, version, lengths);
        writer
    }

    const fn is_flexible(&self) -> bool {
        self.version >= FetchResponse::FLEXIBLE_FROM
    }

    /// How many elements follow, or how many bytes.
    fn count(&mut self, count: usize) {
        if self.is_flexible() {
            self.writer.uvarint(u32::try_from(count.saturating_add(1)).unwrap_or(u32::MAX));
        } else {
            self.writer.i32(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    fn topic(&mut self, parts: &[Part]) -> Result<(), EncodeError> {
        match parts.first().map(|part| &part.topic) {
            Some(TopicRef::Name(name)) if self.version < 13 => {
                self.writer.put("topic", &Str::from(name.as_str()), self.version)?;
            }
            Some(TopicRef::Id(id)) => self.writer.put("topic_id", id, self.version)?,
            // A request by id with a zero id: it is answered with what it asked for.
            Some(TopicRef::Name(_)) | None => {
                self.writer.put("topic_id", &Uuid::ZERO, self.version)?;
            }
        }
        self.count(parts.len());
        parts.iter().try_for_each(|part| self.part(part))?;
        self.writer.tags(&[]);
        Ok(())
    }

    /// A partition's head as generated, then its records as slices.
    fn part(&mut self, part: &Part) -> Result<(), EncodeError> {
        let data = data(part, self.version);
        if part.slices.len == 0 {
            return data.write(&mut self.writer, self.version);
        }
        let mut head = Self::begun(self.version, 96);
        data.write(&mut head, self.version)?;
        // The generated form ends with the length of no records and, when flexible, no tags: both
        // come again below.
        let head = head.into_bytes();
        let tail = if self.is_flexible() { 2 } else { 4 };
        self.writer.raw(head.get(..head.len().saturating_sub(tail)).unwrap_or_default());
        self.count(part.slices.len);
        part.slices.parts.iter().for_each(|slice| self.records(slice));
        self.writer.tags(&[]);
        Ok(())
    }

    fn records(&mut self, slice: &Bytes) {
        if slice.len() <= COPIED {
            return self.writer.raw(slice);
        }
        let next = Self::begun(self.version, 256);
        let before = std::mem::replace(&mut self.writer, next);
        self.done.push(before.into_bytes());
        self.done.push(slice.clone());
    }

    /// Where the leaders are that the partitions name, then the end.
    fn leaders(&mut self, cluster: &Cluster, parts: &[Part]) -> Result<(), EncodeError> {
        let leaders = parts.iter().filter_map(|part| part.leader.and_then(|(leader, _)| leader));
        let nodes = endpoints(cluster, leaders.collect());
        let tells = self.version >= 16 && !nodes.is_empty();
        self.writer.tags(&[tells]);
        if tells {
            self.writer.tagged((0, "node_endpoints"), &nodes, self.version)?;
        }
        Ok(())
    }

    fn done(mut self) -> Vec<Bytes> {
        self.done.push(self.writer.into_bytes());
        self.done
    }
}

fn endpoints(cluster: &Cluster, leaders: Vec<BrokerId>) -> Vec<NodeEndpoint> {
    let endpoint = |(id, host, port): (BrokerId, &str, u16)| NodeEndpoint {
        node_id: id.0,
        host: host.into(),
        port: i32::from(port),
        rack: cluster.rack(id).map(Into::into),
    };
    cluster.addresses(leaders).map(endpoint).collect()
}

fn data(part: &Part, version: i16) -> PartitionData {
    let transactions = |aborted: &Vec<(i64, i64)>| {
        let one = |&(producer_id, first_offset): &(i64, i64)| AbortedTransaction {
            producer_id,
            first_offset,
        };
        aborted.iter().map(one).collect()
    };
    let mut data = PartitionData {
        partition_index: part.partition,
        error_code: part.error.0,
        high_watermark: part.high_watermark,
        last_stable_offset: part.last_stable_offset,
        log_start_offset: part.log_start,
        aborted_transactions: part.aborted.as_ref().map(transactions),
        records: Some(Bytes::new()),
        ..Default::default()
    };
    if let (Some(end), true) = (part.diverging, version >= 12) {
        data.diverging_epoch = EpochEndOffset { epoch: end.epoch, end_offset: end.end };
    }
    if let (Some(replica), true) = (part.nearer, version >= 11) {
        data.preferred_read_replica = replica.0;
    }
    if let (Some((leader, leader_epoch)), true) = (part.leader, version >= 16) {
        let leader_id = leader.map_or(-1, |leader| leader.0);
        data.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
    }
    data
}
