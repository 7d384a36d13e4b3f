//! What the router is told, and what it asks of the world.

use std::time::Duration;

use forebay_protocol::types::{BrokerId, Offset, TopicPartition};

use super::{BatchId, Identity, Stamp};
use crate::time::Instant;

/// A request on its way, by number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// A sealed batch that was handed in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewBatch {
    /// Its number; numbers must count up.
    pub id: BatchId,
    /// Where it is to be stored.
    pub tp: TopicPartition,
    /// How many records it holds.
    pub records: u32,
    /// How many bytes it has.
    pub bytes: usize,
    /// When its first record was handed to `send`.
    pub since: Instant,
}

/// What a broker said about one batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Whose.
    pub tp: TopicPartition,
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// Offset of the batch's first record; -1 when not told.
    pub base_offset: Offset,
}

/// What became of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The broker answered.
    Told(Vec<Told>),
    /// It may have happened: the connection failed, or time ran out.
    Lost,
    /// It never left: the connection ended first.
    NotSent,
    /// The broker cannot take such a request; it was not sent.
    NotOffered,
}

/// Why a batch failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// A broker refused it: Kafka's error code. It was not written.
    Refused {
        /// Kafka's error code.
        code: i16,
    },
    /// Time ran out before it could be sent. It was not written.
    Late {
        /// What a broker said last, 0 when none did.
        last: i16,
    },
    /// Nobody knows whether it was written.
    Unknown {
        /// What a broker said last, 0 when none did.
        last: i16,
    },
    /// The broker cannot take such a batch.
    NotOffered,
    /// The producer ended first. It was not written.
    Closed,
}

/// What the machine asks of the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Connect to this broker; say how it went with [`handle_up`](super::Producer::handle_up) or
    /// [`handle_down`](super::Producer::handle_down).
    Connect {
        /// To whom.
        broker: BrokerId,
    },
    /// Send these batches, stamped, in one request.
    Send {
        /// Under this number.
        request: RequestId,
        /// To whom.
        broker: BrokerId,
        /// What.
        batches: Stamped,
        /// How long until the first of them is late.
        patience: Duration,
    },
    /// Get a producer id; with one that was used up, its next epoch (KIP-360).
    InitProducerId {
        /// The identity that a partition's sequence broke under.
        current: Option<Identity>,
    },
    /// The leader is not where it was thought to be.
    StaleMetadata,
    /// The broker takes no batch as large: make two of it, before anything else is sent.
    Split {
        /// Which batch; afterwards its first part.
        batch: BatchId,
        /// How many records stay in the first part.
        records: u32,
        /// The number of the second part.
        rest: BatchId,
    },
    /// The batch is through: the offset of its first record, when the broker told it.
    Done {
        /// Which batch.
        batch: BatchId,
        /// How it ended.
        result: Result<Option<Offset>, Failure>,
    },
}

/// What one request carries, in order.
pub type Stamped = Vec<(TopicPartition, BatchId, Option<Stamp>)>;

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Down {
    /// We closed it, because nobody needed it.
    Idle,
    /// It failed, or was never made.
    Failed,
}
