//! Orders, runs and progress through the shard, and random lives of one against a model.

#![allow(clippy::wildcard_enum_match_arm, reason = "each test looks at one kind of output")]

use std::collections::BTreeMap;

use forebay_protocol::types::{LeaderEpoch, Offset, Position, TopicPartition, Uuid};

use super::*;
use crate::fence::Gain;
use crate::orders::Leader;
use crate::orders::{Order, ResetCause};
use crate::run::{BlockNumber, Watermarks};

const NOW: Instant = Instant::from_nanos(1);
const BROKER: BrokerId = BrokerId(1);

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn leader(broker: BrokerId) -> Leader {
    Leader { broker, epoch: LeaderEpoch(1) }
}

fn gain(partition: i32, gain: u32, position: i64) -> Order {
    Order::Gain {
        tp: tp(partition),
        gain: Gain(gain),
        topic_id: Uuid::ZERO,
        position: Position(position),
        position_epoch: LeaderEpoch::UNKNOWN,
        leader: Some(leader(BROKER)),
        token: None,
    }
}

fn run(cursor: &Cursor, records: i64) -> BatchRun {
    BatchRun {
        slot: cursor.slot,
        fence: cursor.fence,
        from: cursor.position,
        next: Position(cursor.position.0 + records),
        epoch: LeaderEpoch(1),
        bytes: vec![0; 100].into(),
        watermarks: Watermarks::default(),
        count: u32::try_from(records).ok(),
    }
}

fn outputs(shard: &mut Shard) -> Vec<Output> {
    std::iter::from_fn(|| shard.poll_output()).collect()
}

fn lent(outputs: &[Output]) -> Vec<Cursor> {
    let lent = |output: &Output| match output {
        Output::Lane(_, LaneOrder::Lend(cursor)) => Some(cursor.clone()),
        _ => None,
    };
    outputs.iter().filter_map(lent).collect()
}

fn jobs(outputs: Vec<Output>) -> Vec<Job> {
    let jobs = |output| match output {
        Output::Jobs(_, jobs) => jobs,
        _ => Vec::new(),
    };
    outputs.into_iter().flat_map(jobs).collect()
}

fn reports(outputs: Vec<Output>) -> Vec<Report> {
    let report = |output| match output {
        Output::Report(report) => Some(report),
        _ => None,
    };
    outputs.into_iter().filter_map(report).collect()
}

fn word(job: &Job, done: Done) -> Progress {
    Progress { slot: job.run.slot, fence: job.run.fence, block: job.block, done }
}

/// A shard with one partition, and its cursor.
fn with_one() -> (Shard, Cursor) {
    let mut shard = Shard::new(Config::default());
    shard.handle_order(NOW, gain(0, 1, 0));
    let cursor = lent(&outputs(&mut shard)).remove(0);
    (shard, cursor)
}

#[test]
fn a_gained_partition_is_lent_to_its_leader_and_its_runs_go_to_one_worker() {
    let (mut shard, mut cursor) = with_one();
    assert_eq!(cursor.position, Position(0));
    let first = run(&cursor, 10);
    cursor.position = first.next;
    shard.handle_arrived(NOW, BROKER, vec![first, run(&cursor, 5)]);
    let jobs = jobs(outputs(&mut shard));
    assert_eq!(jobs.iter().map(|job| job.run.next.0).collect::<Vec<_>>(), [10, 15]);
}

#[test]
fn a_frontier_is_told_on_the_tick_and_only_when_it_moved() {
    let (mut shard, cursor) = with_one();
    shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 10)]);
    let job = jobs(outputs(&mut shard)).remove(0);
    shard.handle_progress(NOW, vec![word(&job, Done::All)]);
    assert!(reports(outputs(&mut shard)).is_empty(), "not before the tick");

    let tick = shard.poll_timeout().unwrap();
    shard.handle_timeout(tick);

    let told = reports(outputs(&mut shard));
    assert!(matches!(told[..], [Report::Frontier { position: Position(10), .. }]), "{told:?}");
    shard.handle_timeout(tick.after(Duration::from_secs(9)));
    assert!(outputs(&mut shard).is_empty());
}

#[test]
fn what_a_window_does_not_take_waits_and_then_holds_the_lane_back() {
    let work = work::Config { window_bytes: 100, ..work::Config::default() };
    let reservoir =
        reservoir::Config { budget: 1000, share_min: 250, share_max: 250, ..Default::default() };
    let mut shard = Shard::new(Config { work, reservoir, ..Config::default() });
    shard.handle_order(NOW, gain(0, 1, 0));
    let mut cursor = lent(&outputs(&mut shard)).remove(0);
    let mut open = VecDeque::new();
    let mut flows = Vec::new();
    for _ in 0..5 {
        let arrived = run(&cursor, 10);
        cursor.position = arrived.next;
        shard.handle_arrived(NOW, BROKER, vec![arrived]);
        for output in outputs(&mut shard) {
            match output {
                Output::Jobs(_, jobs) => open.extend(jobs),
                Output::Lane(_, LaneOrder::Flow(_, flow)) => flows.push(flow),
                _ => {}
            }
        }
    }
    assert_eq!((open.len(), flows.clone()), (1, vec![Flow::Hold]));
    for _ in 0..4 {
        let job = open.pop_front().unwrap();
        shard.handle_progress(NOW, vec![word(&job, Done::All)]);
        for output in outputs(&mut shard) {
            match output {
                Output::Jobs(_, jobs) => open.extend(jobs),
                Output::Lane(_, LaneOrder::Flow(_, flow)) => flows.push(flow),
                _ => {}
            }
        }
    }
    assert_eq!(flows, [Flow::Hold, Flow::Release]);
}

#[test]
fn a_seek_drops_what_is_queued_and_refuses_what_is_late() {
    let (mut shard, cursor) = with_one();
    shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 10)]);
    let job = jobs(outputs(&mut shard)).remove(0);
    shard.handle_order(
        NOW,
        Order::Seek {
            tp: tp(0),
            gain: Gain(1),
            seeks: 1,
            position: Position(500),
            position_epoch: LeaderEpoch::UNKNOWN,
        },
    );
    let recalled = outputs(&mut shard)
        .iter()
        .any(|output| matches!(output, Output::Lane(_, LaneOrder::Recall(_))));
    assert!(recalled);
    // Late: a run and progress of the old start.
    shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 3)]);
    shard.handle_progress(NOW, vec![word(&job, Done::All)]);
    shard.handle_returned(NOW, cursor.clone(), Returned::Recalled);

    let again = lent(&outputs(&mut shard)).remove(0);

    assert_eq!(again.position, Position(500));
    assert!(cursor.fence < again.fence);
    shard.handle_timeout(NOW.after(Duration::from_secs(1)));
    assert!(reports(outputs(&mut shard)).is_empty(), "nothing of the old start counts");
}

#[test]
fn a_leader_that_moves_gets_the_cursor_where_the_old_one_left_it() {
    let (mut shard, mut cursor) = with_one();
    let to = leader(BrokerId(2));
    shard.handle_order(NOW, Order::Leader { tp: tp(0), gain: Gain(1), leader: Some(to) });
    let arrived = run(&cursor, 10);
    cursor.position = arrived.next;
    shard.handle_arrived(NOW, BROKER, vec![arrived]);
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    let again = lent(&outputs(&mut shard)).remove(0);
    assert_eq!((again.leader, again.position), (to, Position(10)));
}

#[test]
fn a_drain_waits_for_open_work_and_tells_what_was_left_at_its_deadline() {
    for finishes in [true, false] {
        let (mut shard, cursor) = with_one();
        shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 10)]);
        let job = jobs(outputs(&mut shard)).remove(0);
        let deadline = NOW.after(Duration::from_secs(5));
        shard.handle_order(NOW, Order::Drain { tp: tp(0), gain: Gain(1), deadline });
        assert!(reports(outputs(&mut shard)).is_empty());

        let (expected, left) = if finishes {
            shard.handle_progress(NOW, vec![word(&job, Done::All)]);
            (Position(10), 0)
        } else {
            shard.handle_progress(NOW, vec![word(&job, Done::UpTo(Position(4)))]);
            shard.handle_timeout(shard.poll_timeout().unwrap());
            shard.handle_timeout(deadline);
            (Position(4), 6)
        };

        let told = reports(outputs(&mut shard)).pop().unwrap();
        let Report::Drained { position, unfinished, .. } = told else { panic!("{told:?}") };
        assert_eq!((position, unfinished), (expected, left));
        assert!(shard.slots().is_empty());
    }
}

#[test]
fn a_bad_batch_is_fetched_again_for_seconds_and_then_stops_its_partition() {
    let (mut shard, mut cursor) = with_one();
    let (mut now, mut fetched) = (NOW, 1);
    let told = loop {
        let why = Ended::BadBatch { base: Offset(0), last: Offset(9), reason: "crc".into() };
        shard.handle_arrived(now, BROKER, vec![run(&cursor, 10)]);
        let job = jobs(outputs(&mut shard)).remove(0);
        shard.handle_progress(now, vec![word(&job, Done::Ended { at: Position(0), why })]);
        shard.handle_returned(now, cursor.clone(), Returned::Recalled);
        let said = outputs(&mut shard);
        let Some(again) = lent(&said).pop() else { break reports(said).pop().unwrap() };
        assert_eq!(again.position, Position(0), "back to the frontier");
        let rests_until = again.rests_until.unwrap();
        assert!(now < rests_until, "not at once");
        (now, cursor, fetched) = (rests_until, again, fetched + 1);
    };
    assert!(matches!(told, Report::Stopped { fault: Fault::Corrupt { .. }, .. }), "{told:?}");
    assert_eq!(fetched, 9);
    assert!(NOW.after(Duration::from_secs(2)) < now);
}

#[test]
fn a_batch_that_was_broken_on_its_way_is_read_the_next_time() {
    for times in 1..=8 {
        let (mut shard, mut cursor) = with_one();
        for _ in 0..times {
            let fault =
                Fault::Corrupt { base: Offset(0), last: Offset(0), reason: "length".into() };
            shard.handle_returned(NOW, cursor.clone(), Returned::Fault(fault));
            let said = outputs(&mut shard);
            cursor = lent(&said).remove(0);
            assert_eq!(cursor.position, Position(0));
            assert!(reports(said).is_empty(), "nobody need hear of it");
        }
        shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 10)]);
        assert_eq!(jobs(outputs(&mut shard)).len(), 1);
    }
}

/// Ten records each, by the offsets and lengths of their batches.
fn batches(cursor: &Cursor, count: i64) -> BatchRun {
    let mut bytes = Vec::new();
    for number in 0..count {
        bytes.extend_from_slice(&(cursor.position.0 + 10 * number).to_be_bytes());
        bytes.extend_from_slice(&4_i32.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
    }
    BatchRun { bytes: bytes.into(), ..run(cursor, 10 * count) }
}

#[test]
fn what_was_done_behind_a_bad_batch_is_not_done_again() {
    let (mut shard, mut cursor) = with_one();
    let mut arrived = Vec::new();
    for _ in 0..4 {
        arrived.push(batches(&cursor, 1));
        cursor.position = arrived.last().unwrap().next;
    }
    shard.handle_arrived(NOW, BROKER, arrived);
    let jobs_open = jobs(outputs(&mut shard));
    shard.handle_progress(NOW, vec![word(&jobs_open[1], Done::All)]);
    let why = Ended::BadBatch { base: Offset(0), last: Offset(9), reason: "crc".into() };
    shard.handle_progress(NOW, vec![word(&jobs_open[0], Done::Ended { at: Position(0), why })]);
    let part = Done::Ended { at: Position(34), why: Ended::Released };
    shard.handle_progress(NOW, vec![word(&jobs_open[3], part)]);
    let part = Done::Ended { at: Position(20), why: Ended::Released };
    shard.handle_progress(NOW, vec![word(&jobs_open[2], part)]);
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    let again = lent(&outputs(&mut shard)).remove(0);
    assert_eq!(again.position, Position(0));

    shard.handle_arrived(NOW, BROKER, vec![batches(&again, 5)]);

    let open = jobs(outputs(&mut shard));
    let stretches: Vec<_> = open.iter().map(|job| (job.run.from.0, job.run.next.0)).collect();
    assert_eq!(stretches, [(0, 10), (20, 30), (34, 50)], "10 to 20 and 30 to 34 were done");
    assert_eq!(open.iter().map(|job| job.run.bytes.len()).collect::<Vec<_>>(), [16, 16, 32]);
    shard.handle_progress(NOW, open.iter().map(|job| word(job, Done::All)).collect());
    shard.handle_timeout(shard.poll_timeout().unwrap());
    let told = reports(outputs(&mut shard)).pop().unwrap();
    assert!(matches!(told, Report::Frontier { position: Position(50), .. }), "{told:?}");
}

/// A shard of which ten records are at work and whose cursor, behind them, needs a reset to `to`.
fn reset_to(to: i64) -> (Shard, Job) {
    let (mut shard, mut cursor) = with_one();
    shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 10)]);
    let job = jobs(outputs(&mut shard)).remove(0);
    cursor.position = job.run.next;
    let cause = ResetCause::OutOfRange { log_start: Offset(to), high_watermark: Offset(to) };
    shard.handle_returned(NOW, cursor, Returned::NeedsReset(cause));
    outputs(&mut shard);
    let (position, position_epoch) = (Position(to), LeaderEpoch(2));
    let reset = Order::Reset { tp: tp(0), gain: Gain(1), position, position_epoch };
    shard.handle_order(NOW, reset);
    (shard, job)
}

#[test]
fn what_was_fetched_before_a_reset_still_runs_and_counts() {
    for to in [10, 40] {
        let (mut shard, job) = reset_to(to);
        let again = lent(&outputs(&mut shard)).remove(0);
        assert_eq!((again.position, again.fence), (Position(to), job.run.fence));
        shard.handle_progress(NOW, vec![word(&job, Done::UpTo(Position(4)))]);
        shard.handle_timeout(NOW.after(Duration::from_secs(1)));
        let told = reports(outputs(&mut shard)).pop().unwrap();
        assert!(matches!(told, Report::Frontier { position: Position(4), .. }), "{told:?}");

        shard.handle_progress(NOW, vec![word(&job, Done::All)]);
        shard.handle_timeout(NOW.after(Duration::from_secs(2)));

        let told = reports(outputs(&mut shard)).pop().unwrap();
        let Report::Frontier { position, .. } = told else { panic!("{told:?}") };
        assert_eq!(position, Position(to), "the gap needs no work");
    }
}

#[test]
fn a_log_that_was_cut_behind_running_work_is_read_again_when_that_has_ended() {
    for (done, expected) in [(10, 5), (3, 3)] {
        let (mut shard, job) = reset_to(5);
        let said = outputs(&mut shard);
        assert!(said.iter().any(|output| matches!(output, Output::Draining(_))));
        assert!(lent(&said).is_empty(), "not while a record runs");
        let ended = Done::Ended { at: Position(done), why: Ended::Released };
        shard.handle_progress(NOW, vec![word(&job, ended)]);
        let again = lent(&outputs(&mut shard)).remove(0);
        assert_eq!(again.position, Position(expected));
        assert!(job.run.fence < again.fence);
        shard.handle_timeout(NOW.after(Duration::from_secs(1)));
        let told = reports(outputs(&mut shard)).pop().unwrap();
        let Report::Frontier { position, .. } = told else { panic!("{told:?}") };
        assert_eq!(position, Position(expected), "told, although nothing was done there");
    }
}

#[test]
fn a_lost_partition_is_forgotten_at_once_and_reports_nothing() {
    let (mut shard, cursor) = with_one();
    shard.handle_arrived(NOW, BROKER, vec![run(&cursor, 10)]);
    let job = jobs(outputs(&mut shard)).remove(0);
    shard.handle_order(NOW, Order::Lost { tp: tp(0), gain: Gain(1) });
    shard.handle_progress(NOW, vec![word(&job, Done::All)]);
    shard.handle_timeout(NOW.after(Duration::from_secs(1)));
    assert!(reports(outputs(&mut shard)).is_empty());
}

#[test]
fn a_reset_is_asked_for_and_waited_for() {
    let (mut shard, cursor) = with_one();
    let cause = ResetCause::OutOfRange { log_start: Offset(5), high_watermark: Offset(9) };
    shard.handle_returned(NOW, cursor, Returned::NeedsReset(cause));
    let told = reports(outputs(&mut shard)).pop().unwrap();
    assert!(matches!(told, Report::NeedsReset { .. }));
    // A leader's change alone does not make it go on.
    let moved = Order::Leader { tp: tp(0), gain: Gain(1), leader: Some(leader(BrokerId(3))) };
    shard.handle_order(NOW, moved);
    assert!(lent(&outputs(&mut shard)).is_empty());
}

/// The world around one shard: its lane, its worker, and what really happened to each offset.
#[derive(Default)]
struct World {
    lane: Option<Cursor>,
    open: Vec<Job>,
    /// Offsets whose handler ended well, under any start.
    done: BTreeMap<i64, u32>,
    told: Position,
}

/// One random life: fetches, progress in any order, seeks back, leader moves, pauses, and a drain.
fn live(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut shard = Shard::new(Config::default());
    shard.handle_order(NOW, gain(0, 1, 0));
    let (mut now, mut world) = (NOW, World::default());
    for step in 0..400 {
        now = now.after(Duration::from_millis(rng.u64(0..40)));
        match rng.u8(0..20) {
            0..8 => world.fetch((&mut shard, now), &mut rng),
            8..16 if !world.open.is_empty() => world.finish((&mut shard, now), &mut rng),
            16 => world.go_back((&mut shard, now), &mut rng),
            17 => {
                let leader = Some(leader(BrokerId(rng.i32(1..4))));
                shard.handle_order(now, Order::Leader { tp: tp(0), gain: Gain(1), leader });
            }
            18 => shard.handle_order(now, Order::Pause { tp: tp(0) }),
            19 => shard.handle_order(now, Order::Resume { tp: tp(0) }),
            _ => shard.handle_timeout(now),
        }
        world.carry_out(&mut shard, (seed, step));
    }
}

impl World {
    /// Something arrives, if the partition is being fetched.
    fn fetch(&mut self, (shard, now): (&mut Shard, Instant), rng: &mut fastrand::Rng) {
        if let Some(cursor) = self.lane.as_mut() {
            let arrived = run(cursor, rng.i64(1..20));
            cursor.position = arrived.next;
            shard.handle_arrived(now, cursor.leader.broker, vec![arrived]);
        }
    }

    /// One of the runs that are worked on ends.
    fn finish(&mut self, (shard, now): (&mut Shard, Instant), rng: &mut fastrand::Rng) {
        let job = self.open.swap_remove(rng.usize(..self.open.len()));
        for offset in job.run.from.0..job.run.next.0 {
            *self.done.entry(offset).or_default() += 1;
        }
        shard.handle_progress(now, vec![word(&job, Done::All)]);
    }

    fn go_back(&mut self, (shard, now): (&mut Shard, Instant), rng: &mut fastrand::Rng) {
        let position = Position((self.told.0 - rng.i64(0..30)).max(0));
        self.told = position;
        let (gain, position_epoch) = (Gain(1), LeaderEpoch::UNKNOWN);
        let seek = Order::Seek { tp: tp(0), gain, seeks: 1, position, position_epoch };
        shard.handle_order(now, seek);
    }

    fn carry_out(&mut self, shard: &mut Shard, place: (u64, u32)) {
        while let Some(output) = shard.poll_output() {
            match output {
                Output::Lane(_, LaneOrder::Lend(cursor)) => {
                    assert!(self.lane.is_none(), "one owner at a time: {place:?}");
                    self.lane = Some(cursor);
                }
                Output::Lane(_, LaneOrder::Recall(_)) => {
                    if let Some(cursor) = self.lane.take() {
                        shard.handle_returned(NOW, cursor, Returned::Recalled);
                    }
                }
                Output::Jobs(_, jobs) => self.open.extend(jobs),
                Output::Report(Report::Frontier { position, .. }) => {
                    for offset in self.told.0..position.0 {
                        assert!(self.done.contains_key(&offset), "{offset} is not done: {place:?}");
                    }
                    self.told = position;
                }
                _ => {}
            }
        }
    }
}

#[test]
fn in_a_thousand_lives_no_frontier_passes_a_record_that_is_not_done() {
    (0..1000).for_each(live);
}

#[test]
fn block_numbers_of_jobs_count_up() {
    let (mut shard, mut cursor) = with_one();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let arrived = run(&cursor, 1);
        cursor.position = arrived.next;
        shard.handle_arrived(NOW, BROKER, vec![arrived]);
        numbers.extend(jobs(outputs(&mut shard)).iter().map(|job| job.block));
    }
    assert_eq!(numbers, [BlockNumber(0), BlockNumber(1), BlockNumber(2)]);
}

/// Lets time pass in steps of 100 ms with a lane that asks for all but `left_out`; collects what
/// the shard says.
fn watch(shard: &mut Shard, from: u64, steps: u64, left_out: &[Slot]) -> Vec<Output> {
    let mut said = Vec::new();
    for step in from..from + steps {
        shard.handle_lane_state(BROKER, LaneState::Asking(left_out.iter().copied().collect()));
        shard.handle_timeout(Instant::from_nanos(step * 100_000_000));
        said.extend(outputs(shard));
    }
    said
}

fn healed(said: &[Output]) -> usize {
    said.iter().filter(|output| matches!(output, Output::Healed(_))).count()
}

#[test]
fn a_partition_that_a_lane_leaves_out_for_no_reason_is_lent_anew_and_counted() {
    let (mut shard, cursor) = with_one();
    assert_eq!(healed(&watch(&mut shard, 0, 100, &[])), 0);
    // The word that it may go on was lost: the lane waits for it for ever.
    let said = watch(&mut shard, 100, 25, &[cursor.slot]);
    assert_eq!((healed(&said), shard.heals()), (1, 1));
    let recalled = |output: &Output| matches!(output, Output::Lane(_, LaneOrder::Recall(_)));
    assert!(said.iter().any(recalled));
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    assert_eq!(lent(&outputs(&mut shard)).len(), 1, "and fetched again");
    assert_eq!(healed(&watch(&mut shard, 125, 100, &[])), 0);
}

#[test]
fn a_cursor_whose_way_back_was_lost_is_asked_for_again() {
    let (mut shard, cursor) = with_one();
    shard.handle_returned(NOW, cursor, Returned::LeaderStale(None));
    outputs(&mut shard);
    // The answer with the leader never came.
    let said = watch(&mut shard, 0, 100, &[]);
    let asked = reports(said).iter().filter(|it| matches!(it, Report::LeaderStale { .. })).count();
    assert!((2..=6).contains(&asked), "{asked} times in ten seconds, ever more rarely");
    assert_eq!(shard.heals(), 0, "without a leader it is the cluster that stands still");
    shard.handle_order(
        NOW,
        Order::Leader { tp: tp(0), gain: Gain(1), leader: Some(leader(BROKER)) },
    );
    assert_eq!(lent(&outputs(&mut shard)).len(), 1);
}

#[test]
fn what_has_a_reason_to_be_in_no_fetch_is_left_alone() {
    let (mut shard, cursor) = with_one();
    shard.handle_order(NOW, Order::Pause { tp: tp(0) });
    assert_eq!(healed(&watch(&mut shard, 0, 100, &[cursor.slot])), 0, "paused");
    shard.handle_order(NOW, Order::Resume { tp: tp(0) });
    shard.handle_lane_state(BROKER, LaneState::Unable);
    for step in 100..200 {
        shard.handle_timeout(Instant::from_nanos(step * 100_000_000));
    }
    assert_eq!(healed(&outputs(&mut shard)), 0, "no connection, or no room");
    shard.handle_lane_state(BROKER, LaneState::Idle);
    for step in 200..300 {
        shard.handle_timeout(Instant::from_nanos(step * 100_000_000));
    }
    assert!(0 < healed(&outputs(&mut shard)), "but not: nothing to do");
}

mod nearer;
