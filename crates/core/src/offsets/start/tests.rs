//! Coordinators and leaders that answer, err, and keep quiet.

use super::*;
use crate::cluster::metadata::{Partition, Topic, Update};
use crate::orders::Address;

const RETRY: backoff::Config =
    backoff::Config { first: Duration::from_millis(100), max: Duration::from_secs(1) };

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn tp() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn picture(leader: Option<i32>) -> Arc<Metadata> {
    let partition = Partition { leader: leader.map(BrokerId), epoch: LeaderEpoch(4) };
    let topic = Topic { partitions: BTreeMap::from([(0, partition)]), ..Topic::default() };
    let update = Update {
        brokers: BTreeMap::from([(BrokerId(1), Address { host: "b".into(), port: 1 })]),
        topics: BTreeMap::from([("orders".into(), topic)]),
        ..Update::default()
    };
    Arc::new(Metadata::default().merge(update))
}

fn start(policy: Policy) -> Starts {
    let mut starts = Starts::new(policy, RETRY, Rng::from_seed(2));
    starts.handle_metadata(at(0), picture(Some(1)));
    starts
}

fn outputs(starts: &mut Starts) -> Vec<Output> {
    std::iter::from_fn(|| starts.poll_output()).collect()
}

fn told(code: i16, offset: i64) -> Vec<Told> {
    vec![Told { tp: tp(), code, offset: Offset(offset), epoch: LeaderEpoch(4) }]
}

fn list(want: Want) -> Output {
    let ask = Ask { tp: tp(), epoch: LeaderEpoch(4), want };
    Output::List { leader: BrokerId(1), asks: vec![ask] }
}

fn asked(want: Want) -> [Ask; 1] {
    [Ask { tp: tp(), epoch: LeaderEpoch(4), want }]
}

fn found(position: i64, source: Source) -> Output {
    Output::Found { tp: tp(), position: Position(position), epoch: LeaderEpoch(4), source }
}

const OUT: fn(i64, i64) -> ResetCause =
    |start, end| ResetCause::OutOfRange { log_start: Offset(start), high_watermark: Offset(end) };

#[test]
fn a_committed_position_is_where_it_starts() {
    let mut starts = start(Policy::None);
    starts.handle_committed_wanted(at(0), tp());
    assert_eq!(outputs(&mut starts), [Output::FetchCommitted(vec![tp()])]);
    starts.handle_committed(at(1), &[tp()], told(0, 42));
    assert_eq!(outputs(&mut starts), [found(42, Source::Committed)]);
    assert_eq!(starts.poll_timeout(), None);
}

#[test]
fn nothing_committed_means_the_policy_and_none_is_an_error() {
    for (policy, want) in [
        (Policy::Earliest, Want::Earliest),
        (Policy::Latest, Want::Latest),
        (Policy::Since(Duration::from_secs(60)), Want::Since(Duration::from_secs(60))),
    ] {
        let mut starts = start(policy);
        starts.handle_committed_wanted(at(0), tp());
        outputs(&mut starts);
        starts.handle_committed(at(1), &[tp()], told(0, -1));
        assert_eq!(outputs(&mut starts), [list(want)]);
        starts.handle_listed(at(2), &asked(want), told(0, 7));
        assert_eq!(outputs(&mut starts), [found(7, Source::Policy)]);
    }
    let mut starts = start(Policy::None);
    starts.handle_committed_wanted(at(0), tp());
    outputs(&mut starts);
    starts.handle_committed(at(1), &[tp()], told(0, -1));
    let failed = Output::Failed { tp: tp(), why: Failure::NoOffset };
    assert_eq!(outputs(&mut starts), [failed]);
}

#[test]
fn an_error_or_a_partition_left_out_is_asked_again_for_ever_and_resets_nothing() {
    for code in [-1, 3, 14, 15, 16, 25, 88, 113] {
        let mut starts = start(Policy::Latest);
        starts.handle_committed_wanted(at(0), tp());
        outputs(&mut starts);
        let mut now = at(1);
        for round in 0..50 {
            let answer = if round % 2 == 0 { told(code, -1) } else { Vec::new() };
            starts.handle_committed(now, &[tp()], answer);
            let said = outputs(&mut starts);
            assert!(said.iter().all(|output| *output == Output::WrongCoordinator), "{said:?}");
            now = starts.poll_timeout().unwrap();
            starts.handle_timeout(now);
            assert_eq!(outputs(&mut starts), [Output::FetchCommitted(vec![tp()])]);
        }
        assert!(at(20_000) < now, "with back-off");
    }
}

#[test]
fn a_missing_leader_and_a_wrong_one_are_waited_for() {
    let mut starts = Starts::new(Policy::Earliest, RETRY, Rng::from_seed(2));
    starts.handle_policy_wanted(at(0), tp());
    assert_eq!(outputs(&mut starts), []);
    starts.handle_metadata(at(1), picture(None));
    assert_eq!(outputs(&mut starts), []);
    starts.handle_metadata(at(2), picture(Some(1)));
    assert_eq!(outputs(&mut starts), [list(Want::Earliest)]);
    starts.handle_listed(at(3), &asked(Want::Earliest), told(6, -1));
    assert_eq!(outputs(&mut starts), [Output::StaleMetadata]);
    starts.handle_timeout(starts.poll_timeout().unwrap());
    assert_eq!(outputs(&mut starts), [list(Want::Earliest)]);
}

#[test]
fn no_record_young_enough_means_the_end() {
    let age = Duration::from_secs(1);
    let mut starts = start(Policy::Since(age));
    starts.handle_policy_wanted(at(0), tp());
    outputs(&mut starts);
    starts.handle_listed(at(1), &asked(Want::Since(age)), told(0, -1));
    assert_eq!(outputs(&mut starts), [list(Want::Latest)]);
    starts.handle_listed(at(2), &asked(Want::Latest), told(0, 99));
    assert_eq!(outputs(&mut starts), [found(99, Source::Policy)]);
}

#[test]
fn records_deleted_behind_us_mean_the_first_there_is_even_when_the_policy_is_latest() {
    let mut starts = start(Policy::Latest);
    starts.handle_gone(at(0), tp(), (Position(5), LeaderEpoch(3)), OUT(10, 20));
    assert_eq!(outputs(&mut starts), [list(Want::Earliest)]);
    starts.handle_listed(at(1), &asked(Want::Earliest), told(0, 10));
    assert_eq!(outputs(&mut starts), [found(10, Source::Reset { from: Position(5) })]);
}

#[test]
fn policy_none_makes_a_gone_position_an_error() {
    let mut starts = start(Policy::None);
    starts.handle_gone(at(0), tp(), (Position(5), LeaderEpoch(3)), OUT(10, 20));
    let why = Failure::Gone { position: Position(5), cause: OUT(10, 20) };
    assert_eq!(outputs(&mut starts), [Output::Failed { tp: tp(), why }]);
}

#[test]
fn a_position_past_the_end_after_an_election_is_validated_and_kept() {
    for policy in [Policy::None, Policy::Latest] {
        let mut starts = start(policy);
        starts.handle_gone(at(0), tp(), (Position(25), LeaderEpoch(4)), OUT(10, 20));
        assert_eq!(outputs(&mut starts), [Output::StaleMetadata, list(Want::Latest)]);
        starts.handle_listed(at(1), &asked(Want::Latest), told(0, 20));
        assert_eq!(outputs(&mut starts), [Output::StaleMetadata]);
        starts.handle_timeout(starts.poll_timeout().unwrap());
        outputs(&mut starts);
        starts.handle_listed(at(300), &asked(Want::Latest), told(0, 30));
        assert_eq!(outputs(&mut starts), [list(Want::Earliest)]);
        starts.handle_listed(at(301), &asked(Want::Earliest), told(0, 10));
        assert_eq!(outputs(&mut starts), [found(25, Source::Validated)]);
    }
}

#[test]
fn an_answer_to_an_older_question_is_no_answer() {
    let mut starts = start(Policy::Earliest);
    // Asked for the end twice, since the position was lost twice; one answer comes late.
    for _ in 0..2 {
        starts.handle_gone(at(0), tp(), (Position(31), LeaderEpoch::UNKNOWN), OUT(0, 20));
        starts.handle_timeout(at(1_000));
        outputs(&mut starts);
    }
    starts.handle_listed(at(1_001), &asked(Want::Latest), told(0, 36));
    assert_eq!(outputs(&mut starts), [list(Want::Earliest)]);
    starts.handle_listed(at(1_002), &asked(Want::Latest), told(0, 36));
    assert_eq!(outputs(&mut starts), [], "36 is not where the log begins");
    starts.handle_listed(at(1_003), &asked(Want::Earliest), told(0, 0));
    let said = outputs(&mut starts);
    assert!(matches!(said[..], [Output::Found { position: Position(31), .. }]), "{said:?}");
}

#[test]
fn a_log_that_parts_behind_our_place_takes_us_nowhere_else() {
    let mut starts = start(Policy::Earliest);
    let cause = ResetCause::Truncated { end: Position(36), epoch: LeaderEpoch(2) };
    starts.handle_gone(at(0), tp(), (Position(31), LeaderEpoch(9)), cause);
    let said = outputs(&mut starts);
    assert!(matches!(said[..], [Output::Found { position: Position(31), .. }]), "{said:?}");
}

/// Brokers do not say where their log begins when they say that a position is outside of it.
#[test]
fn a_position_below_a_start_that_nobody_told_is_found_out_by_asking() {
    for policy in [Policy::None, Policy::Latest] {
        let mut starts = start(policy);
        starts.handle_gone(at(0), tp(), (Position(5), LeaderEpoch(4)), OUT(-1, -1));
        outputs(&mut starts);
        starts.handle_listed(at(1), &asked(Want::Latest), told(0, 20));
        outputs(&mut starts);
        starts.handle_listed(at(2), &asked(Want::Earliest), told(0, 10));
        let why = Failure::Gone { position: Position(5), cause: OUT(10, 20) };
        let expected = match policy {
            Policy::None => Output::Failed { tp: tp(), why },
            Policy::Earliest | Policy::Latest | Policy::Since(_) => {
                found(10, Source::Reset { from: Position(5) })
            }
        };
        assert_eq!(outputs(&mut starts), [expected]);
    }
}

#[test]
fn a_position_lost_again_and_again_is_looked_for_ever_more_slowly_and_without_its_epoch() {
    let mut starts = start(Policy::Earliest);
    let (mut now, mut epochs) = (at(0), Vec::new());
    while now < at(60_000) {
        starts.handle_gone(now, tp(), (Position(15), LeaderEpoch(9)), OUT(10, 20));
        while outputs(&mut starts).last() != Some(&list(Want::Latest)) {
            now = starts.poll_timeout().unwrap();
            starts.handle_timeout(now);
        }
        starts.handle_listed(now, &asked(Want::Latest), told(0, 20));
        outputs(&mut starts);
        starts.handle_listed(now, &asked(Want::Earliest), told(0, 10));
        let last = outputs(&mut starts).pop();
        let Some(Output::Found { epoch, position: Position(15), .. }) = last else {
            panic!("{last:?}");
        };
        epochs.push(epoch);
    }
    assert!(epochs.len() < 100, "{} questions in a minute", epochs.len());
    assert_eq!(epochs[..2], [LeaderEpoch(9), LeaderEpoch::UNKNOWN]);
}

#[test]
fn a_position_that_stays_past_the_end_is_given_up_by_policy() {
    let mut starts = start(Policy::None);
    starts.handle_gone(at(0), tp(), (Position(25), LeaderEpoch(4)), OUT(10, 20));
    let mut now = at(0);
    let mut last = Vec::new();
    for _ in 0..=VALIDATIONS {
        outputs(&mut starts);
        starts.handle_listed(now, &asked(Want::Latest), told(0, 20));
        now = starts.poll_timeout().unwrap_or(now);
        last = outputs(&mut starts);
        starts.handle_timeout(now);
    }
    let why = Failure::Gone { position: Position(25), cause: OUT(10, 20) };
    assert_eq!(last, [Output::Failed { tp: tp(), why }]);
}

#[test]
fn a_cut_log_goes_on_where_it_agrees_or_is_an_error() {
    let cause = ResetCause::Truncated { end: Position(15), epoch: LeaderEpoch(4) };
    let mut starts = start(Policy::Earliest);
    starts.handle_gone(at(0), tp(), (Position(18), LeaderEpoch(3)), cause);
    assert_eq!(outputs(&mut starts), [found(15, Source::Reset { from: Position(18) })]);
    let mut starts = start(Policy::None);
    starts.handle_gone(at(0), tp(), (Position(18), LeaderEpoch(3)), cause);
    let why = Failure::Gone { position: Position(18), cause };
    assert_eq!(outputs(&mut starts), [Output::Failed { tp: tp(), why }]);
}

#[test]
fn answers_for_a_dropped_partition_count_for_nothing() {
    let mut starts = start(Policy::Earliest);
    starts.handle_committed_wanted(at(0), tp());
    outputs(&mut starts);
    starts.handle_dropped(&tp());
    starts.handle_committed(at(1), &[tp()], told(0, 42));
    assert_eq!(outputs(&mut starts), []);
}

/// Partition `i` of many, with a leader among three brokers.
fn many(count: i32) -> (Vec<TopicPartition>, Arc<Metadata>) {
    let partition = |i| Partition { leader: Some(BrokerId(i % 3)), epoch: LeaderEpoch(4) };
    let partitions = (0..count).map(|i| (i, partition(i))).collect();
    let topic = Topic { partitions, ..Topic::default() };
    let address = |id: i32| (BrokerId(id), Address { host: "b".into(), port: 1 });
    let update = Update {
        brokers: (0..3).map(address).collect(),
        topics: BTreeMap::from([("orders".into(), topic)]),
        ..Update::default()
    };
    let tps = (0..count).map(|i| TopicPartition::new("orders", i)).collect();
    (tps, Arc::new(Metadata::default().merge(update)))
}

/// Starts `count` partitions with one question lost, answers that come one partition at a time and
/// err at first, and many idle events; says how many partitions were looked at and asked about.
fn work_to_start(count: i32) -> (u64, usize, usize) {
    let (tps, metadata) = many(count);
    let mut starts = Starts::new(Policy::Earliest, RETRY, Rng::from_seed(2));
    for tp in &tps {
        starts.handle_committed_wanted(at(0), tp.clone());
    }
    let told = |tp: &TopicPartition, code, offset| {
        vec![Told { tp: tp.clone(), code, offset: Offset(offset), epoch: LeaderEpoch(4) }]
    };
    let (mut now, mut requests, mut is_first) = (at(1), 0, true);
    let mut started = 0;
    while started < tps.len() {
        let said = outputs(&mut starts);
        if said.is_empty() {
            now = starts.poll_timeout().unwrap_or(now).max(now.after(Duration::from_millis(1)));
            starts.handle_metadata(now, Arc::clone(&metadata));
        }
        for output in said {
            match output {
                Output::FetchCommitted(asked) => {
                    requests += 1;
                    if std::mem::take(&mut is_first) {
                        starts.handle_committed(now, &asked, Vec::new());
                        continue;
                    }
                    for tp in asked {
                        starts.handle_committed(now, std::slice::from_ref(&tp), told(&tp, 0, -1));
                    }
                }
                Output::List { asks, .. } => {
                    requests += 1;
                    for ask in asks {
                        starts.handle_listed(now, std::slice::from_ref(&ask), told(&ask.tp, 0, 7));
                        starts.handle_timeout(now);
                    }
                }
                Output::Found { .. } => started += 1,
                Output::WrongCoordinator | Output::StaleMetadata | Output::Failed { .. } => {}
            }
        }
    }
    (starts.queue.looks, requests, started)
}

#[test]
fn ten_thousand_partitions_start_with_work_that_grows_as_they_do_and_few_requests() {
    let (few, ..) = work_to_start(1_000);
    let (looks, requests, started) = work_to_start(10_000);
    assert_eq!(started, 10_000);
    assert!(looks <= 11 * few && looks <= 300_000, "{looks} looks, {few} with a tenth");
    assert!(requests <= 40, "{requests} requests");
}
