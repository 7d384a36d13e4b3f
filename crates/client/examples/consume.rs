//! Reads a topic from its beginning, counts what it sees, and commits as it goes.
//!
//! `cargo run -p forebay --example consume -- localhost:9092 orders billing`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay::{Admin, ClientConfig, Consumer, Context, OffsetReset, Order, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or_else(|| format!("{name} is missing"));
    let (servers, topic, group) = (next("servers")?, next("topic")?, next("group")?);

    // Which partitions are there?
    let admin = Admin::new(&ClientConfig::from_servers(&servers)?)?;
    let partitions = admin.describe_topic(&topic.as_str().into()).await?.partitions.len();

    let consumer = Consumer::builder()
        .bootstrap_servers(&servers)
        .group_id(group)
        .assign((0..i32::try_from(partitions)?).map(|partition| (topic.clone(), partition)))
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
