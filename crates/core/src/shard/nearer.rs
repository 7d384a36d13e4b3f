//! Is a partition fetched from its leader, or from a replica that the leader named as nearer
//! (KIP-392)?
//!
//! ```text
//!            the leader names a replica
//!   Nobody ------------------------------> At(replica, until)
//!      ^                                      |          |
//!      +---- its time is over, new leader ----+          | it refuses, its lane is down
//!      +------------- lent to the leader ----- Failed <--+
//! ```
//!
//! That a replica lacks a position, or the partition, says nothing: it may lag behind, or not know
//! yet that it is one. The leader is asked, and what that says counts. What a replica forbids, and
//! bytes that cannot be read, count as they do from a leader.

use forebay_protocol::types::BrokerId;

use super::Shard;
use super::slots::{Place, Until};
use crate::fetch::cursor::{Cursor, Returned, Via};
use crate::orders::Leader;
use crate::slot::Slot;
use crate::time::Instant;

/// Whom the leader wants to be asked in its place.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Nearer {
    /// Nobody.
    #[default]
    Nobody,
    /// This replica.
    At {
        /// Its broker.
        broker: BrokerId,
        /// When the leader is to be asked again.
        until: Instant,
    },
    /// A replica that was of no use.
    Failed,
}

impl Nearer {
    /// Whose lane the cursor goes to, and what that broker is to it.
    pub(super) fn choose(&mut self, leader: Leader, via: &mut Via) -> BrokerId {
        match *self {
            Self::At { broker, .. } => {
                *via = Via::Replica;
                broker
            }
            Self::Failed => {
                (*self, *via) = (Self::Nobody, Via::LeaderAgain);
                leader.broker
            }
            Self::Nobody => {
                if *via == Via::Replica {
                    *via = Via::Leader;
                }
                leader.broker
            }
        }
    }

    /// Whether it is this broker that is asked in place of the leader.
    pub(super) fn is_at(self, lane: BrokerId) -> bool {
        matches!(self, Self::At { broker, .. } if broker == lane)
    }
}

impl Shard {
    /// A cursor came back for a reason that only has to do with replicas: it goes on elsewhere. Says
    /// whether that is so.
    pub(super) fn goes_elsewhere(&mut self, cursor: &Cursor, why: &Returned) -> bool {
        let slot = cursor.slot;
        let Some(entry) = self.slots.entry(slot) else { return false };
        match why {
            Returned::Nearer { broker, until } => {
                entry.nearer = Nearer::At { broker: *broker, until: *until };
                self.nearer.insert((*until, slot));
            }
            Returned::LeaderStale(_) | Returned::NeedsReset(_) if cursor.via == Via::Replica => {
                entry.nearer = Nearer::Failed;
            }
            Returned::LeaderStale(_)
            | Returned::NeedsReset(_)
            | Returned::Recalled
            | Returned::Denied
            | Returned::Fault(_) => return false,
        }
        let leader = entry.leader;
        entry.place = Place::Resting { cursor: cursor.clone(), until: Until::Leader };
        self.lend(slot, leader);
        true
    }

    /// The lane is down: what it fetched in place of leaders goes back to them.
    pub(super) fn leave_replica(&mut self, lane: BrokerId) {
        let at = |(slot, entry): (Slot, &super::slots::Entry)| {
            (entry.nearer.is_at(lane) && entry.lane() == Some(lane)).then_some(slot)
        };
        let slots: Vec<Slot> = self.slots.iter().filter_map(at).collect();
        slots.into_iter().for_each(|slot| self.go_back(slot, Nearer::Failed));
    }

    /// Leaders are asked again, as they want to be now and then.
    pub(super) fn end_nearer(&mut self, now: Instant) {
        while let Some((until, slot)) = self.nearer.first().copied().filter(|(at, _)| *at <= now) {
            self.nearer.pop_first();
            let nearer = self.slots.get(slot).map(|entry| entry.nearer);
            if matches!(nearer, Some(Nearer::At { until: at, .. }) if at == until) {
                self.go_back(slot, Nearer::Nobody);
            }
        }
    }

    fn go_back(&mut self, slot: Slot, nearer: Nearer) {
        let Some(entry) = self.slots.entry(slot) else { return };
        entry.nearer = nearer;
        if matches!(entry.place, Place::Lent(_)) {
            self.recall(slot, None);
        }
    }
}
