//! Where fetching of a slot goes on.

use forebay_protocol::types::{BrokerId, LeaderEpoch, Position, TopicPartition, Uuid};

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
    /// What the lane's broker is to the partition.
    pub via: Via,
    /// What the leader told last.
    pub watermarks: Watermarks,
    /// Not to be asked for before.
    pub rests_until: Option<Instant>,
}

/// What the broker that is asked is to a partition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Via {
    /// Its leader.
    #[default]
    Leader,
    /// A replica that the leader named as nearer to us (KIP-392).
    Replica,
    /// Its leader, once more: the replica that it had named was of no use.
    LeaderAgain,
}

/// Why a lane gives a cursor back.
#[derive(Clone, Debug)]
pub enum Returned {
    /// The shard asked for it.
    Recalled,
    /// The leader named a replica that is nearer: it is to be asked until then.
    Nearer {
        /// The replica's broker.
        broker: BrokerId,
        /// When the leader is to be asked again.
        until: Instant,
    },
    /// The broker does not lead the partition, or does not know it.
    LeaderStale(Option<LeaderHint>),
    /// The position does not exist in the leader's log.
    NeedsReset(ResetCause),
    /// We may not read it.
    Denied,
    /// Fetching it cannot go on.
    Fault(Fault),
}
