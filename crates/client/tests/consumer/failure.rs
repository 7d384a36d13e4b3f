//! Failures of handlers: errors, panics, further tries, and the four decisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay::{Batch, Context, Decision, Error, Order, Record, Summary};

use crate::world::{Seen, World, close, until};

/// The record that fails.
const BAD: i64 = 25;

async fn fail(record: Record, seen: Seen) -> Result<(), String> {
    if record.offset().0 == BAD && record.partition() == 0 {
        return Err("no such customer".to_owned());
    }
    seen.note(record.partition(), record.offset().0);
    Ok(())
}

/// Runs until both partitions stand still, and tells how it ended.
async fn run_with(decision: Decision) -> (World, Seen, Summary) {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 10, 10));
    let consumer = world.consumer(2).on_failure(move |_| decision).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run =
        tokio::spawn(consumer.run(move |record: Record, _: Context| fail(record, noting.clone())));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let summary = handle.close(Duration::from_secs(20)).await;
    drop(run.await.unwrap());
    (world, seen, Summary::clone(&summary))
}

#[tokio::test(start_paused = true)]
async fn by_default_the_partition_stops_and_nothing_is_committed_past_the_record() {
    let (world, seen, summary) = run_with(Decision::DoNotCommitAndStop).await;
    assert_eq!(seen.of(0), (0..BAD).collect::<Vec<_>>());
    assert_eq!(seen.of(1), (0..100).collect::<Vec<_>>(), "the other partition goes on");
    assert_eq!((world.committed(0), world.committed(1)), (Some(BAD), Some(100)));
    let error = summary.partitions[0].error.clone().unwrap();
    assert!(matches!(error, Error::PartitionStopped { .. }));
    assert!(error.to_string().contains("no such customer"), "{error}");
    assert!(error.to_string().contains("25"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn commit_and_stop_counts_the_record_as_done() {
    let (world, seen, _) = run_with(Decision::CommitAndStop).await;
    assert_eq!(seen.of(0), (0..BAD).collect::<Vec<_>>());
    assert_eq!(world.committed(0), Some(BAD + 1));
}

#[tokio::test(start_paused = true)]
async fn commit_and_continue_leaves_the_record_out() {
    let (world, seen, summary) = run_with(Decision::CommitAndContinue).await;
    assert_eq!(seen.of(0).len(), 99);
    assert_eq!(world.committed(0), Some(100));
    assert!(summary.is_clean(), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn do_not_commit_and_continue_goes_on_and_never_commits_past_it() {
    let (world, seen, _) = run_with(Decision::DoNotCommitAndContinue).await;
    assert_eq!(seen.of(0).len(), 99);
    assert_eq!(world.committed(0), Some(BAD));
}

#[tokio::test(start_paused = true)]
async fn a_failed_record_is_tried_again_with_growing_waits_and_others_go_on() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 10, 10));
    let consumer = world.consumer(2).retries(3).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let (noting, began) = (seen.clone(), tokio::time::Instant::now());
    let tries = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tried = Arc::clone(&tries);

    let run = tokio::spawn(consumer.run(move |record: Record, context: Context| {
        let (noting, tried) = (noting.clone(), Arc::clone(&tried));
        async move {
            if record.offset().0 == BAD && record.partition() == 0 {
                tried.lock().unwrap().push(context.attempt());
                if context.attempt() < 4 {
                    return Err("not yet");
                }
            }
            noting.note(record.partition(), record.offset().0);
            Ok(())
        }
    }));
    until(|| seen.of(1).len() == 100).await;
    assert!(began.elapsed() < Duration::from_secs(1), "the other partition does not wait");
    world.all_committed(2).await;
    close(&handle).await;

    run.await.unwrap().unwrap();
    assert_eq!(seen.of(0), (0..100).collect::<Vec<_>>(), "in order, with the failed one in place");
    assert_eq!(*tries.lock().unwrap(), [1, 2, 3, 4]);
    assert!(Duration::from_millis(3500) <= began.elapsed(), "0.5 s, 1 s and 2 s of waiting");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_record_alone() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    let consumer = world
        .consumer(1)
        .order(Order::Unordered)
        .on_failure(|failure| {
            assert!(failure.error.to_string().contains("panicked"), "{}", failure.error);
            Decision::CommitAndContinue
        })
        .build()
        .unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let noting = noting.clone();
        async move {
            assert_ne!(record.offset().0 % 10, 3, "a planted panic");
            tokio::task::yield_now().await;
            assert_ne!(record.offset().0 % 10, 7, "a planted panic after a wait");
            noting.note(0, record.offset().0);
        }
    }));
    world.all_committed(1).await;
    close(&handle).await;
    run.await.unwrap().unwrap();
    assert_eq!(seen.count(), 80);
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_is_tried_again_as_a_whole() {
    let world = World::new(1);
    world.fill(0, 3, 10);
    let consumer = world.consumer(1).retries(1).build().unwrap();
    let handle = consumer.handle();
    let runs = Arc::new(AtomicUsize::new(0));
    let ran = Arc::clone(&runs);
    let run = tokio::spawn(consumer.run_batches(move |batch: Batch, context: Context| {
        let ran = Arc::clone(&ran);
        async move {
            assert_eq!(batch.records().count(), 10);
            ran.fetch_add(1, Ordering::SeqCst);
            if batch.first_offset().0 == 10 && context.attempt() == 1 {
                Err("again")
            } else {
                Ok(())
            }
        }
    }));
    world.all_committed(1).await;
    close(&handle).await;
    run.await.unwrap().unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 4);
}
