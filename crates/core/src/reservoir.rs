//! How much do we hold, and who must wait?
//!
//! Fetched runs that no worker has yet wait here, in order, slot by slot. A slot that holds more
//! than its share is *held*: its lane leaves it out of the next Fetch and what is buffered stays.
//! It is released when it has fallen to half its share, so that take-outs stay rare: with fetch
//! sessions each one is a forgotten partition (KAFKA-17182).
//!
//! ```text
//!   0 ......... low (half) ......... high ......... what was on its way when it was held
//!       released at or below              held above
//! ```
//!
//! A share is half the budget divided by the slots that hold anything, so that slow slots together
//! never keep more than half of it and the fast ones always find room. In the beginning nobody holds
//! anything yet, and a slow slot that came first would keep what all will need: until half the
//! budget has arrived all slots count.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::mutant::Mutant;
use crate::run::{BatchRun, Flow};
use crate::slot::Slot;
use crate::time::Instant;

/// The limits of a reservoir.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The byte budget that the slots share, in bytes.
    pub budget: u64,
    /// Most that one slot may hold before it is held, in bytes.
    pub share_max: u64,
    /// Least that one slot may hold before it is held, in bytes.
    pub share_min: u64,
    /// How long a held slot may stand still before its small runs are copied out of the chunks
    /// that they pin for others.
    pub still_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            budget: 128 << 20,
            share_max: 4 << 20,
            share_min: 64 << 10,
            still_after: Duration::from_secs(2),
        }
    }
}

/// The runs of all slots that no worker has yet.
#[derive(Debug)]
pub struct Reservoir {
    config: Config,
    slots: Vec<Queue>,
    bytes: u64,
    /// Slots that hold anything.
    filled: u64,
    held: usize,
    /// Slots that there are.
    gained: u64,
    /// Bytes that arrived since the last one was gained.
    arrived: u64,
}

#[derive(Debug, Default)]
struct Queue {
    runs: VecDeque<BatchRun>,
    bytes: u64,
    is_held: bool,
    last_taken: Instant,
    /// Runs from the front that were copied out already.
    copied: usize,
}

impl Reservoir {
    /// An empty reservoir.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config, slots: Vec::new(), bytes: 0, filled: 0, held: 0, gained: 0, arrived: 0 }
    }

    /// A slot is ours from now on.
    pub const fn gain(&mut self) {
        self.gained += 1;
        self.arrived = 0;
    }

    /// A slot is no longer ours: drops what it holds.
    pub fn lose(&mut self, slot: Slot) {
        self.clear(slot);
        self.gained = self.gained.saturating_sub(1);
    }

    /// A run arrived. Says whether its slot is to be held from now on.
    pub fn push(&mut self, now: Instant, run: BatchRun) -> Option<Flow> {
        let share = self.share();
        let (bytes, index) = (run.bytes.len() as u64, run.slot.index());
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, Queue::default);
        }
        let queue = self.slots.get_mut(index)?;
        if queue.runs.is_empty() {
            self.filled += 1;
            queue.last_taken = now;
        }
        queue.runs.push_back(run);
        queue.bytes += bytes;
        self.bytes += bytes;
        self.arrived = self.arrived.saturating_add(bytes);
        if queue.is_held || queue.bytes <= share || Mutant::UnboundedQueue.lives() {
            return None;
        }
        queue.is_held = true;
        self.held += 1;
        Some(Flow::Hold)
    }

    /// The next run of a slot, and whether the slot is to be released.
    pub fn take(&mut self, now: Instant, slot: Slot) -> Option<(BatchRun, Option<Flow>)> {
        let low = self.share() / 2;
        let queue = self.slots.get_mut(slot.index())?;
        let run = queue.runs.pop_front()?;
        let bytes = run.bytes.len() as u64;
        queue.bytes = queue.bytes.saturating_sub(bytes);
        queue.copied = queue.copied.saturating_sub(1);
        queue.last_taken = now;
        self.bytes = self.bytes.saturating_sub(bytes);
        if queue.runs.is_empty() {
            self.filled = self.filled.saturating_sub(1);
        }
        let release = queue.is_held && queue.bytes <= low;
        if release {
            queue.is_held = false;
            self.held = self.held.saturating_sub(1);
        }
        Some((run, release.then_some(Flow::Release)))
    }

    /// Drops what a slot holds and forgets that it was held.
    pub fn clear(&mut self, slot: Slot) {
        let Some(queue) = self.slots.get_mut(slot.index()) else { return };
        let queue = std::mem::take(queue);
        self.bytes = self.bytes.saturating_sub(queue.bytes);
        self.filled = self.filled.saturating_sub(u64::from(!queue.runs.is_empty()));
        self.held = self.held.saturating_sub(usize::from(queue.is_held));
    }

    /// Copies the small runs of slots that stand still out of their chunks, so that a slow slot
    /// pins no chunk that others share. Returns how many bytes were copied.
    pub fn copy_out_still(&mut self, now: Instant, copy: impl Fn(&Bytes) -> Option<Bytes>) -> u64 {
        let still_after = self.config.still_after;
        self.slots
            .iter_mut()
            .filter(|queue| !queue.runs.is_empty() && still_after <= now.since(queue.last_taken))
            .map(|queue| queue.copy_out(&copy))
            .sum()
    }

    /// Whether any slot holds anything, so that [`Self::copy_out_still`] is worth a visit.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Bytes of all queued runs.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that one slot has queued.
    #[must_use]
    pub fn slot_bytes(&self, slot: Slot) -> u64 {
        self.slots.get(slot.index()).map_or(0, |queue| queue.bytes)
    }

    /// Whether a slot is held.
    #[must_use]
    pub fn is_held(&self, slot: Slot) -> bool {
        self.slots.get(slot.index()).is_some_and(|queue| queue.is_held)
    }

    /// How many slots are held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Most that one slot may hold now, in bytes.
    #[must_use]
    pub fn share(&self) -> u64 {
        let half = self.config.budget / 2;
        let is_young = self.arrived < half;
        let sharing = if is_young { self.filled.max(self.gained) } else { self.filled };
        let share = half / (sharing + 1);
        share.clamp(self.config.share_min, self.config.share_max.max(self.config.share_min))
    }
}

impl Queue {
    fn copy_out(&mut self, copy: &impl Fn(&Bytes) -> Option<Bytes>) -> u64 {
        let mut copied = 0;
        for run in self.runs.iter_mut().skip(self.copied) {
            if let Some(bytes) = copy(&run.bytes) {
                copied += bytes.len() as u64;
                run.bytes = bytes;
            }
        }
        self.copied = self.runs.len();
        copied
    }
}

#[cfg(test)]
mod tests;
