//! Who is asked for what, with brokers that come and go.

use super::metadata::{Partition, Topic};
use super::*;
use forebay_protocol::types::{LeaderEpoch, Uuid};

const RETRY: backoff::Config =
    backoff::Config { first: Duration::from_millis(100), max: Duration::from_secs(1) };

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn address(port: u16) -> Address {
    Address { host: "broker".into(), port }
}

fn group() -> CoordinatorKey {
    CoordinatorKey::Group("billing".into())
}

fn tp() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn start() -> Cluster {
    let config = Config {
        bootstrap: vec![address(90), address(91)],
        metadata_max_age: Duration::from_secs(300),
        retry: RETRY,
        reconnect: RETRY,
    };
    Cluster::new(config, Rng::from_seed(11))
}

/// Brokers 1 to 3; `leader` leads the partition.
fn news(leader: i32, epoch: i32) -> Update {
    let partition = Partition { leader: Some(BrokerId(leader)), epoch: LeaderEpoch(epoch) };
    let topic = Topic {
        id: Uuid([1; 16]),
        error: 0,
        partitions: BTreeMap::from([(0, partition)]),
        ..Topic::default()
    };
    Update {
        cluster_id: Some("c".into()),
        controller: Some(BrokerId(3)),
        brokers: [1_u16, 2, 3].map(|id| (BrokerId(id.into()), address(id))).into(),
        topics: BTreeMap::from([("orders".into(), topic)]),
        is_whole: false,
    }
}

fn outputs(cluster: &mut Cluster) -> Vec<Output> {
    std::iter::from_fn(|| cluster.poll_output()).collect()
}

fn sends(cluster: &mut Cluster) -> Vec<(u64, i32)> {
    let mut sent = Vec::new();
    for output in outputs(cluster) {
        if let Output::Send { ticket, broker } = output {
            sent.push((ticket.0, broker.0));
        }
    }
    sent
}

fn known() -> Cluster {
    let mut cluster = start();
    cluster.handle_topics(at(0), ["orders".into()]);
    cluster.handle_metadata(at(0), news(2, 1));
    outputs(&mut cluster);
    cluster
}

#[test]
fn a_request_to_a_leader_waits_for_metadata_that_names_it() {
    let mut cluster = start();
    cluster.handle_request(at(0), Ticket(1), Destination::Leader(tp()), at(5000));
    let asked = outputs(&mut cluster);
    assert!(
        matches!(&asked[..], [Output::AskMetadata { topics, .. }] if topics.as_ref().map(Vec::len) == Some(1)),
        "{asked:?}"
    );
    cluster.handle_metadata(at(10), news(2, 1));
    assert_eq!(sends(&mut cluster), [(1, 2)]);
}

#[test]
fn the_controller_and_a_named_broker_are_asked_directly() {
    let mut cluster = known();
    cluster.handle_request(at(1), Ticket(1), Destination::Controller, at(5000));
    cluster.handle_request(at(1), Ticket(2), Destination::Broker(BrokerId(1)), at(5000));
    assert_eq!(sends(&mut cluster), [(1, 3), (2, 1)]);
}

#[test]
fn a_coordinator_is_looked_for_once_and_again_after_it_moved() {
    let mut cluster = known();
    let to = Destination::Coordinator(group());
    cluster.handle_request(at(1), Ticket(1), to.clone(), at(5000));
    cluster.handle_request(at(1), Ticket(2), to.clone(), at(5000));
    let asked = outputs(&mut cluster);
    assert_eq!(asked.len(), 1, "{asked:?}");
    cluster.handle_coordinator(at(2), &group(), BrokerId(3), address(3));
    assert_eq!(sends(&mut cluster), [(1, 3), (2, 3)]);

    cluster.handle_wrong_coordinator(at(3), &group());
    cluster.handle_request(at(3), Ticket(3), to, at(5000));
    assert_eq!(sends(&mut cluster), []);
    let wake = cluster.poll_timeout(at(3)).unwrap();
    assert!(wake <= at(124), "looks again after its back-off");
    cluster.handle_timeout(wake);
    assert!(matches!(outputs(&mut cluster)[..], [Output::AskCoordinator { .. }]));
}

#[test]
fn a_coordinator_that_metadata_no_longer_lists_is_dialled_and_then_looked_for_again() {
    let mut cluster = known();
    let to = Destination::Coordinator(group());
    cluster.handle_request(at(1), Ticket(1), to.clone(), at(60_000));
    cluster.handle_coordinator(at(2), &group(), BrokerId(2), address(2));
    assert_eq!(sends(&mut cluster), [(1, 2)]);
    cluster.handle_stale(at(3));
    let mut fenced = news(1, 2);
    fenced.brokers.remove(&BrokerId(2));
    cluster.handle_metadata(at(4), fenced);
    outputs(&mut cluster);
    cluster.handle_request(at(5), Ticket(2), to, at(60_000));
    assert_eq!(sends(&mut cluster), [(2, 2)]);
    cluster.handle_down(at(6), BrokerId(2), Fault::Disconnected);
    cluster.handle_request(at(6), Ticket(2), Destination::Coordinator(group()), at(60_000));
    let asked = outputs(&mut cluster);
    assert!(asked.iter().any(|output| matches!(output, Output::AskCoordinator { .. })));
}

#[test]
fn a_request_to_a_broker_that_is_no_longer_listed_fails_at_once() {
    let mut cluster = known();
    cluster.handle_request(at(1), Ticket(1), Destination::Broker(BrokerId(9)), at(60_000));
    let failed = outputs(&mut cluster);
    assert!(matches!(failed[..], [Output::Fail { .. }]), "{failed:?}");
}

#[test]
fn a_fatal_word_on_a_coordinator_fails_whoever_waits_for_it() {
    let mut cluster = known();
    cluster.handle_request(at(1), Ticket(1), Destination::Coordinator(group()), at(5000));
    outputs(&mut cluster);
    cluster.handle_no_coordinator(at(2), &group(), Some(30));
    let failed = Output::Fail { ticket: Ticket(1), why: Refusal::Coordinator(30) };
    assert_eq!(outputs(&mut cluster), [failed]);
}

#[test]
fn a_broker_in_back_off_is_left_alone_until_it_ends() {
    let mut cluster = known();
    cluster.handle_down(at(0), BrokerId(2), Fault::Disconnected);
    outputs(&mut cluster);
    cluster.handle_request(at(1), Ticket(1), Destination::Leader(tp()), at(5000));
    assert_eq!(sends(&mut cluster), []);
    cluster.handle_timeout(at(121));
    assert_eq!(sends(&mut cluster), [(1, 2)]);
}

#[test]
fn a_request_that_cannot_leave_fails_at_its_deadline_with_the_last_fault() {
    let mut cluster = start();
    outputs(&mut cluster);
    let mut now = at(0);
    cluster.handle_request(now, Ticket(1), Destination::Any, at(2000));
    let mut failed = Vec::new();
    loop {
        while let Some(output) = cluster.poll_output() {
            match output {
                Output::Send { ticket, broker } => {
                    cluster.handle_down(now, broker, Fault::Disconnected);
                    cluster.handle_request(now, ticket, Destination::Any, at(2000));
                }
                Output::AskMetadata { broker, .. } => {
                    cluster.handle_down(now, broker, Fault::Disconnected);
                    cluster.handle_no_metadata(now, broker);
                }
                Output::Fail { why, .. } => failed.push(why),
                Output::AskCoordinator { .. } | Output::Refreshed(_) => {}
            }
        }
        if !failed.is_empty() {
            break;
        }
        assert!(now < at(2000), "fails in time");
        now = cluster.poll_timeout(now).unwrap().max(now.after(Duration::from_millis(1)));
        cluster.handle_timeout(now);
    }
    assert!(matches!(failed[..], [Refusal::Late(Some((_, Fault::Disconnected)))]), "{failed:?}");
}

#[test]
fn any_prefers_a_broker_that_is_connected() {
    let mut cluster = known();
    cluster.handle_up(at(0), BrokerId(1));
    for ticket in 0..20 {
        cluster.handle_request(at(1), Ticket(ticket), Destination::Any, at(5000));
    }
    assert!(sends(&mut cluster).into_iter().all(|(_, broker)| broker == 1));
}

#[test]
fn with_all_brokers_down_metadata_is_asked_at_a_bounded_rate() {
    let mut cluster = known();
    cluster.handle_stale(at(0));
    let mut now = at(0);
    let (mut asked, mut asked_bootstrap) = (0, 0);
    while now < at(60_000) {
        for output in outputs(&mut cluster) {
            if let Output::AskMetadata { broker, .. } = output {
                asked += 1;
                asked_bootstrap += i32::from(broker.0 < 0);
                cluster.handle_down(now, broker, Fault::Disconnected);
                cluster.handle_no_metadata(now, broker);
            }
        }
        let next = cluster.poll_timeout(now).unwrap();
        now = next.max(now.after(Duration::from_millis(1)));
        cluster.handle_timeout(now);
    }
    assert!((40..=120).contains(&asked), "{asked} questions in a minute");
    assert!(asked_bootstrap * 4 > asked, "bootstrap addresses are asked too");
}

/// Whoever told the newer epoch was wrong, or the cluster was set back to what it was.
#[test]
fn an_older_leader_epoch_is_believed_when_it_is_told_five_times_in_a_row() {
    let mut cluster = known();
    cluster.handle_metadata(at(1), news(1, i32::MAX));
    let mut leaders = Vec::new();
    for answer in 0..6 {
        cluster.handle_metadata(at(2 + answer), news(2, 4));
        leaders.push(cluster.metadata().leader(&tp()).unwrap().broker.0);
    }
    assert_eq!(leaders, [1, 1, 1, 1, 2, 2]);
    cluster.handle_metadata(at(9), news(3, 3));
    cluster.handle_metadata(at(10), news(2, 4));
    (0..4).for_each(|_| cluster.handle_metadata(at(11), news(3, 3)));
    assert_eq!(cluster.metadata().leader(&tp()).unwrap().broker, BrokerId(2), "not in a row");
}
