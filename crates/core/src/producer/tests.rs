//! A producer against a leader that loses requests, answers and its mind, by seed.

use std::collections::BTreeSet;

use super::*;
use crate::cluster::metadata::{Partition as Known, Topic, Update};
use crate::orders::Address;
use forebay_protocol::types::{LeaderEpoch, Offset};

const CONFIG: Config = Config {
    sequencing: Sequencing::Idempotent,
    max_in_flight: 5,
    max_request_bytes: 1000,
    delivery_timeout: Duration::from_secs(30),
    retry: RETRY,
    reconnect: RETRY,
};

const RETRY: backoff::Config =
    backoff::Config { first: Duration::from_millis(10), max: Duration::from_millis(100) };

const IDENTITY: Option<Identity> = Some(Identity { id: 7, epoch: 0 });

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn picture(partitions: i32) -> Arc<Metadata> {
    led((0..partitions).map(|number| (number, (1, 0))))
}

/// Each partition's leader and epoch.
fn led(leaders: impl IntoIterator<Item = (i32, (i32, i32))>) -> Arc<Metadata> {
    let known =
        |(broker, epoch)| Known { leader: Some(BrokerId(broker)), epoch: LeaderEpoch(epoch) };
    let partitions = leaders.into_iter().map(|(number, leader)| (number, known(leader)));
    let topic = Topic { partitions: partitions.collect(), ..Topic::default() };
    let address = |port| Address { host: "b".into(), port };
    let update = Update {
        brokers: BTreeMap::from([(BrokerId(1), address(1)), (BrokerId(2), address(2))]),
        topics: BTreeMap::from([("orders".into(), topic)]),
        ..Update::default()
    };
    Arc::new(Metadata::default().merge(update))
}

fn start(config: Config) -> Producer {
    let mut producer = Producer::new(config, Rng::from_seed(1));
    producer.handle_metadata(at(0), picture(2));
    producer.handle_up(at(0), BrokerId(1), Memory::Five);
    producer.handle_up(at(0), BrokerId(2), Memory::Five);
    producer
}

/// Hands in one batch of so many records and bytes.
fn hand(
    producer: &mut Producer,
    now: Instant,
    tp: &TopicPartition,
    id: BatchId,
    (records, bytes): (u32, usize),
) {
    producer.handle_batches(now, [NewBatch { id, tp: tp.clone(), records, bytes, since: now }]);
}

fn nth(id: BatchId) -> u64 {
    id.0 >> 20
}

fn outputs(producer: &mut Producer) -> Vec<Output> {
    std::iter::from_fn(|| producer.poll_output()).collect()
}

fn identified() -> Producer {
    let mut producer = start(CONFIG);
    hand(&mut producer, at(0), &tp(0), BatchId::nth(0), (10, 100));
    assert_eq!(outputs(&mut producer), [Output::InitProducerId { current: None }]);
    producer.handle_identity(at(0), IDENTITY);
    producer
}

/// A leader has stored the first batch, ten records under number 0.
fn known() -> Producer {
    let mut producer = identified();
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(0), first, &told(0));
    outputs(&mut producer);
    producer
}

fn sent(producer: &mut Producer) -> Vec<(RequestId, Vec<(u64, i32)>)> {
    let mut sent = Vec::new();
    for output in outputs(producer) {
        if let Output::Send { request, batches, .. } = output {
            let stamp = |stamp: Option<Stamp>| stamp.map_or(-1, |stamp| stamp.sequence);
            sent.push((
                request,
                batches.iter().map(|(_, id, it)| (nth(*id), stamp(*it))).collect(),
            ));
        }
    }
    sent
}

fn told(code: i16) -> Answer {
    Answer::Told(vec![Told { tp: tp(0), code, base_offset: Offset(100) }])
}

fn done(producer: &mut Producer) -> Vec<(u64, Result<Option<Offset>, Failure>)> {
    let mut done = Vec::new();
    for output in outputs(producer) {
        if let Output::Done { batch, result } = output {
            done.push((nth(batch), result));
        }
    }
    done
}

#[test]
fn sequences_count_records_and_five_requests_are_on_their_way_at_most() {
    let mut producer = known();
    for id in 1..8 {
        hand(&mut producer, at(0), &tp(0), BatchId::nth(id), (10, 100));
    }
    let requests = sent(&mut producer);
    let batches: Vec<_> = requests.iter().flat_map(|(_, batches)| batches.clone()).collect();
    assert_eq!(batches, [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]);
    producer.handle_answer(at(1), requests[0].0, &told(0));
    assert_eq!(
        outputs(&mut producer)[0],
        Output::Done { batch: BatchId::nth(1), result: Ok(Some(Offset(100))) }
    );
}

#[test]
fn a_broker_that_remembers_one_batch_gets_one_at_a_time_of_each_partition() {
    assert_eq!((Memory::of(3), Memory::of(5)), (Memory::One, Memory::Five));
    let mut producer = known();
    producer.handle_up(at(0), BrokerId(1), Memory::One);
    for id in 1..4 {
        hand(&mut producer, at(0), &tp(0), BatchId::nth(id), (10, 100));
    }
    let first = sent(&mut producer);
    assert_eq!(first.iter().map(|(_, batches)| batches.clone()).collect::<Vec<_>>(), [[(1, 10)]]);
    assert!(producer.is_busy(&tp(0)));
    hand(&mut producer, at(0), &tp(1), BatchId::nth(4), (10, 100));
    assert_eq!(sent(&mut producer)[0].1, [(4, 0)], "another partition need not wait");
    producer.handle_answer(at(1), first[0].0, &told(0));
    assert_eq!(sent(&mut producer)[0].1, [(2, 20)]);
}

#[test]
fn until_a_leader_has_stored_a_first_batch_no_second_one_leaves() {
    let mut producer = identified();
    hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (10, 100));
    let first = sent(&mut producer);
    assert_eq!(first[0].1, [(0, 0)]);
    assert_eq!(first.len(), 1);
    // The topic is new and its leader does not know it yet.
    producer.handle_answer(at(1), first[0].0, &told(3));
    producer.handle_timeout(at(200));
    let again = sent(&mut producer);
    assert_eq!(again.iter().map(|(_, batches)| batches.clone()).collect::<Vec<_>>(), [[(0, 0)]]);
    producer.handle_answer(at(201), again[0].0, &told(0));
    assert_eq!(sent(&mut producer)[0].1, [(1, 10)]);
}

#[test]
fn a_lost_answer_is_sent_again_under_the_same_sequence_and_a_duplicate_is_success() {
    let mut producer = identified();
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(1), first, &Answer::Lost);
    assert!(outputs(&mut producer).contains(&Output::StaleMetadata));
    producer.handle_timeout(at(20));
    let again = sent(&mut producer);
    assert_eq!(again[0].1, [(0, 0)]);
    producer.handle_answer(at(21), again[0].0, &told(46));
    assert_eq!(done(&mut producer), [(0, Ok(None))]);
}

#[test]
fn retries_keep_the_order_and_go_one_at_a_time_until_one_succeeds() {
    let mut producer = known();
    for id in 1..3 {
        hand(&mut producer, at(0), &tp(0), BatchId::nth(id), (10, 100));
    }
    let requests = sent(&mut producer);
    producer.handle_answer(at(1), requests[0].0, &told(6));
    producer.handle_answer(at(1), requests[1].0, &told(45));
    assert_eq!(done(&mut producer), []);
    producer.handle_timeout(at(50));
    let again = sent(&mut producer);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1, [(1, 10)]);
    producer.handle_answer(at(51), again[0].0, &told(0));
    let next = sent(&mut producer);
    assert_eq!(next[0].1, [(2, 20)]);
}

#[test]
fn a_refused_batch_fails_alone_and_the_partition_goes_on_under_a_new_identity() {
    let mut producer = known();
    for id in 1..3 {
        hand(&mut producer, at(0), &tp(0), BatchId::nth(id), (10, 100));
    }
    let requests = sent(&mut producer);
    producer.handle_answer(at(1), requests[0].0, &told(87));
    assert_eq!(done(&mut producer), [(1, Err(Failure::Refused { code: 87 }))]);
    producer.handle_answer(at(1), requests[1].0, &told(45));
    assert_eq!(outputs(&mut producer), [Output::InitProducerId { current: IDENTITY }]);
    producer.handle_identity(at(2), Some(Identity { id: 8, epoch: 0 }));
    let next = sent(&mut producer);
    assert_eq!(next[0].1, [(2, 0)]);
}

#[test]
fn a_batch_that_was_never_sent_is_late_and_one_that_was_is_unknown() {
    let mut producer = start(CONFIG);
    hand(&mut producer, at(0), &tp(0), BatchId::nth(0), (1, 10));
    producer.handle_timeout(at(30_000));
    assert_eq!(done(&mut producer), [(0, Err(Failure::Late { last: 0 }))]);

    let mut producer = identified();
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(29_999), first, &Answer::Lost);
    producer.handle_timeout(at(30_000));
    assert_eq!(done(&mut producer), [(0, Err(Failure::Unknown { last: 0 }))]);
}

#[test]
fn a_missing_leader_is_asked_for_once_per_picture() {
    let mut producer = identified();
    outputs(&mut producer);
    producer.handle_metadata(at(1), Arc::default());
    assert_eq!(outputs(&mut producer), []);
    hand(&mut producer, at(1), &tp(1), BatchId::nth(1), (1, 10));
    hand(&mut producer, at(1), &tp(1), BatchId::nth(2), (1, 10));
    assert_eq!(outputs(&mut producer), [Output::StaleMetadata]);
    producer.handle_metadata(at(2), Arc::default());
    assert_eq!(outputs(&mut producer), [Output::StaleMetadata]);
    producer.handle_metadata(at(3), picture(2));
    let requests: Vec<_> = sent(&mut producer).into_iter().map(|(_, batches)| batches).collect();
    assert_eq!(requests, [[(1, 0)]]);
}

#[test]
fn a_request_carries_one_batch_per_partition_and_no_more_than_its_bytes() {
    let mut producer = identified();
    outputs(&mut producer);
    hand(&mut producer, at(0), &tp(1), BatchId::nth(1), (1, 900));
    assert_eq!(sent(&mut producer).len(), 1);
    let mut producer = known();
    for (id, partition) in [(1, 0), (2, 1), (3, 0)] {
        hand(&mut producer, at(0), &tp(partition), BatchId::nth(id), (1, 600));
    }
    let requests: Vec<_> = sent(&mut producer).into_iter().map(|(_, batches)| batches).collect();
    assert_eq!(requests, [vec![(1, 10)], vec![(2, 0)], vec![(3, 11)]]);
}

#[test]
fn a_batch_too_large_becomes_two_with_the_sequences_of_their_records() {
    let mut producer = known();
    hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (7, 100));
    hand(&mut producer, at(0), &tp(0), BatchId::nth(2), (1, 100));
    let requests = sent(&mut producer);
    producer.handle_answer(at(1), requests[0].0, &told(10));
    let said = outputs(&mut producer);
    let Output::Split { batch, records: 3, rest } = said[0] else { panic!("{said:?}") };
    assert!(batch == BatchId::nth(1) && batch < rest && rest < BatchId::nth(2));
    // The broker has a gap there until both parts are stored.
    producer.handle_answer(at(1), requests[1].0, &told(45));
    let mut sequences = Vec::new();
    while let [(request, batches)] = sent(&mut producer).as_slice() {
        sequences.extend(batches.iter().map(|(_, sequence)| *sequence));
        producer.handle_answer(at(2), *request, &told(0));
    }
    assert_eq!(sequences, [10, 13, 17]);
}

#[test]
fn a_connection_is_asked_for_once_and_again_after_its_back_off() {
    let mut producer = Producer::new(CONFIG, Rng::from_seed(1));
    producer.handle_metadata(at(0), picture(2));
    hand(&mut producer, at(0), &tp(0), BatchId::nth(0), (1, 10));
    producer.handle_identity(at(0), IDENTITY);
    hand(&mut producer, at(0), &tp(1), BatchId::nth(1), (1, 10));
    let dial = Output::Connect { broker: BrokerId(1) };
    assert_eq!(outputs(&mut producer), [Output::InitProducerId { current: None }, dial.clone()]);
    producer.handle_down(at(1), BrokerId(1), Down::Failed);
    assert_eq!(outputs(&mut producer), [Output::StaleMetadata]);
    producer.handle_timeout(at(30));
    assert_eq!(outputs(&mut producer), [dial]);
    producer.handle_up(at(31), BrokerId(1), Memory::Five);
    assert_eq!(sent(&mut producer)[0].1, [(0, 0), (1, 0)]);
}

#[test]
fn while_a_batch_is_on_its_way_to_the_old_leader_none_goes_to_the_new_one() {
    let mut producer = known();
    hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (10, 100));
    let first = sent(&mut producer)[0].0;
    producer.handle_metadata(at(1), led([(0, (2, 1))]));
    hand(&mut producer, at(1), &tp(0), BatchId::nth(2), (10, 100));
    assert_eq!(sent(&mut producer), []);
    producer.handle_answer(at(2), first, &told(0));
    assert_eq!(sent(&mut producer)[0].1, [(2, 20)]);
}

#[test]
fn another_leader_gets_its_chance_without_back_off_and_the_same_one_does_not() {
    for (news, is_sent) in [(led([(0, (2, 1))]), true), (led([(0, (1, 0))]), false)] {
        let mut producer = known();
        hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (10, 100));
        let first = sent(&mut producer)[0].0;
        producer.handle_answer(at(1), first, &told(6));
        producer.handle_metadata(at(1), news);
        assert_eq!(sent(&mut producer).len(), usize::from(is_sent));
    }
}

#[test]
fn the_next_epoch_is_asked_for_and_a_fenced_identity_has_none() {
    for (code, expected) in [(45, IDENTITY), (59, IDENTITY), (47, None)] {
        let mut producer = known();
        hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (10, 100));
        let first = sent(&mut producer)[0].0;
        producer.handle_answer(at(1), first, &told(code));
        assert_eq!(outputs(&mut producer), [Output::InitProducerId { current: expected }]);
        producer.handle_identity(at(1), Some(Identity { id: 7, epoch: 1 }));
        producer.handle_timeout(at(20));
        assert_eq!(sent(&mut producer)[0].1, [(1, 0)], "surely not written: numbered anew");
    }
}

#[test]
fn what_may_have_been_written_is_not_numbered_anew() {
    let mut producer = known();
    hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (10, 100));
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(1), first, &Answer::Lost);
    producer.handle_timeout(at(20));
    let again = sent(&mut producer)[0].0;
    producer.handle_answer(at(21), again, &told(45));
    assert_eq!(done(&mut producer), [(1, Err(Failure::Unknown { last: 45 }))]);
}

#[test]
fn a_partition_is_busy_while_another_batch_would_wait() {
    let mut producer = known();
    assert!(!producer.is_busy(&tp(0)));
    hand(&mut producer, at(0), &tp(0), BatchId::nth(1), (10, 100));
    assert!(!producer.is_busy(&tp(0)), "one request is on its way");
    hand(&mut producer, at(0), &tp(0), BatchId::nth(2), (10, 100));
    assert!(producer.is_busy(&tp(0)), "what is not full had better gather behind two");
    assert!(producer.is_busy(&tp(1)), "its leader has as much to do");
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(1), first, &told(0));
    assert!(!producer.is_busy(&tp(0)));
}

mod faults;
