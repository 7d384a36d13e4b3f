//! Ends: drains, deadlines, handlers that hang or block, and dropped futures.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::{Batch, Consumer, ConsumerHandle, Context, OffsetReset, Record};
use forebay_broker::{BatchBuilder, Broker};

use crate::world::{Seen, World, close, until};

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_runs_and_starts_nothing() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    let consumer = world.consumer(1).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            noting.note(0, record.offset().0);
        }
    }));
    until(|| seen.count() == 3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    close(&handle).await;

    run.await.unwrap().unwrap();
    assert_eq!(seen.of(0), [0, 1, 2, 3], "the fourth was running");
    assert_eq!(world.committed(0), Some(4));
}

#[tokio::test(start_paused = true)]
async fn the_batch_that_runs_at_a_shutdown_is_committed_whole() {
    let world = World::new(1);
    world.fill(0, 3, 10);
    let consumer = world.consumer(1).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run_batches(move |batch: Batch, _: Context| {
        noting.note(0, batch.first_offset().0);
        tokio::time::sleep(Duration::from_secs(1))
    }));
    until(|| seen.count() == 2).await;

    close(&handle).await;

    run.await.unwrap().unwrap();
    assert_eq!(seen.of(0), [0, 10]);
    assert_eq!(world.committed(0), Some(20));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_does_not_hold_up_the_end() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 1, 10));
    let consumer = world.consumer(2).build().unwrap();
    let handle = consumer.handle();
    let run = tokio::spawn(consumer.run(|record: Record, _: Context| async move {
        if (record.partition(), record.offset().0) == (0, 5) {
            std::future::pending::<()>().await;
        }
    }));
    tokio::time::sleep(Duration::from_secs(2)).await;

    let began = tokio::time::Instant::now();
    let summary = handle.close(Duration::from_secs(3)).await;

    assert!(began.elapsed() <= Duration::from_millis(3100), "{:?}", began.elapsed());
    assert!(!summary.is_clean());
    assert!(0 < summary.unfinished);
    assert_eq!((world.committed(0), world.committed(1)), (Some(5), Some(10)));
    drop(run.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_run_is_an_orderly_shutdown_in_the_background() {
    let world = World::new(1);
    world.fill(0, 1, 10);
    let consumer = world.consumer(1).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            noting.note(0, record.offset().0);
        }
    });
    drop(tokio::time::timeout(Duration::from_millis(2500), run).await);
    handle.ended().await;
    assert_eq!(seen.of(0), [0, 1, 2], "the third was running");
    assert_eq!(world.committed(0), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_second_consumer_goes_on_where_the_first_one_ended() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    let seen = Seen::default();
    for round in 1..=2 {
        let consumer = world.consumer(1).build().unwrap();
        let (handle, noting) = (consumer.handle(), seen.clone());
        let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            noting.note(0, record.offset().0);
            async {}
        }));
        world.all_committed(1).await;
        close(&handle).await;
        run.await.unwrap().unwrap();
        assert_eq!(seen.of(0), (0..round * 100).collect::<Vec<_>>());
        world.fill(0, 10, 10);
    }
}

/// A broker on loopback with two records, in real time.
async fn broker_on_loopback() -> Broker {
    let broker = Broker::builder().start().await.unwrap();
    broker.with(|cluster| {
        cluster.create_topic("t", 1).unwrap();
        let batch = BatchBuilder::at_time(0).record(None, Some(b"x")).record(None, Some(b"y"));
        cluster.append(&crate::world::tp(0), &batch.build()).unwrap();
    });
    broker
}

fn consumer_of(servers: &str) -> Consumer {
    Consumer::builder()
        .bootstrap_servers(servers)
        .group_id("blocked")
        .assign([("t", 0)])
        .auto_offset_reset(OffsetReset::Earliest)
        .build()
        .unwrap()
}

/// A consumer whose handler blocks the only thread of its runtime; the handler runs.
fn blocked_consumer(servers: &str) -> ConsumerHandle {
    let servers = servers.to_owned();
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let user = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let consumer = consumer_of(&servers);
        let blocking = tx.clone();
        tx.send(Some(consumer.handle())).unwrap();
        drop(user.block_on(consumer.run(move |_: Record, _: Context| {
            drop(blocking.send(None));
            std::thread::sleep(Duration::from_secs(60));
            async {}
        })));
    });
    let handle = rx.recv().unwrap().unwrap();
    assert!(rx.recv().unwrap().is_none(), "the handler runs");
    handle
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_close_returns_in_time_while_a_handler_blocks_its_only_thread() {
    let runtime = runtime();
    let broker = runtime.block_on(broker_on_loopback());
    let handle = blocked_consumer(broker.bootstrap_servers());
    let began = std::time::Instant::now();
    let summary = runtime.block_on(handle.close(Duration::from_secs(1)));
    let took = began.elapsed();
    assert!(took <= Duration::from_millis(1100), "{took:?}");
    assert!(!summary.is_clean());
    runtime.shutdown_background();
}

#[test]
fn a_thread_closes_in_time_while_a_handler_blocks_for_a_minute() {
    let runtime = runtime();
    let broker = runtime.block_on(broker_on_loopback());
    let handle = blocked_consumer(broker.bootstrap_servers());
    let began = std::time::Instant::now();
    let summary = handle.close_blocking(Duration::from_secs(1)).unwrap();
    let took = began.elapsed();
    assert!(took <= Duration::from_millis(1100), "{took:?}");
    assert!(!summary.is_clean());
    runtime.shutdown_background();
}

#[test]
fn a_thread_closes_a_healthy_consumer_as_soon_as_its_work_is_done() {
    let runtime = runtime();
    let broker = runtime.block_on(broker_on_loopback());
    let consumer = consumer_of(broker.bootstrap_servers());
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = runtime.spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(0, record.offset().0);
        async {}
    }));
    runtime.block_on(until(|| seen.count() == 2));
    let began = std::time::Instant::now();
    let summary = handle.close_blocking(Duration::from_secs(30)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(summary.is_clean(), "{summary:?}");
    runtime.block_on(run).unwrap().unwrap();
}

/// What the documentation says of a call in the wrong place: no panic, and back in time.
#[test]
fn a_blocking_close_inside_the_handlers_own_runtime_returns_in_time_and_does_not_panic() {
    let runtime = runtime();
    let broker = runtime.block_on(broker_on_loopback());
    let servers = broker.bootstrap_servers().to_owned();
    let user = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (consumer, took) = (consumer_of(&servers), Arc::new(Mutex::new(None)));
    let (handle, noting) = (consumer.handle(), Arc::clone(&took));
    let summary = user.block_on(consumer.run(move |_: Record, _: Context| {
        let (handle, noting) = (handle.clone(), Arc::clone(&noting));
        async move {
            let began = std::time::Instant::now();
            let summary = handle.close_blocking(Duration::from_secs(1)).unwrap();
            *noting.lock().unwrap() = Some((began.elapsed(), summary.is_clean()));
        }
    }));
    drop(summary);
    let (took, is_clean) = took.lock().unwrap().take().unwrap();
    assert!(took <= Duration::from_millis(1100), "{took:?}");
    assert!(!is_clean);
}
