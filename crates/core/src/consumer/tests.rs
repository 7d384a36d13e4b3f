//! The order of things on the control plane, as talks with a shard and a cluster.

use super::*;
use crate::cluster::metadata::{Partition as Known, Topic, Update};
use crate::fence::Gain;
use crate::orders::{Address, Fault, Leader, Report, ResetCause};
use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, Uuid};

const RETRY: backoff::Config =
    backoff::Config { first: Duration::from_millis(100), max: Duration::from_secs(1) };

pub(super) const CONFIG: Config = Config {
    commits: Commits::Group,
    policy: Policy::Earliest,
    commit: commit::Config { interval: Duration::from_millis(500), retry: RETRY },
    retry: RETRY,
    unknown_for: Duration::from_secs(60),
    drain_timeout: Duration::from_secs(20),
};

/// Of partition 0; the next partition has the next one.
const GAIN: Gain = Gain(1);

fn gain(partition: i32) -> Gain {
    Gain(1 + partition.unsigned_abs())
}

pub(super) fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

pub(super) fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

pub(super) fn leader(broker: i32, epoch: i32) -> Leader {
    Leader { broker: BrokerId(broker), epoch: LeaderEpoch(epoch) }
}

/// A topic with two partitions, both led as said.
pub(super) fn picture(broker: i32, epoch: i32) -> Arc<Metadata> {
    let known = Known { leader: Some(BrokerId(broker)), epoch: LeaderEpoch(epoch) };
    let partitions = [0, 1].map(|number| (number, known)).into();
    let topic = Topic { id: Uuid([9; 16]), error: 0, partitions, ..Topic::default() };
    let update = Update {
        brokers: [1_u16, 2]
            .map(|id| (BrokerId(id.into()), Address { host: "b".into(), port: id }))
            .into(),
        topics: [("orders".into(), topic)].into(),
        ..Update::default()
    };
    Arc::new(Metadata::default().merge(update))
}

pub(super) struct Talk {
    pub(super) consumer: Consumer,
    pub(super) now: Instant,
}

impl Talk {
    pub(super) fn start(config: Config, partitions: i32) -> Self {
        let assignment = (0..partitions).map(tp).collect();
        let consumer = Consumer::new(config, Assigned::Fixed(assignment), Rng::from_seed(4), at(0));
        Self { consumer, now: at(0) }
    }

    /// Both partitions started at the positions that are committed.
    pub(super) fn running() -> Self {
        let mut talk = Self::start(CONFIG, 2);
        talk.consumer.handle_metadata(talk.now, picture(1, 5));
        let told = [told(0, 0, 10), told(1, 0, 20)].into();
        talk.consumer.handle_committed(talk.now, &[tp(0), tp(1)], told);
        talk.outputs();
        talk
    }

    pub(super) fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.consumer.poll_output()).collect()
    }

    pub(super) fn orders(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        for output in self.outputs() {
            if let Output::Order(order) = output {
                orders.push(order);
            }
        }
        orders
    }

    pub(super) fn commits(&mut self) -> Vec<Vec<(i32, i64)>> {
        let mut commits = Vec::new();
        for output in self.outputs() {
            if let Output::Commit { entries, .. } = output {
                commits
                    .push(entries.iter().map(|(tp, at)| (tp.partition, at.position.0)).collect());
            }
        }
        commits
    }

    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        let mut outcome = None;
        for output in self.outputs() {
            if let Output::Done(done) = output {
                assert!(outcome.replace(done).is_none(), "done twice");
            }
        }
        outcome
    }

    /// By a shard that has obeyed everything.
    pub(super) fn frontier(&mut self, partition: i32, position: i64) {
        let seeks = self.consumer.partitions.get(&tp(partition)).map_or(0, |it| it.seeks);
        self.frontier_before(partition, seeks, position);
    }

    fn frontier_before(&mut self, partition: i32, seeks: u32, position: i64) {
        let report = Report::Frontier {
            tp: tp(partition),
            gain: gain(partition),
            seeks,
            position: Position(position),
            position_epoch: LeaderEpoch(5),
        };
        self.consumer.handle_report(self.now, report);
    }

    pub(super) fn drained(&mut self, partition: i32, position: i64, unfinished: u64) {
        let report = Report::Drained {
            tp: tp(partition),
            gain: gain(partition),
            position: Position(position),
            position_epoch: LeaderEpoch(5),
            unfinished,
        };
        self.consumer.handle_report(self.now, report);
    }

    pub(super) fn stored(&mut self) {
        let codes = [(tp(0), 0), (tp(1), 0)].into();
        self.consumer.handle_commit_answer(self.now, commit::Answer::Partitions(codes));
    }

    pub(super) fn sleep(&mut self, until: Instant) {
        self.now = until;
        self.consumer.handle_timeout(until);
    }
}

pub(super) fn told(partition: i32, code: i16, offset: i64) -> Told {
    Told { tp: tp(partition), code, offset: Offset(offset), epoch: LeaderEpoch(3) }
}

fn is_close(order: &Order) -> bool {
    matches!(order, Order::Close)
}

#[test]
fn a_partition_is_handed_over_once_its_start_and_its_topic_are_known() {
    for metadata_first in [true, false] {
        let mut talk = Talk::start(CONFIG, 1);
        assert!(matches!(talk.outputs()[..], [Output::FetchCommitted(_)]));
        let committed = |talk: &mut Talk| {
            talk.consumer.handle_committed(at(1), &[tp(0)], vec![told(0, 0, 42)]);
        };
        if metadata_first {
            talk.consumer.handle_metadata(at(0), picture(1, 5));
            assert!(matches!(talk.orders()[..], [Order::Brokers(_)]));
            committed(&mut talk);
        } else {
            committed(&mut talk);
            assert!(talk.orders().is_empty());
            talk.consumer.handle_metadata(at(0), picture(1, 5));
        }
        let last = talk.orders().pop();
        let Some(Order::Gain { position, position_epoch, topic_id, leader: led, .. }) = last else {
            panic!("{last:?}");
        };
        assert_eq!((position, position_epoch), (Position(42), LeaderEpoch(3)));
        assert_eq!((topic_id, led), (Uuid([9; 16]), Some(leader(1, 5))));
    }
}

#[test]
fn without_a_group_the_policy_decides_and_nothing_is_committed() {
    let mut talk = Talk::start(Config { commits: Commits::Nowhere, ..CONFIG }, 1);
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    let mut asks = Vec::new();
    for output in talk.outputs() {
        if let Output::List { asks: asked, .. } = output {
            asks = asked;
        }
    }
    talk.consumer.handle_listed(at(1), &asks, vec![told(0, 0, 7)]);
    assert!(matches!(talk.orders()[..], [Order::Gain { position: Position(7), .. }]));
    talk.frontier(0, 9);
    assert!(talk.commits().is_empty());
    talk.consumer.handle_shutdown(at(2), at(1000));
    talk.drained(0, 9, 0);
    assert!(talk.orders().iter().any(is_close));
}

#[test]
fn reports_of_another_gain_count_for_nothing() {
    let mut talk = Talk::running();
    let (position, position_epoch) = (Position(99), LeaderEpoch(5));
    let stale = Report::Frontier { tp: tp(0), gain: Gain(7), seeks: 0, position, position_epoch };
    talk.consumer.handle_report(at(1), stale);
    assert!(talk.commits().is_empty());
    assert_eq!(talk.consumer.position(&tp(0)), Some(Some(Position(10))));
}

#[test]
fn the_end_drains_commits_closes_and_is_told() {
    let mut talk = Talk::running();
    talk.frontier(0, 11);
    assert_eq!(talk.commits(), [[(0, 11)]]);
    talk.consumer.handle_shutdown(at(1), at(20_001));
    assert_eq!(talk.orders().len(), 2, "both drain");
    talk.drained(0, 15, 0);
    assert!(talk.outputs().is_empty(), "a commit is in flight");
    talk.drained(1, 25, 2);
    talk.stored();
    assert_eq!(talk.commits(), [[(0, 15), (1, 25)]]);
    talk.stored();
    assert!(talk.orders().iter().any(is_close), "all is stored");
    talk.consumer.handle_report(at(2), Report::Closed);
    let outcome = talk.outcome().unwrap();
    assert_eq!(outcome.unfinished, 2);
    assert_eq!(outcome.cause, None);
    assert!(outcome.partitions.iter().all(|(_, it)| it.is_committed));
    let ends: Vec<_> = outcome.partitions.iter().map(|(_, it)| it.committed).collect();
    assert_eq!(ends, [Some(Position(15)), Some(Position(25))]);
}

#[test]
fn a_shard_that_never_answers_delays_the_end_to_the_deadline_and_no_further() {
    let mut talk = Talk::running();
    talk.frontier(0, 11);
    talk.commits();
    talk.stored();
    talk.frontier(0, 12);
    talk.consumer.handle_shutdown(at(1), at(10_001));
    talk.outputs();
    let drain_by = talk.consumer.poll_timeout().unwrap().min(at(8001));
    talk.sleep(at(8001));
    assert!(drain_by <= at(8001));
    assert_eq!(talk.commits(), [[(0, 12)]], "the last frontier that was told is kept");
    talk.sleep(at(10_001));
    let outcome = talk.outcome().unwrap();
    assert!(outcome.partitions.iter().all(|(_, ending)| !ending.is_drained));
}

#[test]
fn a_silent_coordinator_delays_the_end_to_the_deadline_and_no_further() {
    let mut talk = Talk::running();
    talk.consumer.handle_shutdown(at(0), at(5000));
    talk.drained(0, 15, 0);
    talk.drained(1, 25, 0);
    talk.outputs();
    let mut steps = 0;
    while talk.now < at(5000) {
        let next = talk.consumer.poll_timeout().unwrap();
        talk.sleep(next.max(talk.now.after(Duration::from_millis(1))));
        steps += 1;
    }
    assert!(steps < 20, "without a busy loop: {steps}");
    let outcome = talk.outcome().unwrap();
    assert!(outcome.partitions.iter().all(|(_, it)| it.is_drained && !it.is_committed));
}

#[test]
fn a_second_shutdown_only_makes_it_earlier() {
    let mut talk = Talk::running();
    talk.consumer.handle_shutdown(at(0), at(10_000));
    talk.consumer.handle_shutdown(at(0), at(90_000));
    talk.consumer.handle_shutdown(at(1), at(100));
    talk.sleep(at(100));
    assert!(talk.outcome().is_some());
}

#[test]
fn a_leader_that_moved_is_told_and_one_that_was_given_up_is_told_again() {
    let mut talk = Talk::running();
    talk.consumer.handle_metadata(at(1), picture(1, 5));
    assert!(talk.orders().is_empty(), "nothing moved");
    talk.consumer.handle_metadata(at(2), picture(2, 6));
    let moved = talk.orders();
    assert_eq!(moved.len(), 2);
    let stale = |tried| Report::LeaderStale { tp: tp(0), gain: GAIN, tried, hint: None };
    talk.consumer.handle_report(at(3), stale(Some(leader(2, 6))));
    assert!(matches!(talk.outputs()[..], [Output::StaleMetadata]));
    talk.consumer.handle_metadata(at(4), picture(2, 6));
    let again = talk.orders();
    let [Order::Leader { tp: whose, leader: led, .. }] = &again[..] else { panic!("{again:?}") };
    assert_eq!((whose, *led), (&tp(0), Some(leader(2, 6))));
    talk.consumer.handle_metadata(at(5), picture(2, 6));
    assert!(talk.orders().is_empty(), "once is enough");
}

#[test]
fn a_shard_that_tried_an_old_leader_is_told_the_known_one_at_once() {
    let mut talk = Talk::running();
    talk.consumer.handle_metadata(at(2), picture(2, 6));
    talk.orders();
    let tried = Some(leader(1, 5));
    let report = Report::LeaderStale { tp: tp(0), gain: GAIN, tried, hint: None };
    talk.consumer.handle_report(at(3), report);
    assert!(matches!(talk.orders()[..], [Order::Leader { .. }]));
}

#[test]
fn a_reset_goes_on_elsewhere_and_may_commit_lower() {
    let mut talk = Talk::running();
    talk.frontier(0, 50);
    talk.commits();
    talk.stored();
    talk.outputs();
    let cause = ResetCause::Truncated { end: Position(30), epoch: LeaderEpoch(4) };
    let report = Report::NeedsReset {
        tp: tp(0),
        gain: GAIN,
        position: Position(50),
        position_epoch: LeaderEpoch(5),
        cause,
    };
    talk.consumer.handle_report(at(1), report);
    let said = talk.outputs();
    let reset = said
        .iter()
        .any(|output| matches!(output, Output::Event(Event::OffsetReset { to: Position(30), .. })));
    let sought = said
        .iter()
        .any(|output| matches!(output, Output::Order(Order::Reset { position: Position(30), .. })));
    assert!(reset && sought, "{said:?}");
    talk.frontier(0, 31);
    talk.sleep(at(600));
    assert_eq!(talk.commits(), [[(0, 31)]]);
}

#[test]
fn a_seek_moves_a_running_partition_and_starts_one_that_could_not_start() {
    let mut talk = Talk::running();
    assert!(talk.consumer.handle_seek(at(1), &tp(0), Position(3)));
    assert!(matches!(talk.orders()[..], [Order::Seek { position: Position(3), .. }]));
    assert!(!talk.consumer.handle_seek(at(1), &tp(9), Position(3)));

    let mut talk = Talk::start(Config { policy: Policy::None, ..CONFIG }, 2);
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    let none = vec![told(0, 0, -1), told(1, 0, 5)];
    talk.consumer.handle_committed(at(0), &[tp(0), tp(1)], none);
    talk.outputs();
    assert!(talk.consumer.handle_seek(at(1), &tp(0), Position(3)));
    assert!(matches!(talk.orders()[..], [Order::Gain { position: Position(3), .. }]));
}

#[test]
fn what_was_done_before_a_seek_reached_the_shard_is_not_committed_behind_it() {
    let mut talk = Talk::running();
    assert!(talk.consumer.handle_seek(talk.now, &tp(0), Position(33)));
    talk.frontier_before(0, 0, 34);
    talk.sleep(at(2_000));
    assert!(talk.commits().is_empty(), "the user wants record 33 again");
    assert_eq!(talk.consumer.position(&tp(0)), Some(Some(Position(33))));
    talk.frontier_before(0, 1, 34);
    talk.sleep(at(4_000));
    assert_eq!(talk.commits(), [[(0, 34)]]);
}

#[test]
fn a_pause_before_the_start_holds_from_the_first_record_on() {
    let mut talk = Talk::start(CONFIG, 1);
    assert!(talk.consumer.handle_pause(&tp(0)));
    assert!(talk.orders().is_empty());
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    talk.consumer.handle_committed(at(0), &[tp(0)], vec![told(0, 0, 1)]);
    let orders = talk.orders();
    assert!(matches!(orders[..], [.., Order::Gain { .. }, Order::Pause { .. }]), "{orders:?}");
    talk.consumer.handle_resume(&tp(0));
    talk.consumer.handle_resume(&tp(0));
    assert!(matches!(talk.orders()[..], [Order::Resume { .. }]), "said once");
}

#[test]
fn one_partition_that_cannot_start_does_not_end_the_others_but_all_of_them_do() {
    let mut talk = Talk::start(Config { policy: Policy::None, ..CONFIG }, 2);
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    talk.consumer.handle_committed(at(0), &[tp(0)], vec![told(0, 0, -1)]);
    assert_eq!(talk.outcome(), None);
    talk.consumer.handle_committed(at(0), &[tp(1)], vec![told(1, 0, -1)]);
    assert!(talk.orders().iter().any(is_close));
    talk.consumer.handle_report(at(1), Report::Closed);
    let outcome = talk.outcome().unwrap();
    assert_eq!(outcome.cause, Some(Cause::NothingLeft));
    let why = Trouble::Start(start::Failure::NoOffset);
    assert!(outcome.partitions.iter().all(|(_, it)| it.trouble == Some(why.clone())));
}

#[test]
fn a_partition_that_stopped_keeps_its_frontier_and_the_others_go_on() {
    let mut talk = Talk::running();
    talk.frontier(0, 15);
    talk.commits();
    talk.stored();
    let fault = Fault::Broker { code: 29 };
    let report = Report::Stopped { tp: tp(0), gain: GAIN, fault: fault.clone() };
    talk.consumer.handle_report(at(1), report);
    talk.frontier(1, 30);
    assert_eq!(talk.consumer.committed(&tp(0)), Some(Some(Position(15))));
    assert_eq!(talk.outcome(), None);
    talk.consumer.handle_shutdown(at(2), at(100));
    talk.sleep(at(100));
    let outcome = talk.outcome().unwrap();
    assert_eq!(outcome.partitions[0].1.trouble, Some(Trouble::Shard(fault)));
    assert_eq!(outcome.partitions[1].1.trouble, None);
}

#[test]
fn live_members_of_the_group_end_the_consumer() {
    let mut talk = Talk::running();
    talk.frontier(0, 11);
    talk.commits();
    let codes = vec![(tp(0), 25)];
    talk.consumer.handle_commit_answer(at(1), commit::Answer::Partitions(codes));
    let drains = talk.orders();
    assert_eq!(drains.len(), 2, "{drains:?}");
    talk.drained(0, 12, 0);
    talk.drained(1, 25, 0);
    assert!(talk.orders().iter().any(is_close), "no commit is waited for");
    talk.consumer.handle_report(at(2), Report::Closed);
    assert_eq!(talk.outcome().unwrap().cause, Some(Cause::Commit { code: 25 }));
}

#[test]
fn a_topic_that_nobody_knows_is_given_up_after_its_time_and_asked_for_until_then() {
    let mut talk = Talk::start(CONFIG, 1);
    let gone = Topic { error: 3, ..Topic::default() };
    let update = Update { topics: [("orders".into(), gone)].into(), ..Update::default() };
    talk.consumer.handle_metadata(at(0), Arc::new(Metadata::default().merge(update)));
    assert!(talk.outputs().iter().any(|output| matches!(output, Output::StaleMetadata)));
    talk.sleep(at(59_999));
    assert_eq!(talk.consumer.partitions[&tp(0)].trouble, None);
    talk.sleep(at(60_000));
    assert_eq!(talk.consumer.partitions[&tp(0)].trouble, Some(Trouble::UnknownTopic));
}

#[test]
fn a_partition_beyond_the_topics_last_is_given_up_after_its_time() {
    let mut talk = Talk::start(CONFIG, 3);
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    talk.sleep(at(60_000));
    let trouble = talk.consumer.partitions[&tp(2)].trouble.clone();
    assert_eq!(trouble, Some(Trouble::UnknownPartition { partitions: 2 }));
}

#[test]
fn a_topic_that_was_created_again_is_another_log_and_gets_no_commit() {
    let mut talk = Talk::running();
    talk.frontier(0, 50);
    talk.commits();
    let mut again = (*picture(1, 0)).clone();
    again.topics.get_mut("orders").unwrap().id = Uuid([7; 16]);
    talk.consumer.handle_metadata(at(1), Arc::new(again));
    let orders = talk.orders();
    let lost = orders.iter().filter(|order| matches!(order, Order::Lost { .. })).count();
    assert_eq!(lost, 2, "{orders:?}");
    assert!(orders.iter().any(is_close), "nothing is left");
    talk.frontier(0, 60);
    talk.sleep(at(5000));
    assert!(talk.commits().is_empty());
    talk.consumer.handle_report(at(5000), Report::Closed);
    assert!(!talk.consumer.handle_seek(at(5000), &tp(0), Position(0)), "no longer ours");
    let trouble = &talk.consumer.partitions[&tp(0)].trouble;
    assert_eq!(*trouble, Some(Trouble::Recreated));
}

#[test]
fn a_shard_that_is_gone_leaves_its_last_frontier_committed() {
    let mut talk = Talk::running();
    talk.frontier(0, 11);
    talk.commits();
    talk.stored();
    talk.frontier(0, 14);
    talk.consumer.handle_shard_lost(at(1));
    assert_eq!(talk.commits(), [[(0, 14)]]);
    talk.stored();
    let outcome = talk.outcome().unwrap();
    assert_eq!(outcome.cause, Some(Cause::ShardLost));
}

/// How long it takes to give so many partitions up, one word of the shard for each.
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "work is what is measured")]
fn time_to_close(count: i32) -> Duration {
    let known = Known { leader: Some(BrokerId(1)), epoch: LeaderEpoch(5) };
    let partitions = (0..count).map(|number| (number, known)).collect();
    let topic = Topic { id: Uuid([9; 16]), error: 0, partitions, ..Topic::default() };
    let update = Update {
        brokers: [(BrokerId(1), Address { host: "b".into(), port: 1 })].into(),
        topics: [("orders".into(), topic)].into(),
        ..Update::default()
    };
    let mut talk = Talk::start(CONFIG, count);
    talk.consumer.handle_metadata(talk.now, Arc::new(Metadata::default().merge(update)));
    let asked: Vec<_> = (0..count).map(tp).collect();
    let starts = (0..count).map(|number| told(number, 0, 10)).collect();
    talk.consumer.handle_committed(talk.now, &asked, starts);
    talk.outputs();
    let began = std::time::Instant::now();
    talk.consumer.handle_shutdown(talk.now, at(10_000));
    for number in 0..count {
        talk.drained(number, 20, 0);
        assert!(talk.consumer.poll_timeout().is_some());
    }
    let codes = |talk: &mut Talk| -> Vec<_> {
        let entries = talk.commits().into_iter().flatten();
        entries.map(|(number, _)| (tp(number), 0)).collect()
    };
    while let answer = codes(&mut talk)
        && !answer.is_empty()
    {
        talk.consumer.handle_commit_answer(talk.now, commit::Answer::Partitions(answer));
    }
    let took = began.elapsed();
    talk.consumer.handle_report(talk.now, Report::Closed);
    let outcome = talk.outcome().unwrap();
    assert!(outcome.partitions.iter().all(|(_, it)| it.is_committed && it.is_drained));
    took
}

#[test]
fn ten_thousand_partitions_are_given_up_with_work_that_grows_as_they_do() {
    let least = |count| (0..3).map(|_| time_to_close(count)).min().unwrap();
    let (few, many) = (least(1_000), least(10_000));
    // Looking at all with each word would take a hundred times as long.
    assert!(many < few * 40, "{few:?} for 1,000, {many:?} for 10,000");
}
