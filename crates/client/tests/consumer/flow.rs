//! Flow: pause and resume, seek, slow partitions, the budget, and what statistics tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay::{Context, Holds, Position, Record};

use crate::world::{Seen, World, close, tp, until};

#[tokio::test(start_paused = true)]
async fn a_paused_partition_rests_and_goes_on_without_loss() {
    let world = World::new(2);
    let consumer = world.consumer(2).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    world.fill(0, 1, 10);
    until(|| seen.of(0).len() == 10).await;

    handle.pause(vec![tp(0)]).await.unwrap();
    (0..2).for_each(|partition| world.fill(partition, 5, 10));
    until(|| seen.of(1).len() == 50).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(seen.of(0).len(), 10);
    let stats = handle.stats().await.unwrap();
    assert_eq!(stats.partitions[0].held_by, Holds::Paused);

    handle.resume(vec![tp(0)]).await.unwrap();
    world.all_committed(2).await;
    assert_eq!(seen.of(0), (0..60).collect::<Vec<_>>());
    close(&handle).await;
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_seek_goes_on_elsewhere_and_commits_from_there() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    let consumer = world.consumer(1).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    world.all_committed(1).await;

    handle.seek(tp(0), Position(95)).await.unwrap();
    until(|| seen.count() == 105).await;
    assert_eq!(seen.of(0)[100..], [95, 96, 97, 98, 99]);

    assert!(handle.seek(tp(7), Position(0)).await.is_err(), "it is not ours");
    close(&handle).await;
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_stands_still_holds_back_itself_and_nobody_else() {
    let world = World::new(4);
    // 24 MB in each of four partitions, under a budget of 16 MiB.
    let value = vec![7; 100_000];
    for partition in 0..4 {
        for _ in 0..240 {
            let batch = forebay_broker::BatchBuilder::at_time(0).record(None, Some(&value));
            world.append(partition, &batch.build());
        }
    }
    let consumer = world.consumer(4).budget_bytes(16 << 20).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let (noting, is_released) = (seen.clone(), Arc::new(AtomicBool::new(false)));
    let waits = Arc::clone(&is_released);
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let (noting, waits) = (noting.clone(), Arc::clone(&waits));
        async move {
            while record.partition() == 0 && !waits.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            noting.note(record.partition(), record.offset().0);
        }
    }));
    until(|| (1..4).all(|partition| seen.of(partition).len() == 240)).await;
    assert_eq!(seen.of(0).len(), 0);
    // Workers tell every 100 ms what they run.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let stats = handle.stats().await.unwrap();
    assert_eq!(stats.partitions[0].held_by, Holds::Work);
    assert_eq!(stats.partitions[0].in_flight, 1);
    assert!(stats.partitions[0].oldest_in_flight.is_some());
    assert!(stats.held_bytes_peak <= (16 << 20) + (2 << 20), "{}", stats.held_bytes_peak);

    is_released.store(true, Ordering::SeqCst);
    world.all_committed(4).await;
    assert_eq!(seen.of(0), (0..240).collect::<Vec<_>>());
    close(&handle).await;
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_partition_pins_no_chunk_of_others_for_long() {
    let partitions = 10;
    let world = World::new(partitions);
    let value = vec![7; 1000];
    for partition in 0..partitions {
        for _ in 0..100 {
            let mut batch = forebay_broker::BatchBuilder::at_time(0);
            for _ in 0..16 {
                batch = batch.record(None, Some(&value));
            }
            world.append(partition, &batch.build());
        }
    }
    let consumer = world.consumer(partitions).budget_bytes(16 << 20).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            if record.partition() == 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            noting.note(record.partition(), record.offset().0);
        }
    }));
    until(|| (1..partitions).all(|partition| seen.of(partition).len() == 1600)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stats = handle.stats().await.unwrap();
    let (pinned, slow) = (stats.held_bytes - stats.reserved_bytes, &stats.partitions[0]);
    // What the slow one keeps, and the chunk that is read into: with 16 MiB one of 512 KiB.
    let keeps = slow.buffered_bytes + slow.open_bytes;
    assert!(pinned <= keeps * 5 / 4 + (512 << 10), "{pinned} bytes are pinned, {keeps} are used");
    handle.shutdown(Duration::from_secs(2));
    drop(run.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn one_slow_partition_stops_no_other_however_small_the_budget() {
    for (megabytes, kilobytes) in [(4, 1), (5, 16), (6, 100), (8, 1), (8, 200), (12, 500)] {
        let partitions = 8;
        let world = World::new(partitions);
        let value = vec![7; kilobytes * 1000];
        let batches = 4_000 / kilobytes;
        for partition in 0..partitions {
            for _ in 0..batches {
                let batch = forebay_broker::BatchBuilder::at_time(0).record(None, Some(&value));
                world.append(partition, &batch.build());
            }
        }
        let consumer = world.consumer(partitions).budget_bytes(megabytes << 20).build().unwrap();
        let (handle, seen) = (consumer.handle(), Seen::default());
        let noting = seen.clone();
        let began = tokio::time::Instant::now();
        let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            let noting = noting.clone();
            async move {
                if record.partition() == 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                noting.note(record.partition(), record.offset().0);
            }
        }));
        until(|| (1..partitions).all(|partition| seen.of(partition).len() == batches)).await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{megabytes} MiB, {kilobytes} kB: {took:?}");
        handle.shutdown(Duration::from_secs(2));
        drop(run.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn statistics_count_what_came_and_what_is_left() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    let consumer = world.consumer(1).build().unwrap();
    let handle = consumer.handle();
    let run = tokio::spawn(consumer.run(|record: Record, _: Context| async move {
        if record.offset().0 == 30 {
            std::future::pending::<()>().await;
        }
    }));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stats = handle.stats().await.unwrap();
    let partition = &stats.partitions[0];
    assert_eq!((partition.position, partition.lag), (Position(30), Some(70)));
    assert!(partition.frontier_age.unwrap() > Duration::from_secs(2));
    assert_eq!(stats.records_delivered, 100);
    assert!(stats.bytes_delivered <= stats.bytes_read);
    handle.shutdown(Duration::from_millis(100));
    drop(run.await.unwrap());
    assert_eq!(world.committed(0), Some(30), "what was done before the end is committed");
}

#[tokio::test(start_paused = true)]
async fn compacted_control_and_aborted_batches_are_passed_over() {
    let world = World::new(1);
    let record = |batch: forebay_broker::BatchBuilder| batch.record(None, Some(b"x"));
    let batch = || forebay_broker::BatchBuilder::at_time(0);
    world.append(0, &record(record(batch())).build());
    world.append(0, &record(batch().hole(5)).hole(3).build());
    let end = world.end(0);
    let consumer = world.consumer(1).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(0, record.offset().0);
        async {}
    }));
    world.all_committed(1).await;
    assert_eq!(world.committed(0), Some(end));
    assert_eq!(seen.of(0), [0, 1, 7]);
    close(&handle).await;
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_room_in_the_budget_stops_its_partition_and_no_other() {
    let world = World::new(2);
    let large = vec![7; 3_000_000];
    world.fill(0, 1, 10);
    world.append(0, &forebay_broker::BatchBuilder::at_time(0).record(None, Some(&large)).build());
    world.fill(0, 1, 10);
    world.fill(1, 10, 10);
    let consumer = world.consumer(2).budget_bytes(4 << 20).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        noting.note(record.partition(), record.offset().0);
        async {}
    }));
    until(|| world.committed(1) == Some(100)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let stats = handle.stats().await.unwrap();
    assert_eq!(
        stats.partitions.iter().map(|it| it.held_by).collect::<Vec<_>>(),
        [Holds::Stopped, Holds::Nothing]
    );
    let summary = handle.close(Duration::from_secs(5)).await;
    drop(run.await.unwrap());
    assert_eq!((seen.of(0), world.committed(0)), ((0..10).collect(), Some(10)));
    let error = summary.partitions[0].error.clone().unwrap().to_string();
    assert!(error.contains("3000") && error.contains("2097152"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn large_batches_pass_through_a_small_budget() {
    let world = World::new(3);
    let large = vec![7; 1_500_000];
    for partition in 0..3 {
        for _ in 0..20 {
            let batch = forebay_broker::BatchBuilder::at_time(0).record(None, Some(&large));
            world.append(partition, &batch.build());
        }
    }
    let consumer = world.consumer(3).budget_bytes(8 << 20).build().unwrap();
    let handle = consumer.handle();
    let run = tokio::spawn(consumer.run(|record: Record, _: Context| async move {
        assert_eq!(record.value().unwrap().len(), 1_500_000);
    }));
    world.all_committed(3).await;
    let stats = handle.stats().await.unwrap();
    assert!(stats.held_bytes_peak <= (10 << 20), "{}", stats.held_bytes_peak);
    close(&handle).await;
    run.await.unwrap().unwrap();
}
