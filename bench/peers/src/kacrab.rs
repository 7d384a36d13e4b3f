//! kacrab: `--api batches` takes what each poll returns, 500 records or, tuned, 10,000.

use std::time::Duration;

use clap::Parser;
use kacrab::common::TopicPartition;
use kacrab::consumer::{Consumer, Result};
use peers::{Options, Tally};

async fn consume(options: &Options) -> Result<Tally> {
    let mut tally = Tally::new(options.records);
    let mut config = vec![
        ("bootstrap.servers", options.bootstrap_servers.as_str()),
        ("group.id", options.group()),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "500"),
    ];
    if options.tuned {
        config.push(("max.poll.records", "10000"));
        config.push(("max.partition.fetch.bytes", "4194304"));
    }
    let mut consumer = Consumer::from_map(config).await?;
    if options.group.is_some() {
        consumer.subscribe([options.topic.as_str()])?;
    } else {
        let topic = || options.topic.clone();
        let partitions: Vec<_> =
            options.partitions().map(|number| TopicPartition::new(topic(), number)).collect();
        consumer.assign(partitions.clone())?;
        consumer.seek_to_beginning(&partitions).await?;
    }
    while !tally.is_full() {
        for record in &consumer.poll(Duration::from_secs(1)).await? {
            tally.add(record.value.as_deref().unwrap_or_default());
        }
    }
    consumer.commit_sync().await?;
    Ok(tally)
}

fn main() {
    let options = Options::parse();
    let tally = options.runtime().block_on(consume(&options)).expect("records");
    tally.print(if options.tuned { "kacrab tuned" } else { "kacrab" });
    std::process::exit(0);
}
