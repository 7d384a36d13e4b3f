//! PILLAR 3. Which run may go to which worker?
//!
//! A slot belongs to one worker for as long as it is ours, so that its records keep their order
//! and its bytes stay on one core. How much of a slot may be open at its worker is bounded by its
//! *window*: the rest waits in the reservoir, where it can be dropped and where it makes the lane
//! hold back.

use crate::slot::Slot;

/// In which order the records of a partition may run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// One after another, as they lie in the partition. Partitions run side by side.
    #[default]
    Partition,
    /// Side by side, as many as the concurrency allows.
    Unordered,
}

/// The limits of work.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many workers share the slots; at least 1.
    pub workers: usize,
    /// Most bytes of one slot that may be open at its worker. One run may always be open, however
    /// large it is.
    pub window_bytes: u64,
    /// Most blocks of one slot that may be open.
    pub window_blocks: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { workers: 1, window_bytes: 1 << 20, window_blocks: 16 }
    }
}

/// The number of a worker inside its shard.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct WorkerId(pub usize);

/// Which worker has which slot.
#[derive(Debug)]
pub struct Work {
    config: Config,
    /// Slots per worker.
    load: Vec<usize>,
    workers: Vec<Option<WorkerId>>,
}

impl Work {
    /// No slot has a worker yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, load: vec![0; config.workers.max(1)], workers: Vec::new() }
    }

    /// Gives the slot to the worker with the fewest slots.
    pub fn assign(&mut self, slot: Slot) -> WorkerId {
        let least = self.load.iter().enumerate().min_by_key(|(_, slots)| **slots);
        let worker = WorkerId(least.map_or(0, |(index, _)| index));
        if let Some(load) = self.load.get_mut(worker.0) {
            *load += 1;
        }
        if self.workers.len() <= slot.index() {
            self.workers.resize(slot.index() + 1, None);
        }
        if let Some(entry) = self.workers.get_mut(slot.index()) {
            *entry = Some(worker);
        }
        worker
    }

    /// Takes the slot from its worker.
    pub fn release(&mut self, slot: Slot) {
        let worker = self.workers.get_mut(slot.index()).and_then(Option::take);
        if let Some(load) = worker.and_then(|worker| self.load.get_mut(worker.0)) {
            *load = load.saturating_sub(1);
        }
    }

    /// The worker that has the slot.
    #[must_use]
    pub fn worker(&self, slot: Slot) -> Option<WorkerId> {
        self.workers.get(slot.index()).copied().flatten()
    }

    /// Whether one more run of a slot may be opened when `blocks` with `bytes` are open.
    #[must_use]
    pub const fn may_open(&self, blocks: usize, bytes: u64) -> bool {
        blocks == 0 || (blocks < self.config.window_blocks && bytes < self.config.window_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(workers: usize) -> Work {
        Work::new(Config { workers, window_bytes: 100, window_blocks: 3 })
    }

    #[test]
    fn slots_are_spread_over_the_workers() {
        let mut work = work(3);
        let mut taken: Vec<_> = (0..6).map(|slot| work.assign(Slot(slot)).0).collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_released_place_is_filled_first() {
        let mut work = work(2);
        let first = work.assign(Slot(0));
        let _ = work.assign(Slot(1));
        work.release(Slot(0));
        assert_eq!(work.worker(Slot(0)), None);
        assert_eq!(work.assign(Slot(2)), first);
    }

    #[test]
    fn one_run_may_always_be_open_and_then_the_window_decides() {
        let work = work(1);
        assert!(work.may_open(0, 1_000_000));
        assert!(work.may_open(2, 99));
        assert!(!work.may_open(2, 100));
        assert!(!work.may_open(3, 0));
    }
}
