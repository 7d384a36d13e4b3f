//! Is every partition that may be fetched on its way to a broker? The watchdog of the data plane.
//!
//! A partition that is ours, neither held nor paused nor stopped, is in a Fetch that is in flight.
//! Where it is not for twice the longest wait of a Fetch, some word between the machines was lost,
//! whatever the reason: that is counted, told, and healed by beginning anew with its cursor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_protocol::types::BrokerId;

use super::Shard;
use super::nearer::Nearer;
use super::output::{LaneOrder, Output};
use super::slots::{Entry, Phase, Place, Until};
use crate::orders::Report;
use crate::slot::Slot;
use crate::time::Instant;

/// What a lane is at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum LaneState {
    /// A Fetch is on its way, without these of its slots.
    Asking(BTreeSet<Slot>),
    /// It has nothing to ask for, as far as it knows.
    Idle,
    /// It cannot ask now, for a reason of its own: no connection, no room in the budget, or the
    /// broker wants to be left alone.
    #[default]
    Unable,
}

/// The watchdog's own.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Duration,
    lanes: BTreeMap<BrokerId, LaneState>,
    look_at: Option<Instant>,
    /// Since when partitions are in no Fetch, and how long to wait before the next try to heal.
    missed: BTreeMap<Slot, (Instant, Duration)>,
    heals: u64,
}

impl Watch {
    pub(super) const fn new(patience: Duration) -> Self {
        Self { patience, lanes: BTreeMap::new(), look_at: None, missed: BTreeMap::new(), heals: 0 }
    }

    pub(super) const fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.look_at.get_or_insert_with(|| now.after(self.patience / 2));
    }

    /// Whether a slot is on its way, or there is a good reason that it is not.
    fn is_well(&self, slot: Slot, entry: &Entry) -> bool {
        match &entry.place {
            Place::Lent(lane) => match self.lanes.get(lane) {
                Some(LaneState::Asking(left_out)) => !left_out.contains(&slot),
                Some(LaneState::Idle) => false,
                Some(LaneState::Unable) | None => true,
            },
            Place::Resting { until: Until::UserSeek | Until::Right, .. } => true,
            Place::Resting { .. } | Place::Recalled { .. } => false,
        }
    }

    /// The slot is free.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.missed.remove(&slot);
    }

    /// Notes what was seen of a slot; says whether it is to be healed now.
    fn note(&mut self, now: Instant, slot: Slot, is_well: Wellness) -> bool {
        if is_well == Wellness::Well {
            self.missed.remove(&slot);
            return false;
        }
        let (since, wait) = self.missed.entry(slot).or_insert((now, self.patience));
        let is_due = *wait <= now.since(*since);
        if is_due {
            // A cluster without a leader for it is no fault of ours: ask ever more rarely.
            (*since, *wait) = (now, wait.saturating_mul(2).min(self.patience * 32));
        }
        is_due
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wellness {
    Well,
    Missed,
}

impl Shard {
    /// What a lane is at has changed.
    pub fn handle_lane_state(&mut self, lane: BrokerId, state: LaneState) {
        self.watch.lanes.insert(lane, state);
    }

    /// How often the watchdog had to begin anew with a partition.
    #[must_use]
    pub const fn heals(&self) -> u64 {
        self.watch.heals
    }

    /// Looks at all partitions when it is time.
    pub(super) fn watch(&mut self, now: Instant) {
        if self.watch.look_at.is_none_or(|at| now < at) {
            return;
        }
        let is_empty = self.slots.is_empty();
        self.watch.look_at = (!is_empty).then(|| now.after(self.watch.patience / 2));
        let mut overdue = Vec::new();
        for (slot, entry) in self.slots.iter() {
            let may_be_fetched =
                entry.phase == Phase::Running && !entry.is_paused && !self.reservoir.is_held(slot);
            let is_well = !may_be_fetched || self.watch.is_well(slot, entry);
            let wellness = if is_well { Wellness::Well } else { Wellness::Missed };
            if self.watch.note(now, slot, wellness) {
                overdue.push(slot);
            }
        }
        overdue.into_iter().for_each(|slot| self.heal(slot));
    }

    /// Says again what may have been lost.
    fn heal(&mut self, slot: Slot) {
        let Some(entry) = self.slots.entry(slot) else { return };
        let (tp, gain) = (entry.tp.clone(), entry.fence.gain);
        // Without a leader nobody can be asked: that is the cluster's state, and no fault between us.
        if entry.leader.is_some() {
            self.watch.heals += 1;
            self.outputs.push_back(Output::Healed(tp.clone()));
        }
        match &mut entry.place {
            Place::Lent(_) => {
                entry.nearer = Nearer::Nobody;
                self.recall(slot, None);
            }
            Place::Recalled { from, .. } => {
                let again = Output::Lane(*from, LaneOrder::Recall(slot));
                self.outputs.push_back(again);
            }
            Place::Resting { cursor, until } => {
                let tried = Some(cursor.leader);
                let leader = entry.leader;
                if *until == Until::Seek && leader.is_some() {
                    // The leader will say once more what is wrong with the position.
                    *until = Until::Leader;
                }
                if leader.is_some() {
                    self.lend(slot, leader);
                } else {
                    let stale = Report::LeaderStale { tp, gain, tried, hint: None };
                    self.outputs.push_back(Output::Report(stale));
                }
            }
        }
    }
}
