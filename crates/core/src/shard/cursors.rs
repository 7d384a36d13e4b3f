//! Where is a slot's cursor: on loan to a lane, on its way back, or at rest?

use forebay_protocol::types::Offset;

use super::Shard;
use super::broken::Broken;
use super::output::{LaneOrder, Output};
use super::slots::{Phase, Place, Until};
use crate::fetch::cursor::{Cursor, Returned};
use crate::offsets::tracker::Frontier;
use crate::orders::{Fault, Leader, Report};
use crate::run::Flow;
use crate::slot::Slot;
use crate::time::Instant;

impl Shard {
    /// Asks for a slot's cursor back; a cursor at rest goes on at `restart` at once.
    pub(super) fn recall(&mut self, slot: Slot, restart: Option<Frontier>) {
        let Some(entry) = self.slots.entry(slot) else { return };
        let fence = entry.fence;
        match &mut entry.place {
            Place::Lent(lane) => {
                let from = *lane;
                entry.place = Place::Recalled { from, leader: entry.leader, restart };
                self.outputs.push_back(Output::Lane(from, LaneOrder::Recall(slot)));
            }
            Place::Recalled { restart: pending, .. } => *pending = restart.or(*pending),
            Place::Resting { cursor, until } => {
                if let Some(at) = restart {
                    (cursor.position, cursor.position_epoch) = (at.position, at.epoch);
                    cursor.fence = fence;
                    *until = Until::Leader;
                }
                let leader = entry.leader;
                self.lend(slot, leader);
            }
        }
    }

    /// A recalled cursor is back.
    pub(super) fn go_on(
        &mut self,
        mut cursor: Cursor,
        leader: Option<Leader>,
        restart: Option<Frontier>,
    ) {
        let slot = cursor.slot;
        let Some(entry) = self.slots.entry(slot) else { return };
        cursor.fence = entry.fence;
        if let Some(at) = restart {
            (cursor.position, cursor.position_epoch) = (at.position, at.epoch);
        }
        entry.place = Place::Resting { cursor, until: Until::Leader };
        self.lend(slot, leader);
    }

    /// Lends a resting cursor to its leader's lane, or to that of the replica that the leader named.
    pub(super) fn lend(&mut self, slot: Slot, leader: Option<Leader>) {
        let is_held = self.reservoir.is_held(slot);
        let Some(entry) = self.slots.entry(slot) else { return };
        let Some(leader) = leader.filter(|_| entry.phase == Phase::Running) else { return };
        let Place::Resting { cursor, until: Until::Leader } = &mut entry.place else { return };
        cursor.leader = leader;
        cursor.rests_until = entry.rests_until.take();
        let broker = entry.nearer.choose(leader, &mut cursor.via);
        let cursor = cursor.clone();
        entry.place = Place::Lent(broker);
        if self.lanes.insert(broker) && 0 < self.share_told {
            let share = LaneOrder::Share(ask_of(self.share_told));
            self.outputs.push_back(Output::Lane(broker, share));
        }
        self.outputs.push_back(Output::Lane(broker, LaneOrder::Lend(cursor)));
        if is_held {
            let hold = LaneOrder::Flow(slot, Flow::Hold);
            self.outputs.push_back(Output::Lane(broker, hold));
        }
    }

    /// A lane could not go on.
    pub(super) fn give_back(&mut self, now: Instant, cursor: Cursor, why: Returned) {
        let slot = cursor.slot;
        let Some(entry) = self.slots.entry(slot) else { return };
        let (tp, gain, tried) = (entry.tp.clone(), entry.fence.gain, Some(cursor.leader));
        let (position, position_epoch) = (cursor.position, cursor.position_epoch);
        entry.watermarks = cursor.watermarks;
        let until = match why {
            Returned::NeedsReset(_) => Until::Seek,
            Returned::Denied => Until::Right,
            Returned::Recalled
            | Returned::Nearer { .. }
            | Returned::LeaderStale(_)
            | Returned::Fault(_) => Until::Leader,
        };
        entry.place = Place::Resting { cursor, until };
        let report = match why {
            Returned::Recalled | Returned::Nearer { .. } => return,
            Returned::LeaderStale(hint) => {
                entry.leader = None;
                Report::LeaderStale { tp, gain, tried, hint }
            }
            Returned::NeedsReset(cause) => {
                Report::NeedsReset { tp, gain, position, position_epoch, cause }
            }
            Returned::Denied => Report::Denied { tp, gain, position },
            Returned::Fault(fault) => return self.cannot_go_on(now, slot, fault),
        };
        self.outputs.push_back(Output::Report(report));
    }

    /// What cannot be read may be whole the next time.
    fn cannot_go_on(&mut self, now: Instant, slot: Slot, fault: Fault) {
        let Fault::Corrupt { base, .. } = fault else { return self.stop_after_work(slot, fault) };
        match self.rest_of(now, slot, base) {
            true => self.recall(slot, None),
            false => self.stop_after_work(slot, fault),
        }
    }

    /// Whether a batch that could not be read is to be asked for again: after a rest, then.
    pub(super) fn rest_of(&mut self, now: Instant, slot: Slot, base: Offset) -> bool {
        let Some(entry) = self.slots.entry(slot) else { return false };
        let frontier = entry.tracker.frontier().position.offset();
        let rest = Broken::again(&mut entry.broken, (base, frontier));
        entry.rests_until = rest.map(|rest| now.after(rest));
        rest.is_some()
    }

    /// Fetching cannot go on; what was fetched before is still handed out.
    fn stop_after_work(&mut self, slot: Slot, fault: Fault) {
        let Some(entry) = self.slots.entry(slot) else { return };
        let (tp, gain) = (entry.tp.clone(), entry.fence.gain);
        if let Place::Resting { until, .. } = &mut entry.place {
            *until = Until::UserSeek;
        }
        self.outputs.push_back(Output::Report(Report::Stopped { tp, gain, fault }));
    }

    /// Tells lanes when the share of a slot changed by a factor, so that they ask for less.
    pub(super) fn tell_share(&mut self) {
        let share = self.reservoir.share();
        if share / 2 < self.share_told && self.share_told / 2 < share {
            return;
        }
        self.share_told = share;
        for lane in &self.lanes {
            self.outputs.push_back(Output::Lane(*lane, LaneOrder::Share(ask_of(share))));
        }
    }
}

/// What of its share a slot may bring with one response: two fit, one in work and one on its way.
fn ask_of(share: u64) -> u32 {
    u32::try_from(share / 2).unwrap_or(u32::MAX)
}
