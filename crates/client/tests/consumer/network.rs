//! Brokers that move, fail, answer wrong or not at all.

use std::time::Duration;

use forebay::config::{ClientConfig, ConsumerConfig};
use forebay::{BrokerId, Context, Error, OffsetReset, Position, Record, Summary};
use forebay_broker::{ApiKey, Effect, ErrorCode, Fault, Release};

use crate::world::{GROUP, Seen, World, close, tp, until};

/// Runs over 20 batches while `disturb` happens after the first ones; every record must come once.
async fn survives(nodes: u16, disturb: impl AsyncFn(&World)) -> (World, Seen) {
    let world = World::with_nodes(nodes, 2);
    (0..2).for_each(|partition| world.fill(partition, 5, 10));
    let consumer = world.consumer(2).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    until(|| seen.count() == 100).await;
    disturb(&world).await;
    (0..2).for_each(|partition| world.fill(partition, 15, 10));
    world.all_committed(2).await;
    close(&handle).await;
    run.await.unwrap().unwrap();
    for partition in 0..2 {
        assert_eq!(seen.of(partition), (0..200).collect::<Vec<_>>());
    }
    (world, seen)
}

fn fetch(effect: Effect) -> Fault {
    Fault::new(effect).api(ApiKey::Fetch)
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moves_is_followed() {
    survives(3, async |world| {
        for node in [1, 2, 0, 1] {
            let (leader, _) = world.broker.with(|cluster| cluster.leader(&tp(0))).unwrap();
            let to = BrokerId((leader.0 + node).rem_euclid(3).max(0));
            drop(world.broker.with(|cluster| cluster.move_leader(&tp(0), to)));
            world.fill(0, 0, 0);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moves_while_its_frozen_node_is_being_dialled_is_followed_at_once() {
    let world = World::with_nodes(2, 1);
    world.fill(0, 1, 10);
    let client = ClientConfig::from_servers(world.broker.bootstrap_servers()).unwrap();
    let client = ClientConfig { request_timeout: Duration::from_secs(2), ..client };
    let config = ConsumerConfig { client, ..ConsumerConfig::default() };
    let builder = world.consumer(1).config(config).group_id(GROUP);
    let builder = builder.metadata_max_age(Duration::from_millis(500));
    let consumer = builder.auto_offset_reset(OffsetReset::Earliest).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    until(|| seen.count() == 10).await;
    let (leader, _) = world.broker.with(|cluster| cluster.leader(&tp(0))).unwrap();
    let other = BrokerId(3 - leader.0);
    world.broker.with(|cluster| cluster.freeze_node(leader));
    // The Fetch is given up after two and a half seconds; dialling again may take ten more. That the
    // leader moved is told by a node that answers, which may be the second to be asked.
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.broker.with(|cluster| cluster.move_leader(&tp(0), other)).unwrap();
    world.fill(0, 1, 10);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(seen.count(), 20, "{:?}", handle.stats().await);
    assert_eq!(handle.stats().await.unwrap().watchdog_heals, 0);
    world.broker.with(|cluster| cluster.thaw_node(leader));
    close(&handle).await;
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_is_made_again() {
    survives(1, async |world| world.broker.with(|cluster| cluster.close_connections())).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_for_a_while_is_waited_for() {
    let (world, _) = survives(1, async |world| {
        let node = world.broker.with(|cluster| cluster.leader(&tp(0))).unwrap().0;
        world.broker.with(|cluster| cluster.stop_node(node));
        tokio::time::sleep(Duration::from_secs(20)).await;
        world.broker.with(|cluster| cluster.start_node(node));
    })
    .await;
    let requests = world.broker.with(|cluster| cluster.requests().count());
    assert!(requests < 2000, "{requests} requests are a hot loop");
}

#[tokio::test(start_paused = true)]
async fn wrong_answers_to_a_fetch_cost_its_connection_and_nothing_else() {
    for effect in [
        Effect::Cut(20),
        Effect::Cut(3),
        Effect::WrongCorrelationId,
        Effect::DoAndClose,
        Effect::Twice,
        Effect::Garbage(bytes::Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        Effect::Garbage(bytes::Bytes::from_static(&[0xff; 64])),
        Effect::Garbage(bytes::Bytes::from_static(&[0, 0, 0, 5, 0, 0, 0, 0, 0])),
        Effect::Throttle(Duration::from_secs(2)),
        Effect::Delay(Duration::from_secs(3)),
    ] {
        println!("{effect:?}");
        survives(1, async |world| {
            world.broker.with(|cluster| cluster.script(fetch(effect.clone()).times(2)));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up_after_the_request_timeout() {
    survives(1, async |world| {
        world.broker.with(|cluster| cluster.script(fetch(Effect::DropAnswer)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_fetch_that_pass_are_waited_for() {
    for code in [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode::INVALID_FETCH_SESSION_EPOCH,
        ErrorCode::UNKNOWN_SERVER_ERROR,
    ] {
        println!("{code:?}");
        survives(1, async |world| {
            world.broker.with(|cluster| cluster.script(fetch(Effect::Error(code)).times(3)));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_commit_that_pass_are_tried_again_and_hold_nothing_up() {
    for code in [
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::REQUEST_TIMED_OUT,
    ] {
        println!("{code:?}");
        survives(1, async |world| {
            let fault = Fault::new(Effect::Error(code)).api(ApiKey::OffsetCommit).times(3);
            world.broker.with(|cluster| cluster.script(fault));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_damaged_on_its_way_is_fetched_again_and_one_damaged_for_good_stops_its_partition()
{
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 10, 10));
    world.broker.with(|cluster| cluster.corrupt(&tp(0), 45).unwrap());
    let consumer = world.consumer(2).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let summary = handle.close(Duration::from_secs(5)).await;
    drop(run.await.unwrap());
    assert_eq!(seen.of(0), (0..40).collect::<Vec<_>>(), "up to the damaged batch, each once");
    assert_eq!(seen.of(1).len(), 100);
    assert_eq!((world.committed(0), world.committed(1)), (Some(40), Some(100)));
    let error = summary.partitions[0].error.clone().unwrap().to_string();
    assert!(error.contains("40") && error.contains("49"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_position_outside_the_log_is_an_error_unless_a_reset_was_asked_for() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    world.broker.with(|cluster| cluster.commit(GROUP, &tp(0), 5000, -1));
    let consumer = world.consumer(1).auto_offset_reset(OffsetReset::None).build().unwrap();
    let run = consumer.run(|_: Record, _: Context| async {});
    let error = tokio::time::timeout(Duration::from_secs(60), run).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::OffsetOutOfRange { position: Position(5000), .. }), "{error}");
    assert_eq!(world.committed(0), Some(5000), "nothing was committed");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_topic_is_a_clear_error() {
    let world = World::new(1);
    let consumer = world.consumer(0).assign([("nowhere", 0)]).build().unwrap();
    let run = consumer.run(|_: Record, _: Context| async {});
    let ended = tokio::time::timeout(Duration::from_secs(300), run).await.unwrap();
    let text = match ended {
        Err(error) => error.to_string(),
        Ok(summary) => format!("{:?}", summary.partitions),
    };
    assert!(text.contains("nowhere"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_group_with_live_members_refuses_commits_with_a_clear_error() {
    let world = World::new(1);
    world.fill(0, 1, 10);
    world.broker.with(|cluster| cluster.join_member(GROUP, "someone", 3));
    let consumer = world.consumer(1).build().unwrap();
    let run = consumer.run(|_: Record, _: Context| async {});
    let error = tokio::time::timeout(Duration::from_secs(60), run).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::GroupHasMembers { .. }), "{error}");
}

/// Reads 100 records; then the log is cut to 50 by an election that went wrong and grows again.
async fn cut_behind(release: Release, reset: OffsetReset) -> (Seen, Summary) {
    let world = World::posing(release, 2, 1);
    world.fill(0, 10, 10);
    let consumer = world.consumer(1).auto_offset_reset(reset).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    world.broker.with(|cluster| cluster.commit(GROUP, &tp(0), 0, -1));
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    world.all_committed(1).await;
    world.broker.with(|cluster| {
        let (leader, _) = cluster.leader(&tp(0)).unwrap();
        cluster.truncate(&tp(0), 50).unwrap();
        cluster.move_leader(&tp(0), BrokerId(3 - leader.0)).unwrap();
    });
    world.fill(0, 10, 10);
    if reset == OffsetReset::Earliest {
        world.all_committed(1).await;
    } else {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let summary = handle.close(Duration::from_secs(5)).await;
    drop(run.await.unwrap());
    (seen, Summary::clone(&summary))
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_cut_behind_us_is_noticed_on_every_broker() {
    for release in [Release::V0_11, Release::V1_1, Release::V2_8, Release::V3_9, Release::V4_4] {
        let (seen, _) = cut_behind(release, OffsetReset::Earliest).await;
        let expected: Vec<i64> = (0..100).chain(50..150).collect();
        assert_eq!(seen.of(0), expected, "{release:?}");

        let (seen, summary) = cut_behind(release, OffsetReset::None).await;
        assert_eq!(seen.of(0), (0..100).collect::<Vec<_>>(), "{release:?}");
        let error = summary.partitions[0].error.clone();
        let Some(Error::LogTruncation { position, safe, .. }) = error else {
            panic!("{release:?}: {error:?}")
        };
        assert_eq!((position, safe), (Position(100), Position(50)), "{release:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_wants_clients_to_bootstrap_again_is_obeyed() {
    let (world, _) = survives(2, async |world| {
        world.broker.with(|cluster| {
            let again = Effect::Error(ErrorCode::REBOOTSTRAP_REQUIRED);
            cluster.script(Fault::new(again).api(ApiKey::Metadata).times(2));
            cluster.close_connections();
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    assert_eq!(world.broker.with(|cluster| cluster.script_pending()), 0, "it was asked and told");
    let requests = world.broker.with(|cluster| cluster.requests().count());
    assert!(requests < 500, "{requests} requests are a hot loop");
}
