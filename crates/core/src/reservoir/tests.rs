//! Shares, holds and releases, and the copying out of slow slots.

use forebay_protocol::types::{LeaderEpoch, Position};

use super::*;
use crate::fence::Fence;

const NOW: Instant = Instant::from_nanos(0);

fn config() -> Config {
    Config { budget: 4000, share_max: 1000, share_min: 100, still_after: Duration::from_secs(1) }
}

fn run(slot: u32, bytes: usize) -> BatchRun {
    BatchRun {
        slot: Slot(slot),
        fence: Fence::default(),
        from: Position(0),
        next: Position(1),
        epoch: LeaderEpoch(0),
        bytes: vec![0; bytes].into(),
        watermarks: crate::run::Watermarks::default(),
        count: Some(1),
    }
}

#[test]
fn a_slot_above_its_share_is_held_and_released_at_half_of_it() {
    let mut reservoir = Reservoir::new(config());
    assert_eq!(reservoir.push(NOW, run(0, 900)), None);
    assert_eq!(reservoir.push(NOW, run(0, 400)), Some(Flow::Hold));
    assert_eq!(reservoir.push(NOW, run(0, 100)), None, "it is held already");

    assert_eq!(reservoir.take(NOW, Slot(0)).unwrap().1, Some(Flow::Release));
    assert_eq!(reservoir.take(NOW, Slot(0)).unwrap().1, None);
    assert_eq!(reservoir.bytes(), 100);
}

#[test]
fn many_slow_slots_together_keep_at_most_half_the_budget_before_they_are_held() {
    let mut reservoir = Reservoir::new(config());
    for round in 0..100 {
        for slot in 0..20 {
            if !reservoir.is_held(Slot(slot)) {
                let _ = reservoir.push(NOW, run(slot, 10));
            }
        }
        assert!(reservoir.bytes() <= 20 * 110, "round {round}");
    }
    assert_eq!(reservoir.held(), 20);
}

#[test]
fn until_half_the_budget_has_arrived_every_slot_has_the_share_of_one_among_all() {
    let mut reservoir = Reservoir::new(config());
    (0..9).for_each(|_| reservoir.gain());
    assert_eq!(reservoir.share(), 200, "half of 4000 among nine and one to come");
    assert_eq!(reservoir.push(NOW, run(0, 201)), Some(Flow::Hold), "it came first");
    for _ in 0..9 {
        let _ = reservoir.push(NOW, run(1, 200));
        let _ = reservoir.take(NOW, Slot(1));
    }
    assert_eq!(reservoir.share(), 1000, "now those count that hold anything");
    reservoir.gain();
    assert!(reservoir.share() < 200, "until somebody comes");
    (0..10).for_each(|slot| reservoir.lose(Slot(slot)));
    assert_eq!((reservoir.share(), reservoir.bytes()), (1000, 0));
}

#[test]
fn runs_leave_in_the_order_of_their_arrival() {
    let mut reservoir = Reservoir::new(config());
    for bytes in [3, 1, 2] {
        let _ = reservoir.push(NOW, run(5, bytes));
    }

    let taken = std::iter::from_fn(|| reservoir.take(NOW, Slot(5)));

    assert_eq!(taken.map(|(run, _)| run.bytes.len()).collect::<Vec<_>>(), [3, 1, 2]);
}

#[test]
fn a_cleared_slot_holds_nothing_and_is_not_held() {
    let mut reservoir = Reservoir::new(config());
    let _ = reservoir.push(NOW, run(0, 2000));
    assert!(reservoir.is_held(Slot(0)));

    reservoir.clear(Slot(0));

    assert_eq!((reservoir.bytes(), reservoir.held(), reservoir.is_empty()), (0, 0, true));
    assert!(reservoir.take(NOW, Slot(0)).is_none());
}

#[test]
fn runs_of_a_slot_that_stands_still_are_copied_once() {
    let mut reservoir = Reservoir::new(config());
    let _ = reservoir.push(NOW, run(0, 50));
    let copy = |bytes: &Bytes| Some(Bytes::copy_from_slice(bytes));

    assert_eq!(reservoir.copy_out_still(NOW, copy), 0, "it has not stood still yet");
    let later = NOW.after(Duration::from_secs(2));
    assert_eq!(reservoir.copy_out_still(later, copy), 50);
    assert_eq!(reservoir.copy_out_still(later, copy), 0);

    let _ = reservoir.push(later, run(0, 20));
    assert_eq!(reservoir.copy_out_still(later, copy), 20, "later arrivals follow");
}
