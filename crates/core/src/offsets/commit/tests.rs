//! Commits against a coordinator that answers as the test likes.

use std::collections::BTreeSet;

use super::*;

const CONFIG: Config = Config {
    interval: Duration::from_millis(500),
    retry: backoff::Config { first: Duration::from_millis(100), max: Duration::from_secs(1) },
};

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn entry(position: i64) -> Entry {
    Entry { position: Position(position), epoch: LeaderEpoch(3) }
}

fn start() -> Commit {
    let mut commit = Commit::new(CONFIG, Author::Outsider, Rng::from_seed(5));
    for partition in 0..3 {
        commit.handle_gained(tp(partition), None);
    }
    commit
}

fn committed(commit: &mut Commit) -> Vec<(i32, i64)> {
    match commit.poll_output() {
        Some(Output::Commit(entries)) => {
            entries.iter().map(|(tp, entry)| (tp.partition, entry.position.0)).collect()
        }
        other => {
            assert_eq!(other, None);
            Vec::new()
        }
    }
}

fn answer(commit: &mut Commit, now: Instant, code: i16) -> Vec<Output> {
    let codes = (0..3).map(|partition| (tp(partition), code)).collect();
    commit.handle_answer(now, Answer::Partitions(codes));
    let mut said = Vec::new();
    while let Some(output) = commit.poll_output() {
        said.push(output);
    }
    said
}

#[test]
fn only_what_moved_is_committed_and_once_per_interval() {
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(1), entry(10));
    assert_eq!(committed(&mut commit), [(1, 10)]);
    commit.handle_frontier(at(1), &tp(1), entry(11));
    commit.handle_frontier(at(2), &tp(2), entry(5));
    assert_eq!(committed(&mut commit), [], "one is in flight");
    assert_eq!(answer(&mut commit, at(3), 0).len(), 1);
    assert_eq!(commit.poll_timeout(), Some(at(503)));
    commit.handle_timeout(at(503));
    assert_eq!(committed(&mut commit), [(1, 11), (2, 5)]);
    answer(&mut commit, at(504), 0);
    assert_eq!(commit.poll_timeout(), None, "nothing is left to say");
}

#[test]
fn a_position_below_an_acked_one_is_never_said_unless_the_user_sought_back() {
    let mut commit = start();
    commit.handle_gained(tp(0), Some(Position(100)));
    commit.handle_frontier(at(0), &tp(0), entry(50));
    assert_eq!(committed(&mut commit), []);
    commit.handle_seek(&tp(0));
    commit.handle_frontier(at(1), &tp(0), entry(51));
    assert_eq!(committed(&mut commit), [(0, 51)]);
}

#[test]
fn an_answer_from_before_a_seek_is_not_believed() {
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(0), entry(90));
    assert_eq!(committed(&mut commit), [(0, 90)]);
    commit.handle_seek(&tp(0));
    commit.handle_frontier(at(1), &tp(0), entry(10));
    assert_eq!(committed(&mut commit), [], "the older one is still in flight");
    commit.handle_answer(at(2), Answer::Partitions(vec![(tp(0), 0)]));
    assert_eq!(commit.acked(&tp(0)), None);
    commit.handle_timeout(at(600));
    assert_eq!(committed(&mut commit), [(0, 10)]);
}

#[test]
fn a_moved_coordinator_is_looked_for_and_the_newest_position_is_said_again() {
    for code in [7, 15, 16] {
        let mut commit = start();
        commit.handle_frontier(at(0), &tp(0), entry(10));
        committed(&mut commit);
        commit.handle_frontier(at(1), &tp(0), entry(12));
        assert_eq!(answer(&mut commit, at(2), code), [Output::WrongCoordinator]);
        let again = commit.poll_timeout().unwrap();
        assert!(at(82) <= again && again <= at(122));
        commit.handle_timeout(again);
        assert_eq!(committed(&mut commit), [(0, 12)]);
    }
}

#[test]
fn a_partition_that_the_answer_leaves_out_is_said_again() {
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(0), entry(10));
    committed(&mut commit);
    commit.handle_answer(at(1), Answer::Partitions(Vec::new()));
    commit.handle_timeout(commit.poll_timeout().unwrap());
    assert_eq!(committed(&mut commit), [(0, 10)]);
}

#[test]
fn live_members_and_missing_rights_end_the_group_and_a_topic_right_only_its_partition() {
    for code in [22, 25, 27, 30, 82, 113] {
        let mut commit = start();
        commit.handle_frontier(at(0), &tp(0), entry(10));
        committed(&mut commit);
        assert_eq!(answer(&mut commit, at(1), code), [Output::Fatal { code }]);
        assert_eq!(commit.poll_timeout(), None);
        assert!(commit.is_settled(&tp(0)));
    }
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(0), entry(10));
    committed(&mut commit);
    assert_eq!(answer(&mut commit, at(1), 29), [Output::Refused { tp: tp(0), code: 29 }]);
    commit.handle_frontier(at(2), &tp(0), entry(11));
    commit.handle_frontier(at(2), &tp(1), entry(11));
    commit.handle_timeout(at(600));
    assert_eq!(committed(&mut commit), [(1, 11)]);
}

#[test]
fn a_flush_does_not_wait_for_the_interval_but_for_the_answer_in_flight() {
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(0), entry(10));
    committed(&mut commit);
    commit.handle_frontier(at(1), &tp(0), entry(11));
    commit.handle_flush(at(2));
    assert_eq!(committed(&mut commit), []);
    assert!(!commit.is_settled(&tp(0)));
    commit.handle_answer(at(3), Answer::Partitions(vec![(tp(0), 0)]));
    assert!(matches!(commit.poll_output(), Some(Output::Acked { .. })));
    assert_eq!(committed(&mut commit), [(0, 11)]);
    answer(&mut commit, at(4), 0);
    assert!(commit.is_settled(&tp(0)));
}

/// A group with a coordinator that errs at random.
struct World {
    rng: Rng,
    commit: Commit,
    done: [i64; 3],
    acked: [i64; 3],
    in_flight: Option<Vec<(TopicPartition, Entry)>>,
}

impl World {
    fn finish_some(&mut self, now: Instant) {
        let index = self.rng.below(3);
        self.done[index] += i64::try_from(self.rng.below(20) + 1).unwrap();
        let partition = i32::try_from(index).unwrap();
        self.commit.handle_frontier(now, &tp(partition), entry(self.done[index]));
    }

    fn answer(&mut self, now: Instant, codes: &[i16]) {
        let Some(entries) = self.in_flight.take() else { return };
        let codes =
            entries.into_iter().map(|(tp, _)| (tp, codes[self.rng.below(codes.len())])).collect();
        self.commit.handle_answer(now, Answer::Partitions(codes));
    }

    fn check_outputs(&mut self) {
        while let Some(output) = self.commit.poll_output() {
            match output {
                Output::Commit(entries) => self.check_commit(entries),
                Output::Acked { tp, position } => {
                    let partition = usize::try_from(tp.partition).unwrap();
                    assert!(self.acked[partition] <= position.0);
                    self.acked[partition] = position.0;
                }
                Output::WrongCoordinator => {}
                other @ (Output::Refused { .. }
                | Output::Disowned { .. }
                | Output::Fatal { .. }) => panic!("{other:?}"),
            }
        }
    }

    fn check_commit(&mut self, entries: Vec<(TopicPartition, Entry)>) {
        assert!(self.in_flight.is_none(), "one at a time");
        let tps: BTreeSet<_> = entries.iter().map(|(tp, _)| tp).collect();
        assert_eq!(tps.len(), entries.len());
        for (tp, entry) in &entries {
            let partition = usize::try_from(tp.partition).unwrap();
            assert!(entry.position.0 <= self.done[partition]);
            assert!(self.acked[partition] < entry.position.0);
        }
        self.in_flight = Some(entries);
    }
}

/// Random frontiers, answers and times: what was said is only ever what was done, acked positions
/// never fall, and everything is stored once errors end.
#[test]
fn whatever_the_coordinator_answers_all_is_committed_in_the_end_and_nothing_too_early() {
    for seed in 0..300 {
        let mut world = World {
            rng: Rng::from_seed(seed),
            commit: start(),
            done: [0; 3],
            acked: [0; 3],
            in_flight: None,
        };
        let mut now = at(0);
        for step in 0..600 {
            now = now.after(Duration::from_millis(world.rng.below(200) as u64));
            let healed = 500 <= step;
            if !healed && world.rng.below(2) == 0 {
                world.finish_some(now);
            }
            if world.rng.below(2) == 0 {
                world.answer(now, if healed { &[0] } else { &[0, 14, 16, -1] });
            }
            world.commit.handle_timeout(now);
            world.check_outputs();
        }
        assert_eq!(world.acked, world.done, "seed {seed}");
    }
}

#[test]
fn after_a_commit_that_somebody_waited_for_the_interval_counts_again() {
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(0), entry(1));
    assert_eq!(committed(&mut commit), [(0, 1)]);
    // Somebody waits while one is in flight: the rest follows at once.
    commit.handle_frontier(at(1), &tp(1), entry(7));
    commit.handle_flush(at(1));
    commit.handle_answer(at(2), Answer::Partitions(vec![(tp(0), 0)]));
    commit.poll_output();
    assert_eq!(committed(&mut commit), [(1, 7)]);
    commit.handle_answer(at(3), Answer::Partitions(vec![(tp(1), 0)]));
    commit.poll_output();
    for millis in (4..503).step_by(100) {
        commit.handle_frontier(at(millis), &tp(0), entry(millis.try_into().unwrap()));
        assert_eq!(committed(&mut commit), [], "at {millis} ms");
    }
    commit.handle_timeout(at(503));
    assert_eq!(committed(&mut commit), [(0, 404)]);
}

#[test]
fn what_is_on_its_way_about_a_partition_that_was_lost_is_known_until_it_is_answered() {
    let mut commit = start();
    commit.handle_frontier(at(0), &tp(0), entry(7));
    assert_eq!(committed(&mut commit), [(0, 7)]);
    commit.handle_lost(&tp(0));
    commit.handle_gained(tp(0), None);
    assert!(commit.is_stored(&tp(0)) && commit.has_stray(&tp(0)));
    assert!(!commit.has_stray(&tp(1)));
    answer(&mut commit, at(1), 0);
    assert!(!commit.has_stray(&tp(0)));
}
