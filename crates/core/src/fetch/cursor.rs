//! Where fetching of a slot goes on.

use forebay_protocol::types::{LeaderEpoch, Position, TopicPartition, Uuid};

use crate::fence::Fence;
use crate::orders::{Fault, Leader, LeaderHint, ResetCause};
use crate::run::Watermarks;
use crate::slot::Slot;
use crate::time::Instant;

/// A value on loan: whoever has it fetches, nobody else does.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// The partition, as its shard numbers it.
    pub slot: Slot,
    /// The partition's name.
    pub tp: TopicPartition,
    /// The topic's id, zero when the cluster tells none.
    pub topic_id: Uuid,
    /// Which gain and start this belongs to.
    pub fence: Fence,
    /// The next offset to ask for.
    pub position: Position,
    /// Epoch of the record before `position`.
    pub position_epoch: LeaderEpoch,
    /// Whom to ask, and under which leadership.
    pub leader: Leader,
    /// What the leader told last.
    pub watermarks: Watermarks,
    /// Not to be asked for before.
    pub rests_until: Option<Instant>,
}

/// Why a lane gives a cursor back.
#[derive(Clone, Debug)]
pub enum Returned {
    /// The shard asked for it.
    Recalled,
    /// The broker does not lead the partition, or does not know it.
    LeaderStale(Option<LeaderHint>),
    /// The position does not exist in the leader's log.
    NeedsReset(ResetCause),
    /// We may not read it.
    Denied,
    /// Fetching it cannot go on.
    Fault(Fault),
}
