//! Was the log cut behind us? Asked before fetching, where Fetch itself cannot ask (KIP-320).
//!
//! From version 12 on a Fetch carries the epoch of the last record that was fetched, and the leader
//! says where its log diverges. Older brokers are asked by `OffsetForLeaderEpoch`, once for each time
//! that a cursor comes to a leader or a connection is made: in between a log is not cut.

use forebay_protocol::types::{LeaderEpoch, Offset, Position, TopicPartition};

use super::{Lane, fetching};
use crate::fetch::cursor::{Returned, Via};
use crate::orders::ResetCause;
use crate::slot::Slot;

/// First version of Fetch that carries the last epoch.
const IN_FETCH: i16 = 12;

/// Who compares our last epoch with the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Epochs {
    /// The leader, with each Fetch; or nobody, when the broker offers nothing.
    InFetch,
    /// We, before the first Fetch.
    Ask,
}

/// Where did this epoch end in your log?
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EpochAsk {
    /// Whose number comes back with the answer.
    pub slot: Slot,
    /// The partition.
    pub tp: TopicPartition,
    /// The next offset that we would fetch.
    pub position: Position,
    /// Epoch of the record before it.
    pub epoch: LeaderEpoch,
    /// The epoch that the leader is thought to lead under.
    pub leader_epoch: LeaderEpoch,
}

/// What a leader said about one partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EpochEnd {
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// The largest epoch of the log that is not above the one asked for.
    pub epoch: LeaderEpoch,
    /// Where it ended; -1 when the leader does not know.
    pub end: Offset,
}

impl Lane {
    /// Whether the broker can be asked where an epoch ended; before
    /// [`handle_connected`](Self::handle_connected).
    pub const fn set_epochs(&mut self, epochs: Epochs) {
        self.epochs = epochs;
    }

    /// Whether there is something to ask.
    #[must_use]
    pub fn has_unchecked(&self) -> bool {
        !self.unchecked.is_empty()
    }

    /// What to ask now; all of it is to be answered by [`handle_epoch`](Self::handle_epoch).
    #[must_use]
    pub fn epoch_asks(&self) -> Vec<EpochAsk> {
        let ask = |slot: &Slot| {
            let cursor = &self.slots.get(slot.index())?.as_ref()?.cursor;
            Some(EpochAsk {
                slot: *slot,
                tp: cursor.tp.clone(),
                position: cursor.position,
                epoch: cursor.position_epoch,
                leader_epoch: cursor.leader.epoch,
            })
        };
        self.unchecked.iter().filter_map(ask).collect()
    }

    /// The leader answered `ask`, or left it out.
    pub fn handle_epoch(&mut self, ask: &EpochAsk, end: Option<EpochEnd>) {
        let Some(fetching) = fetching(&mut self.slots, ask.slot) else { return };
        // A cursor that came meanwhile is asked about by itself.
        if fetching.cursor.position != ask.position || fetching.cursor.tp != ask.tp {
            return;
        }
        self.unchecked.remove(&ask.slot);
        match end {
            // UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH
            Some(EpochEnd { code: 3 | 6 | 74, .. }) => {
                self.give_back(ask.slot, Returned::LeaderStale(None));
            }
            Some(EpochEnd { code: 0, epoch, end }) if 0 <= end.0 && end < ask.position.offset() => {
                let cause = ResetCause::Truncated { end: Position(end.0), epoch };
                self.give_back(ask.slot, Returned::NeedsReset(cause));
            }
            // A leader that does not know the epoch, or may not tell, says nothing about the log.
            _ => self.want(ask.slot),
        }
    }

    /// A slot came: its leader may have another log than the one before.
    pub(super) fn uncheck(&mut self, slot: Slot) {
        let Some(fetching) = fetching(&mut self.slots, slot) else { return };
        let is_known = 0 <= fetching.cursor.position_epoch.0;
        // Only leaders know; this one was asked before it named a replica.
        let is_replica = fetching.cursor.via == Via::Replica;
        if self.epochs == Epochs::Ask && self.version < IN_FETCH && is_known && !is_replica {
            self.unchecked.insert(slot);
        }
    }

    /// A connection stands: behind it may be another log.
    pub(super) fn uncheck_all(&mut self) {
        self.unchecked.clear();
        for index in 0..self.slots.len() {
            let slot = Slot(u32::try_from(index).unwrap_or(u32::MAX));
            self.uncheck(slot);
            self.want(slot);
        }
    }
}
