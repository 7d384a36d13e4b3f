//! Leaders that move, forget, split hairs and lose requests and answers, by seed: whatever happens,
//! each record is answered once, what is acked is stored once and in order.

use super::*;

/// A log as Kafka's: sequences per producer, the last five batches known, gaps refused.
#[derive(Default)]
struct Log {
    records: Vec<u64>,
    writers: BTreeMap<i64, Writer>,
}

#[derive(Default)]
struct Writer {
    epoch: i16,
    next: i32,
    known: VecDeque<i32>,
}

/// What can be wrong with this world, to see whether the check notices.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Defect {
    None,
    /// Brokers take whatever comes, however often.
    NoSequences,
    /// Of the requests of one connection the last is carried out first, whatever its sequence; what
    /// is there is not taken twice.
    Overtaking,
    /// Brokers say that they have what they have not.
    EmptyAcks,
    /// Brokers refuse what they have.
    FalseRefusals,
}

impl Log {
    fn append(&mut self, stamp: Stamp, records: &[u64], defect: Defect) -> i16 {
        let is_there = records.iter().any(|record| self.records.contains(record));
        match defect {
            Defect::Overtaking if is_there => return 46,
            Defect::NoSequences | Defect::Overtaking => {
                self.records.extend(records);
                return 0;
            }
            Defect::None | Defect::EmptyAcks | Defect::FalseRefusals => {}
        }
        let Stamp { identity, sequence } = stamp;
        let is_new = !self.writers.contains_key(&identity.id);
        let writer = self.writers.entry(identity.id).or_default();
        if identity.epoch < writer.epoch {
            return 47;
        }
        if is_new || writer.epoch < identity.epoch {
            if !is_new && sequence != 0 {
                return 45;
            }
            *writer = Writer { epoch: identity.epoch, next: sequence, known: VecDeque::new() };
        }
        if writer.known.contains(&sequence) {
            return 46;
        }
        if writer.next != sequence {
            return 45;
        }
        if writer.known.len() == 5 {
            writer.known.pop_front();
        }
        writer.known.push_back(sequence);
        writer.next = sequence + i32::try_from(records.len()).unwrap();
        self.records.extend(records);
        0
    }
}

type OnTheWire = (RequestId, Vec<(TopicPartition, Stamp, Vec<u64>)>);

struct World {
    defect: Defect,
    rng: Rng,
    producer: Producer,
    logs: [Log; 2],
    leaders: [(i32, i32); 2],
    wires: BTreeMap<BrokerId, VecDeque<OnTheWire>>,
    dialled: BTreeSet<BrokerId>,
    /// Requests of dead connections, which brokers may still carry out.
    ghosts: Vec<OnTheWire>,
    /// Requests for a connection that had ended already.
    unsent: Vec<RequestId>,
    contents: BTreeMap<BatchId, Vec<u64>>,
    results: BTreeMap<u64, Result<(), Failure>>,
    handed: [Vec<u64>; 2],
    next_id: i64,
    asked: Option<Option<Identity>>,
    largest: usize,
}

impl World {
    fn new(seed: u64, defect: Defect) -> Self {
        let mut producer = Producer::new(CONFIG, Rng::from_seed(seed));
        producer.handle_metadata(at(0), picture(2));
        Self {
            defect,
            rng: Rng::from_seed(seed),
            producer,
            logs: Default::default(),
            leaders: [(1, 0); 2],
            wires: BTreeMap::new(),
            dialled: BTreeSet::new(),
            ghosts: Vec::new(),
            unsent: Vec::new(),
            contents: BTreeMap::new(),
            results: BTreeMap::new(),
            handed: Default::default(),
            next_id: 0,
            asked: None,
            largest: 100,
        }
    }

    fn hand_in(&mut self, now: Instant, nth: u64) {
        let at = self.rng.below(2);
        let count = 1 + self.rng.below(6) as u64;
        let records: Vec<u64> = (nth * 10..nth * 10 + count).collect();
        self.handed[at].extend(&records);
        let id = BatchId::nth(nth);
        let (len, partition) = (u32::try_from(records.len()).unwrap(), tp(at.try_into().unwrap()));
        self.contents.insert(id, records);
        hand(&mut self.producer, now, &partition, id, (len, 100));
    }

    fn take_outputs(&mut self) {
        for output in outputs(&mut self.producer) {
            match output {
                Output::Connect { broker } => {
                    assert!(self.dialled.insert(broker), "dialled twice");
                }
                Output::Send { request, broker, batches, .. } => {
                    let load = |(tp, id, stamp): (TopicPartition, BatchId, Option<Stamp>)| {
                        (tp, stamp.unwrap(), self.contents[&id].clone())
                    };
                    let load: Vec<_> = batches.into_iter().map(load).collect();
                    if let Some(wire) = self.wires.get_mut(&broker) {
                        wire.push_back((request, load));
                        assert!(wire.len() <= 5);
                    } else {
                        self.unsent.push(request);
                    }
                }
                Output::InitProducerId { current } => {
                    assert!(self.asked.replace(current).is_none(), "asked twice");
                }
                Output::StaleMetadata => {}
                Output::Split { batch, records, rest } => {
                    let first = self.contents.get_mut(&batch).unwrap();
                    let second = first.split_off(records as usize);
                    assert!(!first.is_empty() && !second.is_empty());
                    self.contents.insert(rest, second);
                }
                Output::Done { batch, result } => {
                    for record in self.contents.remove(&batch).expect("answered once") {
                        self.results.insert(record, result.map(drop));
                    }
                }
            }
        }
    }

    fn answer_identity(&mut self, now: Instant, faults: usize) {
        let Some(current) = self.asked.take() else { return };
        let bumped = current.map(|it| Identity { epoch: it.epoch + 1, ..it });
        self.next_id += 1;
        let fresh = Identity { id: self.next_id, epoch: 0 };
        let identity = match self.rng.below(4) {
            0 if 0 < faults => None,
            1 => Some(fresh),
            _ => bumped.or(Some(fresh)),
        };
        self.producer.handle_identity(now, identity);
    }

    /// The network: connections come up, and with faults go down or are never made.
    fn connect(&mut self, now: Instant, faults: usize) {
        for broker in std::mem::take(&mut self.dialled) {
            if 0 < faults && self.rng.below(4) == 0 {
                self.producer.handle_down(now, broker, Down::Failed);
            } else {
                self.wires.insert(broker, VecDeque::new());
                self.producer.handle_up(now, broker, Memory::Five);
            }
        }
        let up: Vec<_> = self.wires.keys().copied().collect();
        for broker in up {
            if 0 < faults && self.rng.below(40) == 0 {
                let lost = self.wires.remove(&broker).unwrap();
                let how = if self.rng.below(2) == 0 { Down::Idle } else { Down::Failed };
                self.producer.handle_down(now, broker, how);
                for (request, _) in &lost {
                    self.producer.handle_answer(now, *request, &Answer::Lost);
                }
                self.ghosts.extend(lost);
            }
        }
    }

    fn move_leader(&mut self, now: Instant) {
        let at = self.rng.below(2);
        let (broker, epoch) = self.leaders[at];
        self.leaders[at] = (3 - broker, epoch + 1);
        if self.rng.below(2) == 0 {
            self.tell_leaders(now);
        }
    }

    fn tell_leaders(&mut self, now: Instant) {
        let leaders = [0, 1].map(|at| (at, self.leaders[usize::try_from(at).unwrap()]));
        self.producer.handle_metadata(now, led(leaders));
    }

    fn append(&mut self, broker: Option<BrokerId>, load: &OnTheWire, fault: usize) -> Vec<Told> {
        let mut told = Vec::new();
        for (tp, stamp, records) in &load.1 {
            let at = usize::try_from(tp.partition).unwrap();
            let log = &mut self.logs[at];
            let is_stored = records.iter().any(|record| log.records.contains(record));
            let code = match fault {
                _ if broker.is_some_and(|it| it.0 != self.leaders[at].0) => 6,
                1 => [7, 19, 56, 5][self.rng.below(4)],
                // What cannot be of a batch that is there.
                2 if !is_stored => [45, 59, 47, 87][self.rng.below(4)],
                _ if self.largest < records.len() => 10,
                5 if self.defect == Defect::EmptyAcks => 0,
                5 if self.defect == Defect::FalseRefusals => {
                    log.append(*stamp, records, self.defect);
                    87
                }
                _ => log.append(*stamp, records, self.defect),
            };
            told.push(Told { tp: tp.clone(), code, base_offset: Offset(0) });
        }
        told
    }

    /// A broker takes its oldest request; with faults it may lose it, or its answer, or err.
    fn serve(&mut self, now: Instant, faults: usize) {
        for request in std::mem::take(&mut self.unsent) {
            self.producer.handle_answer(now, request, &Answer::NotSent);
        }
        let brokers: Vec<_> = self.wires.keys().copied().collect();
        let Some(broker) = brokers.get(self.rng.below(brokers.len())).copied() else { return };
        let overtakes = self.defect == Defect::Overtaking;
        let next = if overtakes { VecDeque::pop_back } else { VecDeque::pop_front };
        let Some(load) = self.wires.get_mut(&broker).and_then(next) else { return };
        let fault = if faults == 0 { 9 } else { self.rng.below(12) };
        let answer = match fault {
            0 => Answer::Lost,
            3 => {
                self.append(Some(broker), &load, fault);
                Answer::Lost
            }
            4 if self.rng.below(8) == 0 => Answer::NotSent,
            _ => Answer::Told(self.append(Some(broker), &load, fault)),
        };
        self.producer.handle_answer(now, load.0, &answer);
    }

    fn haunt(&mut self) {
        if !self.ghosts.is_empty() && self.rng.below(4) == 0 {
            let load = self.ghosts.swap_remove(self.rng.below(self.ghosts.len()));
            self.append(None, &load, 9);
        }
    }
}

/// Faults for a while, then none: then everything must end.
#[test]
fn whatever_happens_each_record_is_answered_once_and_acked_ones_are_stored_once_in_order() {
    let mut seen = BTreeMap::<String, usize>::new();
    for seed in 0..120 {
        let world = play(seed, Defect::None);
        check(&world, seed);
        for result in world.results.values() {
            *seen.entry(format!("{result:?}")).or_default() += 1;
        }
    }
    assert!(seen.len() > 3, "the faults reach different ends: {seen:?}");
}

/// One seed from its first record to its end.
fn play(seed: u64, defect: Defect) -> World {
    let mut world = World::new(seed, defect);
    let mut now = at(0);
    let mut next = 0;
    for step in 0..2500 {
        let faults = usize::from(step < 1200);
        now = now.after(Duration::from_millis(world.rng.below(15) as u64));
        if step < 1000 && world.rng.below(3) == 0 {
            world.hand_in(now, next);
            next += 1;
        }
        world.largest = if faults == 1 { 1 + world.rng.below(12) } else { 100 };
        world.take_outputs();
        world.answer_identity(now, faults);
        world.connect(now, faults);
        world.take_outputs();
        world.haunt();
        if faults == 1 && world.rng.below(60) == 0 {
            world.move_leader(now);
        }
        if world.rng.below(20) == 0 {
            world.tell_leaders(now);
        }
        world.take_outputs();
        world.serve(now, faults);
        world.producer.handle_timeout(now);
        world.take_outputs();
    }
    world
}

/// Judges worlds with this defect until one is found out.
fn until_found_out(defect: Defect) {
    (0..120).for_each(|seed| check(&play(seed, defect), seed));
}

#[test]
#[should_panic(expected = "was written twice")]
fn brokers_that_forget_sequences_are_found_out() {
    until_found_out(Defect::NoSequences);
}

#[test]
#[should_panic(expected = "order, [")]
fn requests_that_overtake_each_other_are_found_out() {
    until_found_out(Defect::Overtaking);
}

#[test]
#[should_panic(expected = "is lost")]
fn acks_of_what_is_not_there_are_found_out() {
    until_found_out(Defect::EmptyAcks);
}

#[test]
#[should_panic(expected = "was written: Refused")]
fn refusals_of_what_is_there_are_found_out() {
    until_found_out(Defect::FalseRefusals);
}

fn check(world: &World, seed: u64) {
    let handed: usize = world.handed.iter().map(Vec::len).sum();
    assert_eq!(world.results.len(), handed, "seed {seed}: every record ends");
    for (log, handed) in world.logs.iter().zip(&world.handed) {
        let mut stored = BTreeSet::new();
        for record in &log.records {
            assert!(stored.insert(*record), "seed {seed}: record {record} was written twice");
        }
        // What nobody vouches for may be stored late, by a request of a dead connection.
        let acked: Vec<_> =
            log.records.iter().filter(|record| world.results[record].is_ok()).collect();
        assert!(acked.is_sorted(), "seed {seed}: order, {acked:?}");
        for record in handed {
            match world.results[record] {
                Ok(()) => assert!(stored.contains(record), "seed {seed}: acked {record} is lost"),
                Err(Failure::Unknown { .. }) => {}
                Err(failure) => assert!(
                    !stored.contains(record),
                    "seed {seed}: record {record} was written: {failure:?}"
                ),
            }
        }
    }
}
