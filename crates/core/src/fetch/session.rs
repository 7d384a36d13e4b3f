//! The fetch session of a lane: what the broker believes we want (KIP-227).
//!
//! ```text
//!   Full(id 0, epoch 0) --response names an id--> Incremental(id, epoch 1, 2, ...)
//!          ^                                            |
//!          +---- any session error, lost connection ----+
//! ```
//!
//! Inside a session a request names only what changed since the last one: so ten thousand idle
//! partitions cost nothing. The table here mirrors the broker's; a request is the difference
//! between what we want now and what that table says.

use forebay_protocol::types::{LeaderEpoch, Position};

use crate::slot::Slot;

/// What a request says about one partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The next offset.
    pub position: Position,
    /// Epoch of the record before it (from version 12 on).
    pub position_epoch: LeaderEpoch,
    /// The leadership we believe in (from version 9 on).
    pub leader_epoch: LeaderEpoch,
    /// Most bytes of this partition.
    pub max_bytes: u32,
}

/// Whether the next request names everything or what changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Session {
    /// Brokers before 1.1, or one that gave us no id: every request names every partition.
    Sessionless,
    /// The next request opens a session; `closing` is the id of one to close with it.
    Opening {
        /// The session to be closed by the same request; 0 for none.
        closing: i32,
    },
    /// The next request names what changed.
    Open {
        /// The broker's number for it.
        id: i32,
        /// Counts our requests in it, from 1 on.
        epoch: i32,
    },
}

impl Session {
    /// Session id and epoch of the next request.
    #[must_use]
    pub const fn header(self) -> (i32, i32) {
        match self {
            Self::Sessionless => (0, -1),
            Self::Opening { closing } => (closing, 0),
            Self::Open { id, epoch } => (id, epoch),
        }
    }

    /// Whether the next request names only what changed.
    #[must_use]
    pub const fn is_incremental(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// A response without error came, under this session id.
    #[must_use]
    pub const fn answered(self, id: i32) -> Self {
        match self {
            Self::Sessionless => Self::Sessionless,
            _ if id == 0 => Self::Opening { closing: 0 },
            Self::Opening { .. } => Self::Open { id, epoch: 1 },
            Self::Open { epoch, .. } => {
                Self::Open { id, epoch: if epoch == i32::MAX { 1 } else { epoch + 1 } }
            }
        }
    }

    /// The session is of no use any more: an error of its own, or an answer we could not read.
    #[must_use]
    pub const fn broken(self) -> Self {
        match self {
            Self::Sessionless => Self::Sessionless,
            Self::Opening { .. } => Self::Opening { closing: 0 },
            Self::Open { id, .. } => Self::Opening { closing: id },
        }
    }
}

/// The broker's table of our session, and what differs from what we want.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    dirty: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    wanted: Option<Asked>,
    believed: Option<Asked>,
    is_dirty: bool,
}

/// One line of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Name the partition with this.
    Ask(Slot, Asked),
    /// Name it among the forgotten.
    Forget(Slot),
}

impl Table {
    /// What we want of a slot from the next request on; `None` to leave it out.
    pub fn want(&mut self, slot: Slot, wanted: Option<Asked>) {
        if self.rows.len() <= slot.index() {
            self.rows.resize_with(slot.index() + 1, Row::default);
        }
        let Some(row) = self.rows.get_mut(slot.index()) else { return };
        row.wanted = wanted;
        if !row.is_dirty && row.wanted != row.believed {
            row.is_dirty = true;
            self.dirty.push(slot);
        }
    }

    /// What is wanted of a slot now.
    #[must_use]
    pub fn wanted(&self, slot: Slot) -> Option<Asked> {
        self.rows.get(slot.index()).and_then(|row| row.wanted)
    }

    /// A slot stands for another partition now: the broker believes nothing of it. Says whether it
    /// believed something of the former one.
    pub fn disown(&mut self, slot: Slot) -> bool {
        let row = self.rows.get_mut(slot.index());
        row.is_some_and(|row| row.believed.take().is_some())
    }

    /// The lines of an incremental request; the broker will believe them.
    pub fn changes(&mut self) -> Vec<Change> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().filter_map(|slot| self.rows.get_mut(slot.index())?.change(slot)).collect()
    }

    /// The lines of a request that names everything; the broker will believe them. `first` turns
    /// the order, so that with small responses no partition is always last.
    pub fn everything(&mut self, first: usize) -> Vec<Change> {
        self.dirty.clear();
        let rows = self.rows.len().max(1);
        let mut all = Vec::new();
        for (index, row) in self.rows.iter_mut().enumerate() {
            row.is_dirty = false;
            row.believed = row.wanted;
            let slot = Slot(u32::try_from(index).unwrap_or(u32::MAX));
            all.extend(row.wanted.map(|asked| Change::Ask(slot, asked)));
        }
        let turn = first.checked_rem(rows).unwrap_or(0).min(all.len());
        all.rotate_left(turn);
        all
    }

    /// What the broker believes of a slot.
    #[must_use]
    pub fn believed(&self, slot: Slot) -> Option<Asked> {
        self.rows.get(slot.index()).and_then(|row| row.believed)
    }
}

impl Row {
    fn change(&mut self, slot: Slot) -> Option<Change> {
        self.is_dirty = false;
        if self.wanted == self.believed {
            return None;
        }
        let had = self.believed.is_some();
        self.believed = self.wanted;
        match self.wanted {
            Some(asked) => Some(Change::Ask(slot, asked)),
            None if had => Some(Change::Forget(slot)),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests;
