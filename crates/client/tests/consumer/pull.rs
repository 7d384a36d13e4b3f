//! Batches as a stream.

use std::time::Duration;

use forebay::{AckError, Error, Order};

use crate::world::{World, close, until};

#[tokio::test(start_paused = true)]
async fn acked_batches_are_committed_and_others_are_not() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 4, 10));
    let mut batches = world.consumer(2).order(Order::Unordered).build().unwrap().stream();
    let handle = batches.handle();

    let mut kept = Vec::new();
    for _ in 0..8 {
        let batch = batches.next().await.unwrap().unwrap();
        assert_eq!(batch.records().count(), 10);
        if (batch.partition(), batch.first_offset().0) == (0, 20) {
            kept.push(batch);
        } else {
            batch.ack().unwrap();
        }
    }
    until(|| world.committed(1) == Some(40)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.committed(0), Some(20), "the kept batch is in the way");
    kept.pop().unwrap().ack().unwrap();
    world.all_committed(2).await;
    close(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_dropped_without_an_ack_stops_its_partition() {
    let world = World::new(1);
    world.fill(0, 4, 10);
    let mut batches = world.consumer(1).build().unwrap().stream();
    batches.next().await.unwrap().unwrap().ack().unwrap();
    drop(batches.next().await.unwrap().unwrap());

    let ended = loop {
        match batches.next().await {
            Some(Ok(batch)) => drop(batch),
            Some(Err(error)) => break error,
            None => panic!("the error is to be told"),
        }
    };
    assert!(matches!(ended, Error::PartitionStopped { .. }), "{ended}");
    assert!(batches.next().await.is_none());
    assert_eq!(world.committed(0), Some(10));
}

#[tokio::test(start_paused = true)]
async fn an_ack_after_the_loss_is_a_typed_error() {
    let world = World::new(1);
    world.fill(0, 1, 10);
    let mut batches = world.consumer(1).build().unwrap().stream();
    let batch = batches.next().await.unwrap().unwrap();

    let summary = batches.close(Duration::from_millis(100)).await;

    assert!(0 < summary.unfinished);
    assert!(!batch.context().is_owned());
    assert_eq!(batch.ack(), Err(AckError::Lost));
    assert_eq!(world.committed(0).unwrap_or(0), 0);
}
