//! Reads a topic from its beginning, counts what it sees, and commits as it goes.
//!
//! `cargo run -p forebay --example consume -- localhost:9092 orders billing`; without arguments it
//! starts a broker in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay::{Admin, BoxError, ClientConfig, Consumer, Context, OffsetReset, Order, Record};
use forebay_broker::{BatchBuilder, Broker, TopicPartition};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(servers), Some(topic), Some(group)) => consume(&servers, &topic, &group).await,
        _ => {
            let broker = Broker::builder().start().await?;
            broker.with(|cluster| {
                cluster.create_topic("orders", 2)?;
                let batch = BatchBuilder::at_time(0).record(Some(b"key"), Some(b"an order"));
                cluster.append(&TopicPartition::new("orders", 1), &batch.build())
            })?;
            consume(broker.bootstrap_servers(), "orders", "billing").await?;
            broker.shutdown().await;
            Ok(())
        }
    }
}

async fn consume(servers: &str, topic: &str, group: &str) -> Result<(), BoxError> {
    // Which partitions are there?
    let admin = Admin::new(&ClientConfig::from_servers(servers)?)?;
    let partitions = admin.describe_topic(&topic.into()).await?.partitions.len();

    let consumer = Consumer::builder()
        .bootstrap_servers(servers)
        .group_id(group)
        .assign((0..i32::try_from(partitions)?).map(|partition| (topic, partition)))
        .auto_offset_reset(OffsetReset::Earliest)
        .order(Order::Unordered)
        .concurrency(64)
        .build()?;

    // Shuts down when nothing has come for a second.
    let seen = Arc::new(AtomicU64::new(0));
    let handle = consumer.handle();
    let watched = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut before = u64::MAX;
        while before != watched.load(Ordering::Relaxed) {
            before = watched.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        handle.shutdown(Duration::from_secs(20));
    });

    let counted = Arc::clone(&seen);
    let summary = consumer
        .run(move |record: Record, _context: Context| {
            let counted = Arc::clone(&counted);
            async move {
                println!("{record:?}");
                counted.fetch_add(1, Ordering::Relaxed);
            }
        })
        .await?;
    println!("{} records", seen.load(Ordering::Relaxed));
    for partition in &summary.partitions {
        println!("{}: committed {:?}", partition.tp, partition.committed);
    }
    Ok(())
}
