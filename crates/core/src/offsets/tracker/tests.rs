//! The block tracker against a record-by-record model too simple to be wrong.

use std::collections::BTreeSet;

use super::*;

const NOW: Instant = Instant::from_nanos(5);

fn at(position: i64) -> Frontier {
    Frontier { position: Position(position), epoch: LeaderEpoch(1) }
}

fn epoch() -> LeaderEpoch {
    LeaderEpoch(1)
}

#[test]
fn the_frontier_waits_for_the_first_open_block() {
    let mut tracker = Tracker::new(at(10));
    let first = tracker.open(NOW, Position(20), epoch(), 100);
    let second = tracker.open(NOW, Position(30), epoch(), 100);

    tracker.finish(NOW, second).unwrap();
    assert_eq!(tracker.frontier().position, Position(10));

    tracker.finish(NOW, first).unwrap();
    assert_eq!(tracker.frontier().position, Position(30));
    assert!(tracker.is_idle());
}

#[test]
fn a_partly_done_block_moves_the_frontier_inside_it() {
    let mut tracker = Tracker::new(at(0));
    let block = tracker.open(NOW, Position(100), epoch(), 1);

    tracker.progress(NOW, block, Position(40)).unwrap();
    assert_eq!(tracker.frontier().position, Position(40));

    tracker.progress(NOW, block, Position(30)).unwrap();
    assert_eq!(tracker.frontier().position, Position(40), "it never goes back");
}

#[test]
fn progress_beyond_the_end_of_a_block_is_cut_there() {
    let mut tracker = Tracker::new(at(0));
    let block = tracker.open(NOW, Position(10), epoch(), 1);
    let _ = tracker.open(NOW, Position(20), epoch(), 1);

    tracker.progress(NOW, block, Position(15)).unwrap();

    assert_eq!(tracker.frontier().position, Position(10));
}

#[test]
fn a_second_end_of_a_block_is_refused() {
    let mut tracker = Tracker::new(at(0));
    let block = tracker.open(NOW, Position(10), epoch(), 1);
    tracker.finish(NOW, block).unwrap();

    assert_eq!(tracker.finish(NOW, block), Err(TrackerError::UnknownBlock { block: 0 }));
}

#[test]
fn a_skip_waits_for_what_is_open_before_it() {
    let mut tracker = Tracker::new(at(0));
    let block = tracker.open(NOW, Position(10), epoch(), 1);
    tracker.skip(NOW, Position(15), epoch());
    assert_eq!(tracker.frontier().position, Position(0));

    tracker.finish(NOW, block).unwrap();

    assert_eq!(tracker.frontier().position, Position(15));
}

#[test]
fn a_frontier_is_told_once() {
    let mut tracker = Tracker::new(at(0));
    tracker.skip(NOW, Position(5), epoch());

    assert_eq!(tracker.take_moved(), Some(at(5)));
    assert_eq!(tracker.take_moved(), None);
}

#[test]
fn behind_a_record_that_is_never_done_everything_done_is_one_entry() {
    let mut tracker = Tracker::new(at(0));
    let stuck = tracker.open(NOW, Position(10), epoch(), 1);
    tracker.abandon(NOW, stuck, Position(4)).unwrap();
    for next in 2..1000 {
        let block = tracker.open(NOW, Position(next * 10), epoch(), 1);
        tracker.finish(NOW, block).unwrap();
    }
    assert_eq!(tracker.frontier().position, Position(4));
    assert_eq!((tracker.open.len(), tracker.open_blocks(), tracker.open_bytes()), (2, 0, 0));
}

#[test]
fn a_frontier_that_stands_says_since_when() {
    let later = |seconds| Instant::from_nanos(seconds);
    let mut tracker = Tracker::new(at(0));
    assert_eq!(tracker.stands_since(), None);
    let block = tracker.open(later(7), Position(10), epoch(), 1);
    assert_eq!(tracker.stands_since(), Some(later(7)));
    tracker.progress(later(9), block, Position(5)).unwrap();
    assert_eq!(tracker.stands_since(), Some(later(9)));
    tracker.finish(later(11), block).unwrap();
    assert_eq!(tracker.stands_since(), None);
}

/// Keeps every offset that is not done in a set.
struct Model {
    open: BTreeSet<i64>,
    end: i64,
}

impl Model {
    fn frontier(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.end)
    }
}

#[test]
fn two_hundred_seeded_runs_agree_with_a_set_of_open_offsets() {
    for seed in 0..200 {
        agree(seed);
    }
}

fn agree(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tracker = Tracker::new(at(0));
    let mut model = Model { open: BTreeSet::new(), end: 0 };
    let mut blocks: Vec<(BlockNumber, i64, i64)> = Vec::new();
    for step in 0..300 {
        match rng.u8(0..4) {
            0 => {
                let (start, next) = (model.end, model.end + rng.i64(1..50));
                blocks.push((tracker.open(NOW, Position(next), epoch(), 7), start, next));
                model.open.extend(start..next);
                model.end = next;
            }
            1 if !blocks.is_empty() => {
                let (number, start, next) = blocks.swap_remove(rng.usize(..blocks.len()));
                tracker.finish(NOW, number).unwrap();
                model.open.retain(|offset| *offset < start || next <= *offset);
            }
            2 if !blocks.is_empty() => {
                let (number, start, next) = blocks[rng.usize(..blocks.len())];
                let to = rng.i64(start..=next);
                tracker.progress(NOW, number, Position(to)).unwrap();
                // A block that is done up to its end is still open: its worker has not let go.
                model.open.retain(|offset| *offset < start || to <= *offset);
            }
            _ if blocks.is_empty() => {
                model.end += 3;
                tracker.skip(NOW, Position(model.end), epoch());
            }
            _ => {}
        }
        assert_eq!(tracker.open_bytes(), 7 * blocks.len() as u64, "seed {seed}, step {step}");
        assert!(tracker.frontier().position.0 <= model.frontier(), "seed {seed}, step {step}");
        if blocks.iter().all(|(_, start, _)| model.open.contains(start)) {
            let frontier = tracker.frontier().position.0;
            assert_eq!(frontier, model.frontier(), "seed {seed}, step {step}");
        }
    }
}
