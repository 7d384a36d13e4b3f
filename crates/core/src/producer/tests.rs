//! A producer against a leader that loses requests, answers and its mind, by seed.

use std::collections::BTreeSet;

use super::*;
use crate::cluster::metadata::{Partition as Known, Topic, Update};
use crate::orders::Address;
use forebay_protocol::types::LeaderEpoch;

const CONFIG: Config = Config {
    sequencing: Sequencing::Idempotent,
    max_in_flight: 5,
    max_request_bytes: 1000,
    delivery_timeout: Duration::from_secs(30),
    retry: backoff::Config { first: Duration::from_millis(10), max: Duration::from_millis(100) },
};

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn picture(partitions: i32) -> Arc<Metadata> {
    let known = Known { leader: Some(BrokerId(1)), epoch: LeaderEpoch(0) };
    let topic = Topic {
        partitions: (0..partitions).map(|number| (number, known)).collect(),
        ..Topic::default()
    };
    let update = Update {
        brokers: BTreeMap::from([(BrokerId(1), Address { host: "b".into(), port: 1 })]),
        topics: BTreeMap::from([("orders".into(), topic)]),
        ..Update::default()
    };
    Arc::new(Metadata::default().merge(update))
}

fn start(config: Config) -> Producer {
    let mut producer = Producer::new(config, Rng::from_seed(1));
    producer.handle_metadata(at(0), picture(2));
    producer
}

fn outputs(producer: &mut Producer) -> Vec<Output> {
    std::iter::from_fn(|| producer.poll_output()).collect()
}

fn identified() -> Producer {
    let mut producer = start(CONFIG);
    producer.handle_batch(at(0), &tp(0), BatchId(0), (10, 100));
    assert_eq!(outputs(&mut producer), [Output::InitProducerId]);
    producer.handle_identity(at(0), Some(Identity { id: 7, epoch: 0 }));
    producer
}

/// A leader has stored the first batch, ten records under number 0.
fn known() -> Producer {
    let mut producer = identified();
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(0), first, told(0));
    outputs(&mut producer);
    producer
}

fn sent(producer: &mut Producer) -> Vec<(RequestId, Vec<(u64, i32)>)> {
    let mut sent = Vec::new();
    for output in outputs(producer) {
        if let Output::Send { request, batches, .. } = output {
            let stamp = |stamp: Option<Stamp>| stamp.map_or(-1, |stamp| stamp.sequence);
            sent.push((request, batches.iter().map(|(_, id, it)| (id.0, stamp(*it))).collect()));
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
            done.push((batch.0, result));
        }
    }
    done
}

#[test]
fn sequences_count_records_and_five_requests_are_on_their_way_at_most() {
    let mut producer = known();
    for id in 1..8 {
        producer.handle_batch(at(0), &tp(0), BatchId(id), (10, 100));
    }
    let requests = sent(&mut producer);
    let batches: Vec<_> = requests.iter().flat_map(|(_, batches)| batches.clone()).collect();
    assert_eq!(batches, [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]);
    producer.handle_answer(at(1), requests[0].0, told(0));
    assert_eq!(
        outputs(&mut producer)[0],
        Output::Done { batch: BatchId(1), result: Ok(Some(Offset(100))) }
    );
}

#[test]
fn until_a_leader_has_stored_a_first_batch_no_second_one_leaves() {
    let mut producer = identified();
    producer.handle_batch(at(0), &tp(0), BatchId(1), (10, 100));
    let first = sent(&mut producer);
    assert_eq!(first[0].1, [(0, 0)]);
    assert_eq!(first.len(), 1);
    // The topic is new and its leader does not know it yet.
    producer.handle_answer(at(1), first[0].0, told(3));
    producer.handle_timeout(at(200));
    let again = sent(&mut producer);
    assert_eq!(again.iter().map(|(_, batches)| batches.clone()).collect::<Vec<_>>(), [[(0, 0)]]);
    producer.handle_answer(at(201), again[0].0, told(0));
    assert_eq!(sent(&mut producer)[0].1, [(1, 10)]);
}

#[test]
fn a_lost_answer_is_sent_again_under_the_same_sequence_and_a_duplicate_is_success() {
    let mut producer = identified();
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(1), first, Answer::Lost);
    assert!(outputs(&mut producer).contains(&Output::StaleMetadata));
    producer.handle_timeout(at(20));
    let again = sent(&mut producer);
    assert_eq!(again[0].1, [(0, 0)]);
    producer.handle_answer(at(21), again[0].0, told(46));
    assert_eq!(done(&mut producer), [(0, Ok(None))]);
}

#[test]
fn retries_keep_the_order_and_go_one_at_a_time_until_one_succeeds() {
    let mut producer = known();
    for id in 1..3 {
        producer.handle_batch(at(0), &tp(0), BatchId(id), (10, 100));
    }
    let requests = sent(&mut producer);
    producer.handle_answer(at(1), requests[0].0, told(6));
    producer.handle_answer(at(1), requests[1].0, told(45));
    assert_eq!(done(&mut producer), []);
    producer.handle_timeout(at(50));
    let again = sent(&mut producer);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1, [(1, 10)]);
    producer.handle_answer(at(51), again[0].0, told(0));
    let next = sent(&mut producer);
    assert_eq!(next[0].1, [(2, 20)]);
}

#[test]
fn a_refused_batch_fails_alone_and_the_partition_goes_on_under_a_new_identity() {
    let mut producer = known();
    for id in 1..3 {
        producer.handle_batch(at(0), &tp(0), BatchId(id), (10, 100));
    }
    let requests = sent(&mut producer);
    producer.handle_answer(at(1), requests[0].0, told(10));
    assert_eq!(done(&mut producer), [(1, Err(Failure::Refused { code: 10 }))]);
    producer.handle_answer(at(1), requests[1].0, told(45));
    assert_eq!(outputs(&mut producer), [Output::InitProducerId]);
    producer.handle_identity(at(2), Some(Identity { id: 8, epoch: 0 }));
    let next = sent(&mut producer);
    assert_eq!(next[0].1, [(2, 0)]);
}

#[test]
fn a_batch_that_was_never_sent_is_late_and_one_that_was_is_unknown() {
    let mut producer = start(CONFIG);
    producer.handle_batch(at(0), &tp(0), BatchId(0), (1, 10));
    producer.handle_timeout(at(30_000));
    assert_eq!(done(&mut producer), [(0, Err(Failure::Late))]);

    let mut producer = identified();
    let first = sent(&mut producer)[0].0;
    producer.handle_answer(at(29_999), first, Answer::Lost);
    producer.handle_timeout(at(30_000));
    assert_eq!(done(&mut producer), [(0, Err(Failure::Unknown))]);
}

#[test]
fn a_missing_leader_is_asked_for_once_per_picture() {
    let mut producer = identified();
    outputs(&mut producer);
    producer.handle_metadata(at(1), Arc::default());
    assert_eq!(outputs(&mut producer), []);
    producer.handle_batch(at(1), &tp(1), BatchId(1), (1, 10));
    producer.handle_batch(at(1), &tp(1), BatchId(2), (1, 10));
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
    producer.handle_batch(at(0), &tp(1), BatchId(1), (1, 900));
    assert_eq!(sent(&mut producer).len(), 1);
    let mut producer = known();
    for (id, partition) in [(1, 0), (2, 1), (3, 0)] {
        producer.handle_batch(at(0), &tp(partition), BatchId(id), (1, 600));
    }
    let requests: Vec<_> = sent(&mut producer).into_iter().map(|(_, batches)| batches).collect();
    assert_eq!(requests, [vec![(1, 10)], vec![(2, 0)], vec![(3, 11)]]);
}

/// A leader as Kafka's: sequences per producer, duplicates known, gaps refused.
#[derive(Default)]
struct Log {
    batches: Vec<u64>,
    last: BTreeMap<i64, i32>,
    stored: BTreeSet<(i64, i32)>,
}

impl Log {
    fn append(&mut self, id: u64, stamp: Stamp, records: i32) -> i16 {
        let (producer, sequence) = (stamp.identity.id, stamp.sequence);
        if self.stored.contains(&(producer, sequence)) {
            return 46;
        }
        if self.last.get(&producer).copied().unwrap_or(0) != sequence {
            return 45;
        }
        self.last.insert(producer, sequence + records);
        self.stored.insert((producer, sequence));
        self.batches.push(id);
        0
    }
}

struct World {
    rng: Rng,
    producer: Producer,
    logs: [Log; 2],
    wire: VecDeque<(RequestId, Stamped)>,
    results: BTreeMap<u64, Result<Option<Offset>, Failure>>,
    next_identity: i64,
    asked_identity: bool,
}

const RECORDS: u32 = 3;

impl World {
    fn take_outputs(&mut self) {
        for output in outputs(&mut self.producer) {
            match output {
                Output::Send { request, batches, .. } => self.wire.push_back((request, batches)),
                Output::InitProducerId => self.asked_identity = true,
                Output::StaleMetadata => {}
                Output::Done { batch, result } => {
                    assert!(self.results.insert(batch.0, result).is_none(), "told twice");
                }
            }
        }
        assert!(self.wire.len() <= 5);
    }

    fn answer_identity(&mut self, now: Instant) {
        if std::mem::take(&mut self.asked_identity) {
            self.next_identity += 1;
            let identity = Identity { id: self.next_identity, epoch: 0 };
            self.producer.handle_identity(now, Some(identity));
        }
    }

    /// The broker takes the oldest request; with `faults` it may lose it, or its answer, or err.
    fn serve(&mut self, now: Instant, faults: usize) {
        let Some((request, batches)) = self.wire.pop_front() else { return };
        let fault = if faults == 0 { 9 } else { self.rng.below(10) };
        if fault == 0 {
            return self.producer.handle_answer(now, request, Answer::Lost);
        }
        let mut told = Vec::new();
        for (tp, id, stamp) in batches {
            let log = &mut self.logs[usize::try_from(tp.partition).unwrap()];
            let code = match fault {
                1 => 6,
                2 if self.rng.below(4) == 0 => 10,
                _ => log.append(id.0, stamp.unwrap(), i32::try_from(RECORDS).unwrap()),
            };
            told.push(Told { tp, code, base_offset: Offset(0) });
        }
        let answer = if fault == 3 { Answer::Lost } else { Answer::Told(told) };
        self.producer.handle_answer(now, request, answer);
    }
}

#[test]
fn whatever_is_lost_acked_batches_are_stored_once_and_in_order() {
    for seed in 0..300 {
        let mut world = World {
            rng: Rng::from_seed(seed),
            producer: start(CONFIG),
            logs: Default::default(),
            wire: VecDeque::new(),
            results: BTreeMap::new(),
            next_identity: 0,
            asked_identity: false,
        };
        let mut now = at(0);
        let mut next = 0;
        for step in 0..1500 {
            now = now.after(Duration::from_millis(world.rng.below(15) as u64));
            if step < 500 && world.rng.below(2) == 0 {
                let partition = i32::try_from(world.rng.below(2)).unwrap();
                world.producer.handle_batch(now, &tp(partition), BatchId(next), (RECORDS, 100));
                next += 1;
            }
            world.take_outputs();
            world.answer_identity(now);
            if world.rng.below(3) != 0 {
                world.serve(now, if step < 600 { 1 } else { 0 });
            }
            world.producer.handle_timeout(now);
            world.take_outputs();
        }
        check(&world, next, seed);
    }
}

fn check(world: &World, handed_in: u64, seed: u64) {
    assert_eq!(world.results.len() as u64, handed_in, "seed {seed}: every batch ends");
    let mut stored = BTreeSet::new();
    for log in &world.logs {
        assert!(log.batches.is_sorted(), "seed {seed}: order, {:?}", log.batches);
        for id in &log.batches {
            assert!(stored.insert(*id), "seed {seed}: batch {id} was written twice");
        }
    }
    for (id, result) in &world.results {
        match result {
            Ok(_) => assert!(stored.contains(id), "seed {seed}: acked batch {id} is lost"),
            Err(Failure::Unknown) => {}
            Err(failure) => {
                assert!(!stored.contains(id), "seed {seed}: batch {id} was written: {failure:?}");
            }
        }
    }
}
