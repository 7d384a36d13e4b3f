//! Pulls batches and acknowledges them, at the program's own pace.
//!
//! `cargo run -p forebay --example pull` starts a broker in this process and ends when all is seen;
//! `... --example pull -- localhost:9092 orders billing` reads partition 0 of yours until Ctrl-C.

use std::time::Duration;

use forebay::{Batches, BoxError, Consumer, OffsetReset};
use forebay_broker::{BatchBuilder, Broker, TopicPartition};

const RECORDS: u64 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(servers), Some(topic), Some(group)) => {
            pull(start(&servers, &topic, &group)?, u64::MAX).await
        }
        _ => {
            let broker = Broker::builder().start().await?;
            fill(&broker)?;
            pull(start(broker.bootstrap_servers(), "orders", "billing")?, RECORDS).await?;
            let committed = broker.with(|cluster| cluster.committed("billing", &orders()));
            println!("committed: {:?}", committed.map(|committed| committed.offset));
            broker.shutdown().await;
            Ok(())
        }
    }
}

fn start(servers: &str, topic: &str, group: &str) -> Result<Batches, forebay::Error> {
    let consumer = Consumer::builder()
        .bootstrap_servers(servers)
        .group_id(group)
        .assign([(topic, 0)])
        .auto_offset_reset(OffsetReset::Earliest)
        .build()?;
    Ok(consumer.stream())
}

async fn pull(mut batches: Batches, expected: u64) -> Result<(), BoxError> {
    let mut seen = 0;
    while seen < expected {
        let batch = tokio::select! {
            batch = batches.next() => batch,
            _ = tokio::signal::ctrl_c() => break,
        };
        // The end of the stream is the end of the consumer; an error says why.
        let Some(batch) = batch else { break };
        let batch = batch?;
        for record in batch.records() {
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            println!("{} of {}", value, batch.topic_partition());
            seen += 1;
        }
        // Only now is the batch done and may be committed. `fail` would have it tried again.
        batch.ack()?;
    }
    batches.close(Duration::from_secs(10)).await;
    Ok(())
}

fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// Ten batches of ten records.
fn fill(broker: &Broker) -> Result<(), forebay_broker::Refusal> {
    broker.with(|cluster| {
        cluster.create_topic("orders", 1)?;
        for batch in 0..10 {
            let records = (0..10).fold(BatchBuilder::at_time(0), |builder, record| {
                builder.record(None, Some(format!("order {batch}{record}").as_bytes()))
            });
            cluster.append(&orders(), &records.build())?;
        }
        Ok(())
    })
}
