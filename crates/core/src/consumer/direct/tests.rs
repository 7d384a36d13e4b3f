//! Directives, as talks with a shard and a coordinator.

use super::super::tests::{CONFIG, Talk, at, picture, told, tp};
use super::super::{Config, Ending, Output};
use super::*;
use crate::fence::Gain;
use crate::orders::{Order, Report};
use forebay_protocol::types::LeaderEpoch;

const DEADLINE: u64 = 10_000;

fn drain() -> Directive {
    Directive::Drain { deadline: at(DEADLINE) }
}

fn hand_over() -> Directive {
    Directive::HandOver { deadline: at(DEADLINE) }
}

fn direct(talk: &mut Talk, directive: Directive) {
    assert!(talk.consumer.handle_directive(talk.now, &tp(0), directive));
}

fn parked(position: i64) -> Parked {
    Parked { position: Some(Position(position)), is_clean: true }
}

/// Partition 0 is drained at 15, and that is committed.
fn drained(directive: Directive) -> Talk {
    let mut talk = Talk::running();
    direct(&mut talk, directive);
    assert!(matches!(talk.orders()[..], [Order::Drain { gain: Gain(1), .. }]));
    assert_eq!(talk.consumer.parked(&tp(0)), None, "what runs is awaited");
    talk.drained(0, 15, 0);
    assert_eq!(talk.commits(), [[(0, 15)]]);
    assert_eq!(talk.consumer.parked(&tp(0)), None, "so is the last commit");
    talk.stored();
    assert_eq!(talk.consumer.parked(&tp(0)), Some(parked(15)));
    talk
}

fn gains(talk: &mut Talk) -> Vec<(Gain, i64)> {
    let mut gains = Vec::new();
    for order in talk.orders() {
        if let Order::Gain { gain, position, .. } = order {
            gains.push((gain, position.0));
        }
    }
    gains
}

#[test]
fn what_is_drained_is_kept_and_goes_on_where_it_stood_under_a_new_gain() {
    let mut talk = drained(drain());
    let told = talk.outputs();
    let is_told = |it: &Output| matches!(it, Output::Event(Event::Parked { is_clean: true, .. }));
    assert!(told.iter().any(is_told), "{told:?}");
    // Nothing brings it back but a release.
    talk.consumer.handle_metadata(talk.now, picture(2, 6));
    assert!(!talk.orders().iter().any(|it| matches!(it, Order::Gain { .. })));
    assert_eq!(talk.consumer.position(&tp(0)), Some(Some(Position(15))));
    direct(&mut talk, Directive::Release);
    assert_eq!(gains(&mut talk), [(Gain(3), 15)]);
    // A word of the time before counts for nothing.
    talk.frontier(0, 18);
    assert!(talk.commits().is_empty());
}

#[test]
fn what_is_handed_over_goes_on_at_what_is_committed_by_then() {
    let mut talk = drained(hand_over());
    talk.outputs();
    direct(&mut talk, Directive::Release);
    let outputs = talk.outputs();
    assert!(
        matches!(&outputs[..], [Output::FetchCommitted(tps)] if *tps == [tp(0)]),
        "{outputs:?}"
    );
    talk.consumer.handle_committed(talk.now, &[tp(0)], vec![told(0, 0, 77)]);
    assert_eq!(gains(&mut talk), [(Gain(3), 77)]);
}

#[test]
fn a_hold_and_a_pause_do_not_undo_each_other() {
    let mut talk = Talk::running();
    direct(&mut talk, Directive::Hold);
    assert!(matches!(talk.orders()[..], [Order::Pause { .. }]));
    talk.consumer.handle_pause(&tp(0));
    direct(&mut talk, Directive::Release);
    assert!(!talk.orders().iter().any(|it| matches!(it, Order::Resume { .. })), "still paused");
    direct(&mut talk, Directive::Hold);
    talk.consumer.handle_resume(&tp(0));
    assert!(!talk.orders().iter().any(|it| matches!(it, Order::Resume { .. })), "still held");
    direct(&mut talk, Directive::Release);
    assert!(matches!(talk.orders()[..], [Order::Resume { .. }]));
}

#[test]
fn a_drain_that_outlives_its_deadline_is_told_to_be_unclean_and_its_late_words_do_not_count() {
    let mut talk = Talk::running();
    direct(&mut talk, drain());
    talk.frontier(0, 12);
    talk.outputs();
    while talk.consumer.parked(&tp(0)).is_none() {
        let next = talk.consumer.poll_timeout().unwrap();
        assert!(next <= at(DEADLINE), "it ends by its deadline");
        talk.sleep(next);
    }
    let left = Parked { position: Some(Position(12)), is_clean: false };
    assert_eq!(talk.consumer.parked(&tp(0)), Some(left));
    assert!(talk.orders().iter().any(|it| matches!(it, Order::Lost { .. })));
    talk.drained(0, 19, 0);
    assert_eq!(talk.consumer.position(&tp(0)), Some(Some(Position(12))));
    direct(&mut talk, Directive::Release);
    assert_eq!(gains(&mut talk), [(Gain(3), 12)]);
}

#[test]
fn without_commits_a_drain_keeps_the_position_too() {
    let mut talk = Talk::start(Config { commits: Commits::Nowhere, ..CONFIG }, 1);
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    assert!(talk.consumer.handle_seek(at(0), &tp(0), Position(5)));
    assert_eq!(gains(&mut talk), [(Gain(1), 5)]);
    direct(&mut talk, drain());
    talk.drained(0, 9, 0);
    assert_eq!(talk.consumer.parked(&tp(0)), Some(parked(9)));
    direct(&mut talk, Directive::Release);
    assert_eq!(gains(&mut talk), [(Gain(2), 9)]);
}

#[test]
fn a_seek_of_what_is_parked_says_where_it_goes_on() {
    for directive in [drain(), hand_over()] {
        let mut talk = drained(directive);
        talk.outputs();
        assert!(talk.consumer.handle_seek(talk.now, &tp(0), Position(3)));
        assert!(talk.orders().is_empty(), "it stays parked");
        direct(&mut talk, Directive::Release);
        assert_eq!(gains(&mut talk), [(Gain(3), 3)]);
        let position = Position(4);
        let position_epoch = LeaderEpoch(5);
        let report =
            Report::Frontier { tp: tp(0), gain: Gain(3), seeks: 0, position, position_epoch };
        talk.sleep(at(2_000));
        talk.consumer.handle_report(talk.now, report);
        assert_eq!(talk.commits(), [[(0, 4)]], "commits go on behind the seek");
    }
}

#[test]
fn a_partition_that_had_not_started_is_parked_at_once_and_starts_with_its_release() {
    let mut talk = Talk::start(CONFIG, 1);
    direct(&mut talk, drain());
    assert_eq!(talk.consumer.parked(&tp(0)), Some(Parked { position: None, is_clean: true }));
    talk.consumer.handle_metadata(at(0), picture(1, 5));
    talk.consumer.handle_committed(at(1), &[tp(0)], vec![told(0, 0, 42)]);
    assert_eq!(gains(&mut talk), []);
    direct(&mut talk, Directive::Release);
    talk.consumer.handle_committed(at(1), &[tp(0)], vec![told(0, 0, 42)]);
    assert_eq!(gains(&mut talk), [(Gain(2), 42)]);
}

#[test]
fn who_closes_while_partitions_are_drained_or_parked_waits_for_no_release() {
    for is_parked in [false, true] {
        let mut talk = if is_parked {
            drained(drain())
        } else {
            let mut talk = Talk::running();
            direct(&mut talk, drain());
            talk
        };
        talk.outputs();
        talk.consumer.handle_shutdown(talk.now, at(20_000));
        assert!(!talk.consumer.handle_directive(talk.now, &tp(0), Directive::Release), "too late");
        if !is_parked {
            talk.drained(0, 15, 0);
        }
        talk.drained(1, 20, 0);
        talk.stored();
        talk.consumer.handle_report(talk.now, Report::Closed);
        let outcome = talk.outcome().expect("it is over");
        let is_clean = |(_, it): &(_, Ending)| it.is_drained && it.is_committed;
        assert!(outcome.partitions.iter().all(is_clean), "{outcome:?}");
        assert_eq!(outcome.partitions[0].1.frontier, Some(Position(15)));
    }
}
