//! What a shard asks of the world.

use forebay_protocol::types::{BrokerId, TopicPartition};

use crate::fence::Fence;
use crate::fetch::cursor::Cursor;
use crate::orders::Report;
use crate::run::{Flow, Job};
use crate::slot::Slot;
use crate::work::WorkerId;

/// Carried out by the shard's driver, in order.
#[derive(Debug)]
pub enum Output {
    /// To the lane of this broker, which is opened when there is none.
    Lane(BrokerId, LaneOrder),
    /// To a worker.
    Jobs(WorkerId, Vec<Job>),
    /// A slot has a partition now; jobs of it follow.
    Gained {
        /// The slot.
        slot: Slot,
        /// Its partition.
        tp: TopicPartition,
        /// What its jobs carry.
        fence: Fence,
        /// Who gets them.
        worker: WorkerId,
        /// The generation or member epoch under which a group gave it to us.
        token: Option<u32>,
    },
    /// From now on only this fence may start records; what runs under an older one ends uncounted.
    Fenced(Slot, Fence),
    /// No record of the slot may start any more; what runs still counts.
    Draining(Slot),
    /// The slot is free: what still runs is to be cancelled and does not count.
    Gone {
        /// The slot.
        slot: Slot,
        /// Who had it.
        worker: WorkerId,
    },
    /// To the control plane.
    Report(Report),
    /// The watchdog found this partition in no Fetch, and begins anew with its cursor.
    Healed(TopicPartition),
}

/// Shard to lane.
#[derive(Clone, Debug)]
pub enum LaneOrder {
    /// Fetch from here on.
    Lend(Cursor),
    /// Give the slot's cursor back.
    Recall(Slot),
    /// Leave the slot out, or ask for it again.
    Flow(Slot, Flow),
    /// A partition may bring at most so many bytes per response.
    Share(u32),
}
