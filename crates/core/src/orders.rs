//! What the control plane orders and what a shard reports: all that the two planes say to each
//! other. Everything here is per partition and event, never per record.

use std::sync::Arc;

use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, Position, TopicPartition, Uuid};
use thiserror::Error;

use crate::fence::Gain;
use crate::time::Instant;

/// Where a partition's records are to be fetched from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leader {
    /// The leading broker.
    pub broker: BrokerId,
    /// Its leadership; [`LeaderEpoch::UNKNOWN`] with brokers that tell none.
    pub epoch: LeaderEpoch,
}

/// A broker's address as it advertises itself.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// Host name or IP literal, resolved on every connect.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
}

/// Control plane to shard.
#[derive(Clone, Debug)]
pub enum Order {
    /// The partition is ours: fetch from `position` on.
    Gain {
        /// The partition.
        tp: TopicPartition,
        /// The half of the fence that control counts.
        gain: Gain,
        /// The topic's id, zero when the cluster tells none.
        topic_id: Uuid,
        /// The next offset to consume.
        position: Position,
        /// Epoch of the record before `position`, as committed; for truncation checks (KIP-320).
        position_epoch: LeaderEpoch,
        /// Where to fetch; `None` while the partition has no leader.
        leader: Option<Leader>,
        /// The generation or member epoch under which a group gave it to us.
        token: Option<u32>,
    },
    /// Leadership moved, or became known, or was lost.
    Leader {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// The leader now.
        leader: Option<Leader>,
    },
    /// Addresses of all brokers known now; replaces what was said before.
    Brokers(Arc<[(BrokerId, Address)]>),
    /// Continue at another place: the user's seek. Queued runs are dropped, running records finish
    /// but no longer count.
    Seek {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// How many seeks of this ownership there are with this one.
        seeks: u32,
        /// The next offset to consume.
        position: Position,
        /// Epoch of the record before `position`.
        position_epoch: LeaderEpoch,
    },
    /// The answer to [`Report::NeedsReset`]: fetching goes on here. Nobody wanted to skip what was
    /// fetched before, so it still runs and counts; behind the place, when the log was cut, it is
    /// dropped.
    Reset {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// The next offset to fetch.
        position: Position,
        /// Epoch of the record before `position`.
        position_epoch: LeaderEpoch,
    },
    /// Stop handing out records of this partition; what is buffered is kept.
    Pause {
        /// The partition.
        tp: TopicPartition,
    },
    /// Hand out records again.
    Resume {
        /// The partition.
        tp: TopicPartition,
    },
    /// Give the partition up in good order: start nothing more, wait for what runs, then say
    /// [`Report::Drained`], at the latest at `deadline`.
    Drain {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// When to give up waiting.
        deadline: Instant,
    },
    /// The partition is no longer ours: drop everything, report nothing.
    Lost {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
    },
    /// The last order: close lanes and end.
    Close,
}

/// Shard to control plane.
#[derive(Clone, Debug)]
pub enum Report {
    /// All records before `position` are done. Sent on the shard's flush tick when it moved.
    Frontier {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// How many of its seeks were obeyed before: who knows of more does not care any longer.
        seeks: u32,
        /// What may be committed.
        position: Position,
        /// Epoch of the last record before `position`.
        position_epoch: LeaderEpoch,
    },
    /// Nothing of the partition runs any more, or its deadline passed.
    Drained {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// What may be committed.
        position: Position,
        /// Epoch of the last record before `position`.
        position_epoch: LeaderEpoch,
        /// Records that were still running when the deadline passed; 0 for a clean drain.
        unfinished: u64,
    },
    /// The position does not exist in the leader's log; fetching waits for [`Order::Reset`].
    NeedsReset {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// Where fetching stood.
        position: Position,
        /// Epoch of the record before `position`.
        position_epoch: LeaderEpoch,
        /// What the leader said.
        cause: ResetCause,
    },
    /// The leader known here is wrong, gone or unreachable: fresh metadata is needed.
    LeaderStale {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// The leader that was tried.
        tried: Option<Leader>,
        /// What the broker said the leader is (KIP-951).
        hint: Option<LeaderHint>,
    },
    /// The leader says that we may not read the partition; fetching waits for [`Order::Leader`],
    /// what was fetched before goes on.
    Denied {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// Where fetching stood.
        position: Position,
    },
    /// The partition stopped and stays stopped: its records are not processed any further.
    Stopped {
        /// The partition.
        tp: TopicPartition,
        /// Which ownership this belongs to.
        gain: Gain,
        /// Why.
        fault: Fault,
    },
    /// The whole consumer is to stop: the handler's policy or the user asked for it.
    Stop,
    /// After [`Order::Close`]: all lanes are closed, nothing more will be reported.
    Closed,
}

/// A broker's word on who leads a partition now (KIP-951).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeaderHint {
    /// The leader.
    pub leader: Leader,
    /// Its address, when the answer carried it.
    pub address: Option<Address>,
}

/// Why a position does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResetCause {
    /// `OFFSET_OUT_OF_RANGE` from the current leader under the current epoch.
    OutOfRange {
        /// First offset of the log, as far as the leader told; -1 when not.
        log_start: Offset,
        /// High watermark, as far as the leader told; -1 when not.
        high_watermark: Offset,
    },
    /// The log was cut behind us (KIP-320): it agrees with what we read up to `end`.
    Truncated {
        /// First offset on which the leader's log differs.
        end: Position,
        /// The epoch that ends there.
        epoch: LeaderEpoch,
    },
}

/// Why a partition stopped.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// A batch that is not what its checksum, header or codec says.
    #[error("corrupt batch at offsets {base} to {last}: {reason}")]
    Corrupt {
        /// First offset of the batch, from its header.
        base: Offset,
        /// Last offset of the batch, from its header.
        last: Offset,
        /// What was wrong.
        reason: Arc<str>,
    },
    /// A record or batch is larger than the limits allow.
    #[error("the batch at offset {position} has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Where it begins.
        position: Position,
        /// Its size in bytes, as its header says.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The handler failed for good on this record and the policy said stop.
    #[error("the handler failed on the record at offset {offset}: {message}")]
    Handler {
        /// The record.
        offset: Offset,
        /// The handler's error or panic message.
        message: Arc<str>,
    },
    /// The broker refused with an error that waiting does not cure.
    #[error("the broker refused with error code {code}")]
    Broker {
        /// Kafka's error code.
        code: i16,
    },
}
