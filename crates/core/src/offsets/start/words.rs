//! What is asked and told about where partitions start.

use std::time::Duration;

use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, Position, TopicPartition};

use crate::orders::ResetCause;

/// `auto.offset.reset`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Policy {
    /// An error.
    None,
    /// The first record there is.
    Earliest,
    /// The end.
    Latest,
    /// The first record not older than this.
    Since(Duration),
}

/// Which offset a leader is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// The first there is.
    Earliest,
    /// The end.
    Latest,
    /// The first record not older than this.
    Since(Duration),
}

/// What a leader is asked about one partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// The partition.
    pub tp: TopicPartition,
    /// The epoch it is thought to lead under.
    pub epoch: LeaderEpoch,
    /// Which offset.
    pub want: Want,
}

/// What the coordinator or a leader said about one partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// The partition.
    pub tp: TopicPartition,
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// The offset; -1 for "none".
    pub offset: Offset,
    /// Epoch of the record before it; unknown from older brokers.
    pub epoch: LeaderEpoch,
}

/// Why a partition cannot start or go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Nothing is committed, and the policy is none.
    NoOffset,
    /// The position does not exist, and the policy is none.
    Gone {
        /// Where fetching stood.
        position: Position,
        /// What the leader said.
        cause: ResetCause,
    },
    /// The broker refused for good: Kafka's error code.
    Refused {
        /// Kafka's error code.
        code: i16,
    },
}

/// What the machine asks of the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Ask the coordinator what is committed for these.
    FetchCommitted(Vec<TopicPartition>),
    /// The coordinator is no longer where it was thought to be.
    WrongCoordinator,
    /// Ask this leader for offsets.
    List {
        /// Whom.
        leader: BrokerId,
        /// About what.
        asks: Vec<Ask>,
    },
    /// The leader is not where it was thought to be.
    StaleMetadata,
    /// Here the partition starts, or goes on.
    Found {
        /// The partition.
        tp: TopicPartition,
        /// The next offset to consume.
        position: Position,
        /// Epoch of the record before it.
        epoch: LeaderEpoch,
        /// Whether the coordinator said it, or what it came from.
        source: Source,
    },
    /// The partition cannot start or go on.
    Failed {
        /// The partition.
        tp: TopicPartition,
        /// Why.
        why: Failure,
    },
}

/// Where a position came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The coordinator: it is committed.
    Committed,
    /// The reset policy: nothing was committed.
    Policy,
    /// The reset policy, or the log's start: this position was gone.
    Reset {
        /// The position that was gone.
        from: Position,
    },
    /// The log has the position after all.
    Validated,
    /// Ourselves: it stood there when it was parked.
    Kept,
}
