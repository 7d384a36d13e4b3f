//! Orders: each partition one by one, or as many side by side as the concurrency allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay::{Batch, Context, Order, Record};

use crate::world::{Seen, World, close};

#[tokio::test(start_paused = true)]
async fn every_record_comes_once_in_the_order_of_its_partition() {
    let world = World::new(4);
    (0..4).for_each(|partition| world.fill(partition, 20, 50));
    let consumer = world.consumer(4).build().unwrap();
    let (handle, seen, noted) = (consumer.handle(), Seen::default(), Seen::default());
    let noting = noted.clone();

    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            assert_eq!(record.value().unwrap(), record.offset().0.to_string().as_bytes());
            assert_eq!(record.key(), Some(&b"key"[..]));
            tokio::task::yield_now().await;
            noting.note(record.partition(), record.offset().0);
        }
    }));
    world.all_committed(4).await;
    close(&handle).await;

    run.await.unwrap().unwrap();
    drop(seen);
    for partition in 0..4 {
        assert_eq!(noted.of(partition), (0..1000).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn in_partition_order_one_record_of_a_partition_runs_at_a_time() {
    let most = most_at_once(Order::Partition, 3).await;
    assert_eq!(most, 3, "three partitions, one record each");
}

#[tokio::test(start_paused = true)]
async fn unordered_records_run_side_by_side_up_to_the_concurrency() {
    let most = most_at_once(Order::Unordered, 3).await;
    assert_eq!(most, 16);
}

/// How many handlers ran at once at most; each of them waits 10 ms.
async fn most_at_once(order: Order, partitions: i32) -> usize {
    let world = World::new(partitions);
    (0..partitions).for_each(|partition| world.fill(partition, 10, 10));
    let consumer = world.consumer(partitions).order(order).concurrency(16).build().unwrap();
    let handle = consumer.handle();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let highest = Arc::clone(&most);

    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            drop(record);
        }
    }));
    world.all_committed(partitions).await;
    close(&handle).await;
    run.await.unwrap().unwrap();
    highest.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn unordered_records_that_end_in_any_order_are_each_seen_once() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 30, 20));
    let consumer = world.consumer(2).order(Order::Unordered).concurrency(32).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();

    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            // Neighbours end in another order than they began in.
            let wait = (record.offset().0 * 7919) % 23;
            tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
            noting.note(record.partition(), record.offset().0);
        }
    }));
    world.all_committed(2).await;
    close(&handle).await;

    run.await.unwrap().unwrap();
    for partition in 0..2 {
        let mut offsets = seen.of(partition);
        assert!(!offsets.is_sorted(), "they were to end in any order");
        offsets.sort_unstable();
        assert_eq!(offsets, (0..600).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_frontier_inside_a_batch_is_committed_while_its_records_run() {
    let world = World::new(1);
    world.fill(0, 1, 100);
    let consumer = world.consumer(1).build().unwrap();
    let handle = consumer.handle();
    let run = tokio::spawn(consumer.run(|record: Record, _: Context| async move {
        if record.offset().0 == 40 {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }));

    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.committed(0), Some(40), "41 is running, 40 are done");

    world.all_committed(1).await;
    close(&handle).await;
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn batches_come_whole_and_begin_at_the_committed_offset() {
    let world = World::new(1);
    world.fill(0, 5, 10);
    world.broker.with(|cluster| cluster.commit(crate::world::GROUP, &crate::world::tp(0), 13, 0));
    let consumer = world.consumer(1).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();

    let run = tokio::spawn(consumer.run_batches(move |batch: Batch, _: Context| {
        let noting = noting.clone();
        async move {
            assert_eq!(batch.last_offset().next(), batch.next_position());
            for record in batch.records() {
                noting.note(batch.partition(), record.offset.0);
            }
            assert_eq!(
                batch.owned_records().map(|record| record.offset()).collect::<Vec<_>>(),
                batch.records().map(|record| record.offset).collect::<Vec<_>>(),
            );
        }
    }));
    world.all_committed(1).await;
    close(&handle).await;

    run.await.unwrap().unwrap();
    assert_eq!(seen.of(0), (13..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn handlers_that_are_not_send_run_on_the_thread_that_awaits_them() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 3, 10));
    let consumer = world.consumer(2).build().unwrap();
    let handle = consumer.handle();
    let count = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&count);

    let run = consumer.run_local(move |_: Record, _: Context| {
        let counted = std::rc::Rc::clone(&counted);
        async move {
            tokio::task::yield_now().await;
            counted.set(counted.get() + 1);
        }
    });
    let watch = async {
        world.all_committed(2).await;
        close(&handle).await;
    };
    let (summary, ()) = tokio::join!(run, watch);

    assert!(summary.unwrap().is_clean());
    assert_eq!(count.get(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_handlers_hang_leaves_room_for_others_without_an_order() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 10, 20));
    let consumer = world.consumer(2).order(Order::Unordered).concurrency(16).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            if record.partition() == 0 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            noting.note(record.partition(), record.offset().0);
        }
    }));
    crate::world::until(|| seen.of(1).len() == 200).await;
    handle.shutdown(Duration::from_secs(1));
    drop(run.await.unwrap());
    assert_eq!(seen.of(0), [0_i64; 0]);
}
