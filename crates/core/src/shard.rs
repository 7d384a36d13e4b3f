//! The router of the data plane: moves runs, cursors and progress between the pillars and decides
//! nothing itself.
//!
//! ```text
//!   lane --runs--> door --> reservoir --(window open)--> tracker block --> worker
//!   worker --progress--> door --> tracker --> frontier --(tick)--> control
//!   control --orders--> cursors --> lanes
//! ```
//!
//! The *door* compares the fence once; behind it everything is current.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::types::BrokerId;

use crate::fence::Start;
use crate::fetch::cursor::{Cursor, Returned};
use crate::mutant::Mutant;
use crate::offsets::finished::Finished;
use crate::offsets::tracker::{Frontier, Tracker};
use crate::orders::{Fault, Report};
use crate::reservoir::{self, Reservoir};
use crate::run::{BatchRun, Done, Ended, Flow, Job, Progress};
use crate::slot::Slot;
use crate::time::Instant;
use crate::work::{self, Work, WorkerId};

pub mod output;
pub mod slots;

mod broken;
mod cursors;
pub mod nearer;
mod orders;
mod watch;

use output::{LaneOrder, Output};
use slots::{Entry, Phase, Place, Slots};
pub use watch::LaneState;
use watch::Watch;

/// The settings of a shard.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The reservoir's limits.
    pub reservoir: reservoir::Config,
    /// Workers and windows.
    pub work: work::Config,
    /// How often moved frontiers are told to the control plane.
    pub flush_every: Duration,
    /// How long a partition may be in no Fetch without a reason: twice the longest wait of one.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reservoir: reservoir::Config::default(),
            work: work::Config::default(),
            flush_every: Duration::from_millis(100),
            patience: Duration::from_secs(1),
        }
    }
}

/// The data plane of a disjoint set of partitions.
#[derive(Debug)]
pub struct Shard {
    config: Config,
    slots: Slots,
    reservoir: Reservoir,
    work: Work,
    /// Jobs of this turn, by worker.
    jobs: Vec<Vec<Job>>,
    outputs: VecDeque<Output>,
    /// Slots whose frontier may have moved since the last tick.
    touched: Vec<Slot>,
    /// Slots that drain, so that a tick need not visit all.
    draining: Vec<Slot>,
    /// When the first of them is late, if it has not ended by then.
    drain_until: Option<Instant>,
    flush_at: Option<Instant>,
    /// The share that lanes know of; 0 before the first.
    share_told: u64,
    /// Lanes that were ever lent a cursor.
    lanes: BTreeSet<BrokerId>,
    /// Jobs that workers have.
    open: usize,
    watch: Watch,
    /// Until when replicas are asked in place of leaders.
    nearer: BTreeSet<(Instant, Slot)>,
}

impl Shard {
    /// A shard without partitions.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            slots: Slots::default(),
            reservoir: Reservoir::new(config.reservoir),
            work: Work::new(config.work),
            jobs: (0..config.work.workers.max(1)).map(|_| Vec::new()).collect(),
            outputs: VecDeque::new(),
            touched: Vec::new(),
            draining: Vec::new(),
            drain_until: None,
            flush_at: None,
            share_told: 0,
            lanes: BTreeSet::new(),
            open: 0,
            watch: Watch::new(config.patience),
            nearer: BTreeSet::new(),
        }
    }

    /// A lane read these runs.
    pub fn handle_arrived(&mut self, now: Instant, from: BrokerId, runs: Vec<BatchRun>) {
        for run in runs {
            self.arrive(now, from, run);
        }
        self.deliver();
    }

    /// A lane gives a cursor back.
    pub fn handle_returned(&mut self, now: Instant, cursor: Cursor, why: Returned) {
        let Some(entry) = self.slots.entry(cursor.slot) else { return };
        if entry.fence.gain != cursor.fence.gain || entry.tp != cursor.tp {
            return;
        }
        if let Place::Recalled { leader, restart, .. } = entry.place {
            return self.go_on(cursor, leader, restart);
        }
        if entry.fence == cursor.fence && !self.goes_elsewhere(&cursor, &why) {
            self.give_back(now, cursor, why);
        }
    }

    /// The connection of a lane is lost; it tries again by itself and keeps its cursors.
    pub fn handle_lane_down(&mut self, broker: BrokerId) {
        self.leave_replica(broker);
        let outputs = &mut self.outputs;
        for (_, entry) in self.slots.iter() {
            if matches!(entry.place, Place::Lent(lane) if lane == broker) {
                outputs.push_back(Output::Report(Report::LeaderStale {
                    tp: entry.tp.clone(),
                    gain: entry.fence.gain,
                    tried: None,
                    hint: None,
                }));
            }
        }
    }

    /// Workers tell how far they are.
    pub fn handle_progress(&mut self, now: Instant, progress: Vec<Progress>) {
        for word in progress {
            self.progress(now, word);
        }
        self.deliver();
    }

    /// The deadline passed: tells moved frontiers and ends drains that took too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.flush();
        }
        let mut draining = std::mem::take(&mut self.draining);
        draining.retain(|slot| !self.end_drain(now, *slot));
        self.draining.append(&mut draining);
        self.drain_until = self.draining.iter().filter_map(|slot| self.drains_until(*slot)).min();
        self.end_nearer(now);
        self.watch(now);
    }

    /// Copies small runs of slots that stand still out of the chunks they pin. Call it now and
    /// then, such as every 50 ms; `copy` makes the copy or says that it is not worth it.
    pub fn copy_out_still(&mut self, now: Instant, copy: impl Fn(&Bytes) -> Option<Bytes>) -> u64 {
        self.reservoir.copy_out_still(now, copy)
    }

    /// What to do next; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let nearer = self.nearer.first().map(|(until, _)| *until);
        let all = [self.flush_at, self.watch.look_at(), self.drain_until, nearer];
        all.into_iter().flatten().min()
    }

    /// Whether nothing is queued and nothing is open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.reservoir.is_empty() && self.open == 0
    }

    /// The slot table, for those who only look.
    #[must_use]
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The reservoir, for those who only look.
    #[must_use]
    pub const fn reservoir(&self) -> &Reservoir {
        &self.reservoir
    }

    fn arrive(&mut self, now: Instant, from: BrokerId, run: BatchRun) {
        let slot = run.slot;
        let Some(entry) = self.slots.fenced(slot, run.fence, Mutant::NoFence) else { return };
        entry.watermarks = run.watermarks;
        if entry.phase != Phase::Running {
            return;
        }
        if let Some(flow) = self.reservoir.push(now, run) {
            self.outputs.push_back(Output::Lane(from, LaneOrder::Flow(slot, flow)));
        }
        self.hand_out(now, slot);
    }

    /// Opens runs of a slot for its worker, as far as its window allows.
    fn hand_out(&mut self, now: Instant, slot: Slot) {
        let Some(entry) = self.slots.entry(slot) else { return };
        if entry.phase != Phase::Running || entry.is_paused {
            return;
        }
        let tracker = &mut entry.tracker;
        // What is open counts, too: with many slots a full window of each would be the budget.
        let most = self.reservoir.share() / 2;
        while self.work.may_open(tracker.open_blocks(), tracker.open_bytes())
            && (tracker.open_blocks() == 0 || tracker.open_bytes() < most)
        {
            let Some((run, flow)) = self.reservoir.take(now, slot) else { break };
            if let (Some(Flow::Release), Place::Lent(lane)) = (flow, &entry.place) {
                let release = LaneOrder::Flow(slot, Flow::Release);
                self.outputs.push_back(Output::Lane(*lane, release));
            }
            let Some(jobs) = self.jobs.get_mut(entry.worker.0) else { continue };
            let mut open = |run: BatchRun| {
                if run.is_empty() {
                    tracker.skip(now, run.next, run.epoch);
                } else {
                    self.open += 1;
                    let block = tracker.open(now, run.next, run.epoch, run.bytes.len() as u64);
                    jobs.push(Job { run, block });
                }
            };
            if entry.finished.is_empty() {
                open(run);
            } else {
                entry.finished.leave_out(run).into_iter().for_each(open);
            }
        }
        Self::touch(&mut self.touched, entry, slot);
        self.flush_at.get_or_insert_with(|| now.after(self.config.flush_every));
    }

    /// One hand-over per worker and turn.
    fn deliver(&mut self) {
        for (index, jobs) in self.jobs.iter_mut().enumerate() {
            if !jobs.is_empty() {
                self.outputs.push_back(Output::Jobs(WorkerId(index), std::mem::take(jobs)));
            }
        }
        self.tell_share();
    }

    fn progress(&mut self, now: Instant, word: Progress) {
        self.left_worker(&word);
        let fenced = self.slots.fenced(word.slot, word.fence, Mutant::AckOfOldEpoch);
        let Some(entry) = fenced else { return };
        // A word about a block that is not open comes from before a restart: it counts no more.
        let counted = match &word.done {
            Done::All => entry.tracker.finish(now, word.block),
            Done::UpTo(position) => entry.tracker.progress(now, word.block, *position),
            Done::Ended { at, .. } => entry.tracker.abandon(now, word.block, *at),
        };
        if counted.is_err() {
            return;
        }
        Self::touch(&mut self.touched, entry, word.slot);
        self.flush_at.get_or_insert_with(|| now.after(self.config.flush_every));
        if let Done::Ended { why, .. } = word.done {
            self.ended(now, word.slot, why);
        }
        self.hand_out(now, word.slot);
        self.settle(now, word.slot);
    }

    /// Also a word of the past says that a worker has one job less, unless the slot was freed: then
    /// its jobs were counted out at once.
    fn left_worker(&mut self, word: &Progress) {
        let entry = self.slots.entry(word.slot);
        let is_ours = entry.is_some_and(|entry| entry.fence.gain == word.fence.gain);
        if is_ours && !matches!(word.done, Done::UpTo(_)) {
            self.open = self.open.saturating_sub(1);
        }
    }

    /// A job ended before its last record.
    fn ended(&mut self, now: Instant, slot: Slot, why: Ended) {
        let Some(entry) = self.slots.entry(slot) else { return };
        match why {
            Ended::Released => {}
            Ended::Fault(fault) => self.stop(slot, fault),
            Ended::BadBatch { base, last, reason } => {
                // What was fetched with it may be broken too, and is on its way out already.
                if entry.phase == Phase::Rewinding {
                    return;
                }
                if self.rest_of(now, slot, base) {
                    self.rewind(now, slot, None);
                } else {
                    self.stop(slot, Fault::Corrupt { base, last, reason });
                }
            }
        }
    }

    /// Stops a partition for good: nothing is fetched or started, the frontier stays.
    fn stop(&mut self, slot: Slot, fault: Fault) {
        let Some(entry) = self.slots.entry(slot) else { return };
        let (tp, gain) = (entry.tp.clone(), entry.fence.gain);
        if !matches!(entry.phase, Phase::Draining { .. }) {
            entry.phase = Phase::Stopped;
        }
        self.recall(slot, None);
        self.reservoir.clear(slot);
        self.outputs.push_back(Output::Draining(slot));
        self.flush();
        self.outputs.push_back(Output::Report(Report::Stopped { tp, gain, fault }));
    }

    /// When nothing of a slot is open any more: the end of its drain or rewind.
    fn settle(&mut self, now: Instant, slot: Slot) {
        let Some(entry) = self.slots.entry(slot) else { return };
        if !entry.tracker.is_idle() {
            return;
        }
        match entry.phase {
            Phase::Running | Phase::Stopped => {}
            Phase::Draining { .. } => {
                self.end_drain(now, slot);
            }
            Phase::Rewinding => {
                let frontier = entry.tracker.frontier();
                let most = entry.rewind_to.take();
                let cut = most.filter(|most| most.position < frontier.position);
                // Of a log that was cut nobody knows what stands behind the cut now.
                let mut finished = std::mem::take(&mut entry.finished);
                match most {
                    Some(_) => finished = Finished::default(),
                    None => finished.add(entry.tracker.finished()),
                }
                self.restart(slot, cut.unwrap_or(frontier));
                if let Some(entry) = self.slots.entry(slot) {
                    entry.finished = finished;
                    // It may have gone back, or on since it was told last: nobody would hear of
                    // either until something more is done.
                    entry.tracker.tell_again();
                    Self::touch(&mut self.touched, entry, slot);
                    self.flush_at.get_or_insert_with(|| now.after(self.config.flush_every));
                }
            }
        }
    }

    fn drains_until(&self, slot: Slot) -> Option<Instant> {
        match self.slots.get(slot)?.phase {
            Phase::Draining { deadline } => Some(deadline),
            Phase::Running | Phase::Rewinding | Phase::Stopped => None,
        }
    }

    /// Ends a drain that is done or late. Says whether it ended.
    fn end_drain(&mut self, now: Instant, slot: Slot) -> bool {
        let Some(entry) = self.slots.entry(slot) else { return true };
        let Phase::Draining { deadline } = entry.phase else { return true };
        if !entry.tracker.is_idle() && now < deadline {
            return false;
        }
        let unfinished = entry.tracker.unfinished();
        let frontier = entry.tracker.frontier();
        let (tp, gain) = (entry.tp.clone(), entry.fence.gain);
        self.free(slot);
        self.outputs.push_back(Output::Report(Report::Drained {
            tp,
            gain,
            position: frontier.position,
            position_epoch: frontier.epoch,
            unfinished,
        }));
        true
    }

    /// Forgets a partition: its cursor, its runs, its work.
    fn free(&mut self, slot: Slot) {
        self.recall(slot, None);
        self.reservoir.lose(slot);
        self.watch.forget(slot);
        self.work.release(slot);
        if let Some(entry) = self.slots.remove(slot) {
            self.open = self.open.saturating_sub(entry.tracker.open_blocks());
            self.outputs.push_back(Output::Gone { slot, worker: entry.worker });
        }
    }

    /// Goes on at another place under a new start.
    fn restart(&mut self, slot: Slot, at: Frontier) {
        let Some(entry) = self.slots.entry(slot) else { return };
        entry.fence.start = Start(entry.fence.start.0.wrapping_add(1));
        entry.tracker = Tracker::new(at);
        entry.rewind_to = None;
        entry.finished = Finished::default();
        if entry.phase == Phase::Rewinding {
            entry.phase = Phase::Running;
        }
        let fence = entry.fence;
        self.reservoir.clear(slot);
        self.outputs.push_back(Output::Fenced(slot, fence));
        self.recall(slot, Some(at));
    }

    fn flush(&mut self) {
        for slot in std::mem::take(&mut self.touched) {
            let Some(entry) = self.slots.entry(slot) else { continue };
            entry.is_touched = false;
            if let Some(frontier) = entry.tracker.take_moved() {
                self.outputs.push_back(Output::Report(Report::Frontier {
                    tp: entry.tp.clone(),
                    gain: entry.fence.gain,
                    seeks: entry.seeks,
                    position: frontier.position,
                    position_epoch: frontier.epoch,
                }));
            }
        }
    }

    fn touch(touched: &mut Vec<Slot>, entry: &mut Entry, slot: Slot) {
        if !entry.is_touched {
            entry.is_touched = true;
            touched.push(slot);
        }
    }
}

#[cfg(test)]
mod tests;
