//! The slot table: partition to number, and what the shard knows of each.

use std::collections::BTreeMap;

use forebay_protocol::types::{BrokerId, TopicPartition};

use super::broken::Broken;
use super::nearer::Nearer;
use super::orders::Gained;
use crate::fence::{Fence, Gain};
use crate::fetch::cursor::Cursor;
use crate::mutant::Mutant;
use crate::offsets::finished::Finished;
use crate::offsets::tracker::{Frontier, Tracker};
use crate::orders::Leader;
use crate::run::Watermarks;
use crate::slot::Slot;
use crate::time::Instant;
use crate::work::WorkerId;

/// One partition in this shard.
#[derive(Debug)]
pub struct Entry {
    /// The partition.
    pub tp: TopicPartition,
    /// What counts now.
    pub fence: Fence,
    /// Who leads it, as control told last.
    pub leader: Option<Leader>,
    /// Whom the leader wants to be asked in its place.
    pub nearer: Nearer,
    /// Where its cursor is.
    pub place: Place,
    /// What may happen to it.
    pub phase: Phase,
    /// What is open, and the frontier.
    pub tracker: Tracker,
    /// Whether the user paused it.
    pub is_paused: bool,
    /// Whether it stands in the list of moved frontiers.
    pub is_touched: bool,
    /// Who works on it.
    pub worker: WorkerId,
    /// What its leader told last.
    pub watermarks: Watermarks,
    /// Where it goes on at the latest when it has rewound: the log was cut there.
    pub rewind_to: Option<Frontier>,
    /// What behind the frontier is done already.
    pub finished: Finished,
    /// Seeks of the user that were obeyed.
    pub(super) seeks: u32,
    /// The batch that could not be read last.
    pub(super) broken: Option<Broken>,
    /// A lane that gets the cursor next leaves it alone until then.
    pub(super) rests_until: Option<Instant>,
}

/// Where a cursor is.
///
/// ```text
///              leader known                leader moved, seek, drain
///   Resting --------------> Lent(broker) --------------------------> Recalled(broker)
///      ^                        |                                          |
///      +------- returned -------+----------------- returned ---------------+
/// ```
#[derive(Debug)]
pub enum Place {
    /// Here; fetching waits for a leader or for a seek.
    Resting {
        /// Where to go on.
        cursor: Cursor,
        /// Why it rests.
        until: Until,
    },
    /// A lane has it.
    Lent(BrokerId),
    /// A lane has it and was asked to give it back.
    Recalled {
        /// Who has it.
        from: BrokerId,
        /// Whom to lend it to next; `None` when not known.
        leader: Option<Leader>,
        /// Where to go on instead of where the lane is; the fence is the entry's.
        restart: Option<Frontier>,
    },
}

/// What a resting cursor waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// A leader.
    Leader,
    /// The control plane's word where to go on.
    Seek,
    /// The control plane's word to try again: we may not read it now.
    Right,
    /// A seek by the user: there is no way on.
    UserSeek,
}

/// What may happen to a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Fetched and handed out.
    Running,
    /// Nothing starts; when what runs has ended it is reported and freed.
    Draining {
        /// When waiting ends.
        deadline: Instant,
    },
    /// Nothing starts; when what runs has ended it goes on at the frontier.
    Rewinding,
    /// Stopped for good, until lost or drained.
    Stopped,
}

/// All partitions of a shard.
#[derive(Debug, Default)]
pub struct Slots {
    entries: Vec<Option<Entry>>,
    numbers: BTreeMap<TopicPartition, Slot>,
    free: Vec<Slot>,
}

impl Slots {
    /// Reserves the number that the next entry gets.
    pub fn next_slot(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            Slot(u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Puts an entry under a reserved number.
    pub fn insert(&mut self, slot: Slot, entry: Entry) {
        self.numbers.insert(entry.tp.clone(), slot);
        if let Some(place) = self.entries.get_mut(slot.index()) {
            *place = Some(entry);
        }
    }

    /// Frees a number.
    pub fn remove(&mut self, slot: Slot) -> Option<Entry> {
        let entry = self.entries.get_mut(slot.index())?.take()?;
        self.numbers.remove(&entry.tp);
        self.free.push(slot);
        Some(entry)
    }

    /// A partition's number.
    #[must_use]
    pub fn slot(&self, tp: &TopicPartition) -> Option<Slot> {
        self.numbers.get(tp).copied()
    }

    /// A partition's number and entry, if it is ours under this gain.
    pub fn current(&mut self, tp: &TopicPartition, gain: Gain) -> Option<(Slot, &mut Entry)> {
        let slot = self.slot(tp)?;
        let entry = self.entry(slot)?;
        (entry.fence.gain == gain).then_some((slot, entry))
    }

    /// The entry under a number.
    pub fn entry(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot.index())?.as_mut()
    }

    /// The entry under a number, to look at.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot.index())?.as_ref()
    }

    /// The entry under a number, if this fence counts, `unless` somebody forgot to compare.
    pub fn fenced(&mut self, slot: Slot, fence: Fence, unless: Mutant) -> Option<&mut Entry> {
        self.entry(slot).filter(|entry| entry.fence == fence || unless.lives())
    }

    /// All entries in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((Slot(u32::try_from(index).ok()?), entry.as_ref()?)))
    }

    /// How many partitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}

impl Entry {
    /// The lane that has the cursor.
    #[must_use]
    pub const fn lane(&self) -> Option<BrokerId> {
        match self.place {
            Place::Lent(lane) | Place::Recalled { from: lane, .. } => Some(lane),
            Place::Resting { .. } => None,
        }
    }

    pub(super) fn fresh(order: Gained, fence: Fence, worker: WorkerId, cursor: Cursor) -> Self {
        let start = Frontier { position: cursor.position, epoch: cursor.position_epoch };
        Self {
            tp: order.tp,
            fence,
            place: Place::Resting { cursor, until: Until::Leader },
            phase: Phase::Running,
            tracker: Tracker::new(start),
            leader: order.leader,
            nearer: Nearer::Nobody,
            is_paused: false,
            is_touched: false,
            worker,
            watermarks: Watermarks::default(),
            rewind_to: None,
            finished: Finished::default(),
            seeks: 0,
            broken: None,
            rests_until: None,
        }
    }
}
