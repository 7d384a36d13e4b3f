//! How a consumer stands: what a [`ConsumerHandle`](crate::ConsumerHandle) tells about it.

use std::time::Duration;

use forebay_protocol::types::{Position, TopicPartition};

/// A consumer at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Each partition, in the order of their gain.
    pub partitions: Vec<PartitionStats>,
    /// Bytes that are fetched and wait for a worker.
    pub buffered_bytes: u64,
    /// The budget, in bytes.
    pub budget_bytes: u64,
    /// Bytes of the budget in use: reserved for fetches, buffered, open, kept by users.
    pub held_bytes: u64,
    /// Those of them that are reserved for fetches and not filled yet. The others are pinned: memory
    /// that holds fetched bytes, somebody's or already nobody's.
    pub reserved_bytes: u64,
    /// Most bytes of the budget that were ever in use at once.
    pub held_bytes_peak: u64,
    /// Bytes read from sockets that fetch.
    pub bytes_read: u64,
    /// Bytes of batches that went to workers, as they came.
    pub bytes_delivered: u64,
    /// Records in those batches, by their headers.
    pub records_delivered: u64,
    /// Fetch requests sent.
    pub fetches: u64,
    /// How long workers had nothing to do since the first delivery.
    pub reservoir_empty: Duration,
    /// How often a partition that should have been in a fetch was in none for twice the longest
    /// wait of one, and the watchdog began anew with it. Anything but 0 is a defect worth a report.
    pub watchdog_heals: u64,
}

/// One partition at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartitionStats {
    /// The partition.
    pub tp: TopicPartition,
    /// All before it is done.
    pub position: Position,
    /// Offsets from there to the end that may be read; `None` before the first answer. Compacted
    /// and control offsets count as if they were records.
    pub lag: Option<u64>,
    /// How long the frontier has not moved although work is open; `None` when nothing is open.
    pub frontier_age: Option<Duration>,
    /// Handlers that run or wait for another try, as of at most 100 ms ago.
    pub in_flight: u64,
    /// How long the oldest of them has been running, as of at most 100 ms ago.
    pub oldest_in_flight: Option<Duration>,
    /// Bytes that wait for its worker.
    pub buffered_bytes: u64,
    /// Bytes that its worker has.
    pub open_bytes: u64,
    /// Why it does not go faster.
    pub held_by: Holds,
}

/// What holds a partition back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Holds {
    /// Nothing: it is asked for in every fetch.
    Nothing,
    /// Its handlers: its share of the reservoir is full.
    Work,
    /// The user.
    Paused,
    /// It has no leader, or its position is being looked for.
    Leader,
    /// A right on its topic that we lack; it is tried again.
    Denied,
    /// It is being given up.
    Draining,
    /// An error; see the log or the summary.
    Stopped,
}
