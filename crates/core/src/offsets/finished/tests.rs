//! Runs of small batches, with stretches left out, against a list of records.

use super::*;
use crate::fence::Fence;
use crate::rng::Rng;
use crate::run::Watermarks;
use crate::slot::Slot;
use forebay_protocol::types::LeaderEpoch;

/// Batches with so many records each, from offset 0 on: only what tells them apart is there.
fn run(batches: &[i64], from: i64) -> BatchRun {
    let mut bytes = Vec::new();
    let mut offset = 0_i64;
    for records in batches {
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&8_i32.to_be_bytes());
        bytes.extend_from_slice(&records.to_be_bytes());
        offset += records;
    }
    BatchRun {
        slot: Slot(0),
        fence: Fence::default(),
        from: Position(from),
        next: Position(offset),
        epoch: LeaderEpoch(1),
        bytes: bytes.into(),
        watermarks: Watermarks::default(),
        count: None,
    }
}

/// The offsets that a worker would start of a run.
fn started(run: &BatchRun) -> Vec<i64> {
    let records = |start: usize| {
        let bytes = run.bytes.get(start + PREFIX..start + PREFIX + 8).unwrap();
        i64::from_be_bytes(bytes.try_into().unwrap())
    };
    let all = entries(&run.bytes).flat_map(|(offset, start)| offset..offset + records(start));
    all.filter(|offset| run.from.0 <= *offset).collect()
}

fn finished(stretches: &[(i64, i64)]) -> Finished {
    let mut finished = Finished::default();
    finished.add(stretches.iter().map(|(from, to)| (Position(*from), Position(*to))));
    finished
}

#[test]
fn stretches_that_touch_are_one() {
    let mut all = finished(&[(5, 8), (1, 3)]);
    all.add([(Position(3), Position(4)), (Position(7), Position(9)), (Position(2), Position(2))]);
    assert_eq!(all, finished(&[(1, 4), (5, 9)]));
}

#[test]
fn a_run_with_nothing_done_stays_whole_and_one_that_is_done_goes() {
    let whole = run(&[3, 3], 0);
    let parts = finished(&[(6, 9)]).leave_out(whole.clone());
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].bytes, whole.bytes);

    let parts = finished(&[(0, 9)]).leave_out(whole);
    assert!(parts.iter().all(BatchRun::is_empty));
    assert_eq!(parts.last().unwrap().next, Position(6));
}

#[test]
fn what_is_done_is_left_out_and_nothing_else() {
    let mut rng = Rng::from_seed(7);
    for _ in 0..2000 {
        let batches: Vec<i64> = (0..1 + rng.below(6)).map(|_| 1 + pick(&mut rng, 4)).collect();
        let end: i64 = batches.iter().sum();
        let ends: Vec<i64> = batches
            .iter()
            .scan(0, |at, it| {
                *at += it;
                Some(*at)
            })
            .collect();
        let from = pick(&mut rng, end);
        // A stretch begins where a batch does, and may end inside one.
        let stretches: Vec<_> = ends.iter().filter(|_| rng.below(2) == 0).copied().collect();
        let stretches: Vec<_> =
            stretches.into_iter().map(|at| (at, (at + pick(&mut rng, 5)).min(end))).collect();
        let mut finished = finished(&stretches);
        let kept = finished.clone();

        let parts = finished.leave_out(run(&batches, from));

        let done = |offset: i64| kept.0.iter().any(|(a, b)| (a.0..b.0).contains(&offset));
        let expected: Vec<i64> = (from..end).filter(|offset| !done(*offset)).collect();
        let found: Vec<i64> = parts.iter().flat_map(started).collect();
        assert_eq!(found, expected, "{batches:?} from {from} without {stretches:?}");
        assert_eq!(parts.last().unwrap().next, Position(end));
        assert!(parts.windows(2).all(|two| two[0].next <= two[1].next));
    }
}

fn pick(rng: &mut Rng, below: i64) -> i64 {
    i64::try_from(rng.below(usize::try_from(below).unwrap())).unwrap()
}
