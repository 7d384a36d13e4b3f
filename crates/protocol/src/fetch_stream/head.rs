//! What stands around the records: heads and tails of response, topic and partition, per version.
//!
//! Each is read whole or not at all.

use super::reader::{Head, Stop};
use crate::types::{BrokerId, LeaderEpoch, Offset, Position, TopicName, Uuid};

/// The front of a Fetch response.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ResponseHead {
    /// Milliseconds for which the broker wants no request (KIP-219).
    pub throttle_ms: i32,
    /// Kafka's error code of the whole response; 0 is none. From version 7.
    pub error_code: i16,
    /// The fetch session (KIP-227); 0 is none. From version 7.
    pub session_id: i32,
}

/// How a response names a topic.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the protocol has these two")]
pub enum Topic {
    /// By name, up to version 12.
    Name(TopicName),
    /// By id, from version 13 (KIP-516).
    Id(Uuid),
}

impl Default for Topic {
    fn default() -> Self {
        Self::Id(Uuid::ZERO)
    }
}

/// What stands in front of the records of a partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PartitionHead {
    /// The topic.
    pub topic: Topic,
    /// The partition's number.
    pub partition: i32,
    /// Kafka's error code; 0 is none.
    pub error_code: i16,
    /// The position that all in-sync replicas have reached; -1 when unknown.
    pub high_watermark: Position,
    /// The position up to which all transactions are decided; -1 when unknown.
    pub last_stable_offset: Position,
    /// The first offset of the log; -1 when unknown. From version 5.
    pub log_start_offset: Offset,
    /// Which producers' batches do not count, from which offset on. Not sorted. Only for
    /// `read_committed`.
    pub aborted_transactions: Vec<AbortedTransaction>,
    /// The replica to fetch from in place of this one; -1 is none. From version 11 (KIP-392).
    pub preferred_read_replica: BrokerId,
    /// Bytes of records that follow.
    pub records_len: usize,
}

/// An aborted transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AbortedTransaction {
    /// Whose transaction.
    pub producer_id: i64,
    /// Its first offset in this partition.
    pub first_offset: Offset,
}

/// What stands behind the records of a partition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PartitionTail {
    /// Our position is not in the leader's log any more. From version 12 (KIP-595).
    pub diverging_epoch: Option<DivergingEpoch>,
    /// Who leads the partition now. From version 12 (KIP-951).
    pub current_leader: Option<LeaderHint>,
    /// A snapshot to fetch in place of records; consumers are not sent one. From version 12.
    pub snapshot_id: Option<SnapshotId>,
    /// The batch that was cut off at the end of the records.
    pub partial: Option<PartialBatch>,
}

/// Where the log that was asked for ends in the leader's history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DivergingEpoch {
    /// The largest epoch that both know.
    pub epoch: LeaderEpoch,
    /// Where that epoch ends.
    pub end_offset: Position,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaderHint {
    /// The leader; -1 when unknown.
    pub leader: BrokerId,
    /// Its epoch; -1 when unknown.
    pub epoch: LeaderEpoch,
}

/// A snapshot of a replicated log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotId {
    /// Where the snapshot ends.
    pub end_offset: Position,
    /// The epoch of its last record.
    pub epoch: LeaderEpoch,
}

/// A batch of which the broker sent only the front. As the only one of a partition it means that
/// the batch is larger than the fetch limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PartialBatch {
    /// Its first offset, if that much was sent.
    pub base_offset: Option<Offset>,
    /// Its size in bytes, if that much was sent.
    pub size: Option<usize>,
}

impl PartialBatch {
    pub(super) const UNKNOWN: Self = Self { base_offset: None, size: None };
}

/// The end of a Fetch response.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResponseEnd {
    /// Addresses of the leaders that the partitions' tails name. From version 16 (KIP-951).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// The address of a broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeEndpoint {
    /// The broker.
    pub broker: BrokerId,
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: i32,
    /// Its rack.
    pub rack: Option<String>,
}

impl Head<'_> {
    /// The front of the response and the number of topics.
    pub(super) fn response(&mut self) -> Result<(ResponseHead, u32), Stop> {
        let mut head =
            ResponseHead { throttle_ms: self.i32("throttle time")?, ..Default::default() };
        if self.version >= 7 {
            head.error_code = self.i16("error code")?;
            head.session_id = self.i32("session id")?;
        }
        Ok((head, self.count("topics")?))
    }

    /// A topic and the number of its partitions.
    pub(super) fn topic(&mut self) -> Result<(Topic, u32), Stop> {
        let topic = if self.version >= 13 {
            Topic::Id(Uuid(self.array("topic id")?))
        } else {
            Topic::Name(self.text("topic name")?.into())
        };
        Ok((topic, self.count("partitions")?))
    }

    /// What stands in front of a partition's records.
    pub(super) fn partition(&mut self, topic: Topic) -> Result<PartitionHead, Stop> {
        let head = PartitionHead {
            topic,
            partition: self.i32("partition")?,
            error_code: self.i16("partition error code")?,
            high_watermark: Position(self.i64("high watermark")?),
            last_stable_offset: Position(self.i64("last stable offset")?),
            log_start_offset: Offset(if self.version >= 5 {
                self.i64("log start offset")?
            } else {
                -1
            }),
            aborted_transactions: self.aborted_transactions()?,
            preferred_read_replica: BrokerId(if self.version >= 11 {
                self.i32("preferred read replica")?
            } else {
                -1
            }),
            records_len: self.nullable_length("records", 4)?.unwrap_or_default(),
        };
        self.fits("records", head.records_len)?;
        Ok(head)
    }

    fn aborted_transactions(&mut self) -> Result<Vec<AbortedTransaction>, Stop> {
        const FIELD: &str = "aborted transactions";
        let count = self.nullable_length(FIELD, 4)?.unwrap_or_default();
        let least = if self.is_flexible() { 17 } else { 16 };
        // All of the list must be in the buffer before room is made for it.
        self.peek(FIELD, count.saturating_mul(least))?;
        let mut aborted = Vec::with_capacity(count);
        for _ in 0..count {
            let producer_id = self.i64(FIELD)?;
            let first_offset = Offset(self.i64(FIELD)?);
            self.skip_tags()?;
            aborted.push(AbortedTransaction { producer_id, first_offset });
        }
        Ok(aborted)
    }

    /// What stands behind a partition's records.
    pub(super) fn partition_tail(&mut self) -> Result<PartitionTail, Stop> {
        let mut tail = PartitionTail::default();
        self.tags(|tag, field| {
            match tag {
                0 => tail.diverging_epoch = Some(field.diverging_epoch()?),
                1 => tail.current_leader = Some(field.leader_hint()?),
                2 => tail.snapshot_id = Some(field.snapshot_id()?),
                _ => field.skip_rest(),
            }
            Ok(())
        })?;
        Ok(tail)
    }

    fn diverging_epoch(&mut self) -> Result<DivergingEpoch, Stop> {
        let epoch = LeaderEpoch(self.i32("diverging epoch")?);
        let end_offset = Position(self.i64("diverging epoch")?);
        self.skip_tags()?;
        Ok(DivergingEpoch { epoch, end_offset })
    }

    fn leader_hint(&mut self) -> Result<LeaderHint, Stop> {
        let leader = BrokerId(self.i32("current leader")?);
        let epoch = LeaderEpoch(self.i32("current leader")?);
        self.skip_tags()?;
        Ok(LeaderHint { leader, epoch })
    }

    fn snapshot_id(&mut self) -> Result<SnapshotId, Stop> {
        let end_offset = Position(self.i64("snapshot id")?);
        let epoch = LeaderEpoch(self.i32("snapshot id")?);
        self.skip_tags()?;
        Ok(SnapshotId { end_offset, epoch })
    }

    /// The end of the response.
    pub(super) fn response_tail(&mut self) -> Result<ResponseEnd, Stop> {
        let mut end = ResponseEnd::default();
        let version = self.version;
        self.tags(|tag, field| {
            match tag {
                0 if version >= 16 => end.node_endpoints = field.node_endpoints()?,
                _ => field.skip_rest(),
            }
            Ok(())
        })?;
        Ok(end)
    }

    fn node_endpoints(&mut self) -> Result<Vec<NodeEndpoint>, Stop> {
        let count = self.count("node endpoints")?;
        let mut endpoints = Vec::new();
        for _ in 0..count {
            let broker = BrokerId(self.i32("node id")?);
            let host = self.text("host")?.to_owned();
            let port = self.i32("port")?;
            let rack = self.nullable_text("rack")?.map(str::to_owned);
            self.skip_tags()?;
            endpoints.push(NodeEndpoint { broker, host, port, rack });
        }
        Ok(endpoints)
    }

    /// Tagged fields that nobody asks for; nothing before version 12.
    pub(super) fn skip_tags(&mut self) -> Result<(), Stop> {
        self.tags(|_, field| {
            field.skip_rest();
            Ok(())
        })
    }
}
