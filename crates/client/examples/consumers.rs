//! Several consumers in one process, each with partitions of its own, told what to do by a property
//! file; callbacks decide about failures, and Ctrl-C closes all of them in good order.
//!
//! `cargo run -p forebay --example consumers` starts a broker in this process, fills a topic and
//! ends when all is consumed. `... --example consumers -- my.properties` uses yours until Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::config::ClientKind;
use forebay::{
    Admin, BoxError, ClientConfig, Consumer, ConsumerHandle, Context, Decision, Failure, Order,
    Producer, ProducerRecord, Properties, Record, Summary,
};
use forebay_broker::Broker;

const PARTITIONS: i32 = 8;
const RECORDS: u64 = 1_000;
/// So many failures are a sign that something is wrong with more than a record.
const TOO_MANY: u64 = 100;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match std::env::args().nth(1) {
        Some(path) => consume(Properties::read(path)?, u64::MAX).await,
        None => {
            let broker = Broker::builder().start().await?;
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/consumers.properties");
            let properties = Properties::read(path)?;
            let properties = properties.with("bootstrap.servers", broker.bootstrap_servers());
            fill(broker.bootstrap_servers(), properties.get("topic").unwrap_or("orders")).await?;
            consume(properties, RECORDS).await?;
            broker.shutdown().await;
            Ok(())
        }
    }
}

/// Starts the consumers; ends when they have seen `expected` records, or on Ctrl-C.
async fn consume(mut properties: Properties, expected: u64) -> Result<(), BoxError> {
    // These are this program's own. Clients would refuse what they do not know.
    let topic = properties.take("topic").ok_or("the file has no topic")?;
    let count: i32 =
        properties.take("num.consumers").ok_or("the file has no num.consumers")?.parse()?;
    for note in properties.notes(ClientKind::Consumer)? {
        println!("note: {note}");
    }
    let admin = Admin::new(&ClientConfig::from_properties(&properties)?)?;
    let partitions = admin.describe_topic(&topic.as_str().into()).await?.partitions;

    let seen = Arc::new(AtomicU64::new(0));
    let mut running = Vec::new();
    for index in 0..count {
        // Every count-th partition is this one's: nobody has to talk about who owns what.
        let own = partitions.iter().map(|it| it.partition).filter(|it| it % count == index);
        let own: Vec<_> = own.map(|partition| (topic.clone(), partition)).collect();
        if own.is_empty() {
            continue;
        }
        let consumer = Consumer::builder()
            .properties(&properties)
            .client_id(format!("consumer-{index}"))
            .assign(own)
            .order(Order::Unordered)
            .on_failure(decide())
            .build()?;
        println!("consumer-{index} starts");
        let handle = consumer.handle();
        let counted = Arc::clone(&seen);
        let end = tokio::spawn(consumer.run(move |record, context| {
            let counted = Arc::clone(&counted);
            async move {
                work(&record, context)?;
                counted.fetch_add(1, Ordering::Relaxed);
                Ok::<_, BoxError>(())
            }
        }));
        running.push((handle, end));
    }

    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = reached(&seen, expected) => {}
    }
    println!("closing {} consumers", running.len());
    // All at once, each with its last commit.
    running.iter().for_each(|(handle, _): &(ConsumerHandle, _)| {
        handle.shutdown(Duration::from_secs(20));
    });
    for (_, end) in running {
        tell(&end.await??);
    }
    println!("{} records", seen.load(Ordering::Relaxed));
    Ok(())
}

/// The work: what fails is tried again as the file says, each time with a higher attempt.
fn work(record: &Record, context: Context) -> Result<(), BoxError> {
    let value = std::str::from_utf8(record.value().unwrap_or_default())?;
    if value.ends_with("00") && context.attempt() == 1 {
        return Err(format!("{value} did not work at first").into());
    }
    Ok(())
}

/// Asked when a record's last try failed: one is passed over, many stop the partition.
fn decide() -> impl Fn(&Failure<'_>) -> Decision + Send + Sync {
    let failures = AtomicU64::new(0);
    move |failure| {
        println!("failed for good: {}", failure.error);
        if failures.fetch_add(1, Ordering::Relaxed) < TOO_MANY {
            Decision::CommitAndContinue
        } else {
            Decision::DoNotCommitAndStop
        }
    }
}

async fn reached(seen: &AtomicU64, expected: u64) {
    while seen.load(Ordering::Relaxed) < expected {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn tell(summary: &Summary) {
    for partition in &summary.partitions {
        let (done, committed) = (partition.frontier, partition.committed);
        println!("{}: done up to {done:?}, committed {committed:?}", partition.tp);
    }
}

/// A topic with records in it.
async fn fill(servers: &str, topic: &str) -> Result<(), BoxError> {
    let admin = Admin::new(&ClientConfig::from_servers(servers)?)?;
    admin.create_topic(&NewTopic::new(topic, PARTITIONS)).await?;
    let producer = Producer::builder().bootstrap_servers(servers).build()?;
    for number in 0..RECORDS {
        let (key, value) = (format!("customer {number}"), format!("order {number}"));
        let record = ProducerRecord::new(topic, value.as_bytes()).key(key.as_bytes());
        producer.send(record).await?;
    }
    Ok(producer.close(Duration::from_secs(10)).await?)
}
