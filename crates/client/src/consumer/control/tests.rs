//! The control plane with a shard played by hand, over the in-process broker in virtual time.

use std::collections::BTreeMap;

use forebay_broker::{Broker, Effect, ErrorCode, Fault as Script, Release};
use forebay_core::fence::Gain;
use forebay_core::orders::{Fault, Leader};
use forebay_protocol::api::ApiKey;
use forebay_protocol::types::{BrokerId, LeaderEpoch};

use super::*;
use crate::config::OffsetReset;
use crate::net::pipes::{Hostile, Manner, Pipes, client_at, client_of, eventually};

const GROUP: &str = "billing";

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn config(broker: &Broker) -> ConsumerConfig {
    ConsumerConfig {
        client: client_of(broker),
        group_id: Some(GROUP.into()),
        auto_offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::default()
    }
}

fn broker(release: Release) -> Arc<Broker> {
    let broker = Broker::builder().nodes(3).pose_as(release).start_in_memory();
    broker.with(|cluster| cluster.create_topic("orders", 2)).unwrap();
    Arc::new(broker)
}

/// A shard that does what it is told, and remembers it.
struct Shard {
    handle: ControlHandle,
    orders: link::Receiver<Order>,
    reports: link::Sender<Report>,
    gained: BTreeMap<TopicPartition, (Gain, Position, Option<Leader>)>,
    frontiers: BTreeMap<TopicPartition, Position>,
    seeks: BTreeMap<TopicPartition, u32>,
}

impl Shard {
    fn start(config: ConsumerConfig, connector: Arc<dyn Connector>) -> Self {
        let (orders, order_rx) = link::channel();
        let (reports, report_rx) = link::channel();
        let setup = Setup {
            config,
            connector,
            assigned: Assigned::Fixed([tp(0), tp(1)].into()),
            validity: Validity::default(),
            events: link::channel().0,
            clock: Clock::virtual_time(),
            placement: Placement::Caller,
        };
        Self {
            handle: spawn(setup, orders, report_rx).unwrap(),
            orders: order_rx,
            reports,
            gained: BTreeMap::new(),
            frontiers: BTreeMap::new(),
            seeks: BTreeMap::new(),
        }
    }

    fn of(broker: &Arc<Broker>) -> Self {
        Self::start(config(broker), Pipes::new(broker))
    }

    /// Both partitions are ours.
    async fn started(mut self) -> Self {
        while self.gained.len() < 2 {
            self.obey_one().await;
        }
        self
    }

    async fn obey_one(&mut self) -> Order {
        // After the end there are no orders, only the summary.
        let Some(order) = self.orders.recv().await else { return std::future::pending().await };
        match &order {
            Order::Gain { tp, gain, position, leader, .. } => {
                self.gained.insert(tp.clone(), (*gain, *position, *leader));
                self.frontiers.insert(tp.clone(), *position);
            }
            Order::Leader { tp, leader, .. } => {
                if let Some(gained) = self.gained.get_mut(tp) {
                    gained.2 = *leader;
                }
            }
            Order::Drain { tp, gain, .. } => {
                let (tp, gain, position) = (tp.clone(), *gain, self.frontiers[tp]);
                let position_epoch = LeaderEpoch(0);
                self.reports.send(Report::Drained {
                    tp,
                    gain,
                    position,
                    position_epoch,
                    unfinished: 0,
                });
            }
            Order::Close => {
                self.reports.send(Report::Closed);
            }
            Order::Seek { tp, seeks, .. } => drop(self.seeks.insert(tp.clone(), *seeks)),
            Order::Brokers(_)
            | Order::Reset { .. }
            | Order::Pause { .. }
            | Order::Resume { .. }
            | Order::Lost { .. } => {}
        }
        order
    }

    fn finish(&mut self, partition: i32, position: i64) {
        let tp = tp(partition);
        self.frontiers.insert(tp.clone(), Position(position));
        self.reports.send(Report::Frontier {
            gain: self.gained[&tp].0,
            seeks: self.seeks.get(&tp).copied().unwrap_or(0),
            tp,
            position: Position(position),
            position_epoch: LeaderEpoch(0),
        });
    }

    /// Obeys until the consumer is over.
    async fn end(mut self) -> Arc<Summary> {
        let ended = self.handle.clone();
        loop {
            tokio::select! {
                summary = ended.ended() => return summary,
                _ = self.obey_one() => {}
            }
        }
    }
}

fn committed(broker: &Broker, partition: i32) -> Option<i64> {
    broker.with(|cluster| Some(cluster.committed(GROUP, &tp(partition))?.offset))
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_committed_and_is_where_the_next_run_starts() {
    for release in [Release::V0_11, Release::V1_1, Release::V2_8, Release::V3_9, Release::V4_4] {
        let broker = broker(release);
        let mut shard = Shard::of(&broker).started().await;
        assert_eq!(shard.gained[&tp(0)].1, Position(0));
        shard.finish(0, 7);
        eventually("the frontier is committed", || committed(&broker, 0) == Some(7)).await;
        assert_eq!(committed(&broker, 1), None, "what did not move is not committed");
        shard.finish(0, 8);
        shard.finish(1, 9);
        shard.handle.shutdown(Duration::from_secs(20));
        let summary = shard.end().await;
        assert!(summary.is_clean(), "{summary:?}");
        assert_eq!(committed(&broker, 0), Some(8));

        let shard = Shard::of(&broker).started().await;
        assert_eq!(shard.gained[&tp(0)].1, Position(8), "{release:?}");
        assert_eq!(shard.gained[&tp(1)].1, Position(9));
    }
}

#[tokio::test(start_paused = true)]
async fn commits_go_through_whatever_the_coordinator_answers_or_loses() {
    let codes = [
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNKNOWN_SERVER_ERROR,
    ];
    let effects = codes.map(Effect::Error).into_iter().chain([
        Effect::DropAnswer,
        Effect::DoAndClose,
        Effect::Close,
        Effect::Cut(9),
        Effect::Twice,
        Effect::WrongCorrelationId,
        Effect::Garbage(bytes::Bytes::from_static(b"HTTP/1.1 500")),
        Effect::Throttle(Duration::from_secs(10)),
        Effect::Delay(Duration::from_secs(20)),
    ]);
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    let mut position = 0;
    for effect in effects {
        let script = Script::new(effect.clone()).api(ApiKey::OffsetCommit).times(3);
        broker.with(|cluster| cluster.script(script));
        position += 1;
        shard.finish(0, position);
        eventually("committed", || committed(&broker, 0) == Some(position)).await;
        for _ in 0..3 {
            position += 1;
            shard.finish(0, position);
            eventually("committed again", || committed(&broker, 0) == Some(position)).await;
        }
        broker.with(|cluster| assert_eq!(cluster.script_pending(), 0, "{effect:?} struck"));
    }
    let commits = broker
        .with(|cluster| cluster.requests().filter(|seen| seen.api == ApiKey::OffsetCommit).count());
    assert!(commits < 200, "{commits} commits, with back-off");
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_moves_or_dies_is_found_again() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    for (position, step) in (1..).zip(["move", "stop", "start", "cut"]) {
        broker.with(|cluster| match step {
            "move" => cluster.move_coordinator(GROUP, BrokerId(2)),
            "stop" => {
                cluster.move_coordinator(GROUP, BrokerId(3));
                cluster.stop_node(BrokerId(2));
            }
            "start" => cluster.start_node(BrokerId(2)),
            _ => cluster.close_connections(),
        });
        shard.finish(1, position);
        eventually("committed", || committed(&broker, 1) == Some(position)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_trouble_while_starting_resets_to_the_end() {
    for (api, effect) in [
        (ApiKey::OffsetFetch, Effect::Error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
        (ApiKey::OffsetFetch, Effect::Error(ErrorCode::UNSTABLE_OFFSET_COMMIT)),
        (ApiKey::OffsetFetch, Effect::Error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)),
        (ApiKey::OffsetFetch, Effect::Cut(20)),
        (ApiKey::OffsetFetch, Effect::DropAnswer),
        (ApiKey::FindCoordinator, Effect::Error(ErrorCode::COORDINATOR_NOT_AVAILABLE)),
        (ApiKey::FindCoordinator, Effect::Close),
        (ApiKey::Metadata, Effect::Close),
        (ApiKey::ApiVersions, Effect::Garbage(bytes::Bytes::from_static(&[0xff; 9]))),
    ] {
        let broker = broker(Release::V4_4);
        broker.with(|cluster| {
            for partition in 0..2 {
                cluster.commit(GROUP, &tp(partition), 5, 0);
            }
            cluster.script(Script::new(effect.clone()).api(api).times(4));
        });
        let config = ConsumerConfig { auto_offset_reset: OffsetReset::Latest, ..config(&broker) };
        let shard = Shard::start(config, Pipes::new(&broker)).started().await;
        let starts: Vec<_> = shard.gained.values().map(|(_, position, _)| position.0).collect();
        assert_eq!(starts, [5, 5], "{api:?} {effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_partition_without_an_answer_is_asked_again_and_the_other_starts_at_once() {
    let broker = broker(Release::V4_4);
    broker.with(|cluster| {
        cluster.commit(GROUP, &tp(0), 5, 0);
        cluster.commit(GROUP, &tp(1), 6, 0);
        let unstable = Script::new(Effect::Error(ErrorCode::UNSTABLE_OFFSET_COMMIT));
        cluster.script(unstable.api(ApiKey::OffsetFetch).partition(tp(1)).times(5));
    });
    let shard = Shard::of(&broker).started().await;
    assert_eq!(shard.gained[&tp(0)].1, Position(5));
    assert_eq!(shard.gained[&tp(1)].1, Position(6));
}

#[tokio::test(start_paused = true)]
async fn without_a_commit_the_policy_decides() {
    let broker = broker(Release::V4_4);
    let config = ConsumerConfig { auto_offset_reset: OffsetReset::None, ..config(&broker) };
    let shard = Shard::start(config, Pipes::new(&broker));
    let summary = shard.end().await;
    assert!(matches!(summary.cause, Some(Error::NoOffset { .. })), "{summary:?}");
    assert_eq!(summary.partitions.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_group_with_live_members_ends_the_consumer_and_says_why() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    broker.with(|cluster| cluster.join_member(GROUP, "somebody", 1));
    shard.finish(0, 3);
    let summary = shard.end().await;
    let Some(Error::GroupHasMembers { group }) = &summary.cause else { panic!("{summary:?}") };
    assert_eq!(&**group, GROUP);
    assert_eq!(committed(&broker, 0), None);
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_on_the_group_is_told_and_not_asked_for_ever() {
    let broker = broker(Release::V4_4);
    broker.with(|cluster| {
        let denied = Effect::Error(ErrorCode::GROUP_AUTHORIZATION_FAILED);
        cluster.script(Script::new(denied).api(ApiKey::OffsetFetch).times(u32::MAX));
    });
    let summary = Shard::of(&broker).end().await;
    assert_eq!(summary.cause.as_ref().and_then(Error::broker_error), Some(30), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_topic_is_told_after_the_api_timeout() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let begun = tokio::time::Instant::now();
    let summary = Shard::of(&broker).end().await;
    assert!(matches!(summary.cause, Some(Error::UnknownTopic { .. })), "{summary:?}");
    assert!(begun.elapsed() < Duration::from_secs(62), "{:?}", begun.elapsed());
    let asked = broker
        .with(|cluster| cluster.requests().filter(|seen| seen.api == ApiKey::Metadata).count());
    assert!((30..200).contains(&asked), "{asked} questions in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_created_while_we_wait_is_started() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let shard = Shard::of(&broker);
    tokio::time::sleep(Duration::from_secs(20)).await;
    broker.with(|cluster| cluster.create_topic("orders", 2)).unwrap();
    let shard = shard.started().await;
    assert_eq!(shard.gained.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_given_up_is_followed_to_where_it_moved() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    let (gain, _, tried) = shard.gained[&tp(0)];
    let next = BrokerId(if tried.unwrap().broker == BrokerId(2) { 3 } else { 2 });
    broker.with(|cluster| cluster.move_leader(&tp(0), next)).unwrap();
    shard.reports.send(Report::LeaderStale { tp: tp(0), gain, tried, hint: None });
    while shard.gained[&tp(0)].2.map(|leader| leader.broker) != Some(next) {
        shard.obey_one().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_gone_is_looked_up_and_sought() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    let (gain, ..) = shard.gained[&tp(0)];
    shard.reports.send(Report::NeedsReset {
        tp: tp(0),
        gain,
        position: Position(40),
        position_epoch: LeaderEpoch(0),
        cause: forebay_core::orders::ResetCause::OutOfRange {
            log_start: forebay_protocol::types::Offset(0),
            high_watermark: forebay_protocol::types::Offset(0),
        },
    });
    loop {
        if let Order::Reset { position, .. } = shard.obey_one().await {
            assert_eq!(position, Position(0));
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_stopped_is_in_the_summary_and_its_frontier_is_kept() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    shard.finish(0, 3);
    let fault = Fault::Broker { code: 29 };
    let (gain, ..) = shard.gained[&tp(0)];
    shard.reports.send(Report::Stopped { tp: tp(0), gain, fault });
    eventually("its frontier is committed", || committed(&broker, 0) == Some(3)).await;
    shard.handle.shutdown(Duration::from_secs(5));
    let summary = shard.end().await;
    let error = summary.partitions[0].error.as_ref();
    assert!(matches!(error, Some(Error::PartitionStopped { .. })), "{summary:?}");
    assert!(summary.partitions[1].error.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_handle_knows_what_is_ours_and_where_it_stands() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    let handle = shard.handle.clone();
    assert_eq!(handle.position(tp(0)).await.unwrap(), Some(Position(0)));
    assert!(matches!(handle.position(tp(9)).await, Err(Error::NotAssigned { .. })));
    assert!(matches!(handle.pause(vec![tp(0), tp(9)]).await, Err(Error::NotAssigned { .. })));
    handle.pause(vec![tp(0)]).await.unwrap();
    assert!(matches!(shard.obey_one().await, Order::Pause { .. }));
    handle.resume(vec![tp(0)]).await.unwrap();
    assert!(matches!(shard.obey_one().await, Order::Resume { .. }));
    handle.seek(tp(1), Position(12)).await.unwrap();
    assert!(matches!(shard.obey_one().await, Order::Seek { position: Position(12), .. }));
    handle.shutdown(Duration::ZERO);
    handle.ended().await;
    assert!(matches!(handle.position(tp(0)).await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn close_returns_by_its_deadline_whatever_is_dead() {
    const LIMIT: Duration = Duration::from_secs(2);
    let allowed = LIMIT + Duration::from_millis(100);
    // Nobody answers at all.
    for manner in [Manner::Silent, Manner::Refuses, Manner::Closes] {
        let config = ConsumerConfig {
            client: client_at("broker:9092"),
            group_id: Some(GROUP.into()),
            ..ConsumerConfig::default()
        };
        let shard = Shard::start(config, Hostile::new(manner));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let begun = tokio::time::Instant::now();
        shard.handle.close(LIMIT).await;
        assert!(begun.elapsed() <= allowed, "{:?}", begun.elapsed());
    }
    // The shard is blocked, the coordinator is silent.
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    let silent = Script::new(Effect::DropAnswer).api(ApiKey::OffsetCommit).times(u32::MAX);
    broker.with(|cluster| cluster.script(silent));
    shard.finish(0, 5);
    let begun = tokio::time::Instant::now();
    let summary = shard.handle.close(LIMIT).await;
    assert!(begun.elapsed() <= allowed, "{:?}", begun.elapsed());
    assert!(!summary.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_dropped_ends_the_consumer_with_its_last_frontier_committed() {
    let broker = broker(Release::V4_4);
    let mut shard = Shard::of(&broker).started().await;
    shard.finish(0, 5);
    let Shard { handle, orders, reports, .. } = shard;
    drop((orders, reports));
    let summary = handle.ended().await;
    assert!(matches!(summary.cause, Some(Error::Closed)), "{summary:?}");
    assert_eq!(committed(&broker, 0), Some(5));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_open_after_the_end() {
    let broker = broker(Release::V4_4);
    let shard = Shard::of(&broker).started().await;
    shard.handle.shutdown(Duration::from_secs(5));
    shard.end().await;
    eventually("all connections are closed", || {
        broker.with(|cluster| cluster.connection_count()) == 0
    })
    .await;
}

#[test]
fn close_returns_by_its_deadline_with_a_thread_of_its_own_and_a_blocked_caller() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (orders, _orders) = link::channel();
    let (_reports, reports) = link::channel();
    let setup = Setup {
        config: ConsumerConfig { client: client_at("broker:9092"), ..ConsumerConfig::default() },
        connector: Hostile::new(Manner::Silent),
        assigned: Assigned::Fixed(vec![tp(0)]),
        validity: Validity::default(),
        events: link::channel().0,
        clock: Clock::start(),
        placement: Placement::OwnThread,
    };
    let handle = spawn(setup, orders, reports).unwrap();
    // A handler that blocks the only worker of the runtime.
    runtime.spawn(async { std::thread::sleep(Duration::from_secs(2)) });
    let begun = std::time::Instant::now();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(handle.close(Duration::from_millis(300)));
    assert!(begun.elapsed() < Duration::from_millis(600), "{:?}", begun.elapsed());
    runtime.shutdown_background();
}
