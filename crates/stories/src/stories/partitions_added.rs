//! Partitions that are added while clients run are written to and read; who reads the others is not
//! disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay::config::ProducerConfig;
use forebay::{Producer, ProducerRecord};
use tokio::time::{Instant, sleep};

use crate::ours;
use crate::peer::Topic;
use crate::reader::Reader;
use crate::stage::{Machines, Stage, admin};
use crate::story::{Ending, Story, expect};
use crate::traffic::hurried;

pub(crate) const STORY: Story = Story {
    name: "partitions-added",
    promise: "partitions added while clients run are written to and read, and disturb nobody",
    tell: |stage| Box::pin(tell(stage)),
};

const BEFORE: i32 = 1;
const AFTER: i32 = 3;
const WITHIN: Duration = Duration::from_secs(20);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("grows", BEFORE).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let first = Reader::start(ours::consumer(topic, BEFORE, &stage.name("group")))?;
    let mut client = hurried(stage.bootstrap())?;
    client.metadata_max_age = Duration::from_millis(500);
    let config = ProducerConfig { client, ..ProducerConfig::default() };
    let producer = Producer::builder().config(config).build()?;

    let mut written: BTreeMap<i32, usize> = BTreeMap::new();
    let until = Instant::now() + WITHIN;
    while written.len() < AFTER as usize && Instant::now() < until {
        if written.len() == 1 && written.values().sum::<usize>() == 50 {
            grow(stage, &name).await?;
        }
        let key = written.values().sum::<usize>().to_string();
        let record = ProducerRecord::new(&name, b"value").key(key.as_bytes());
        let delivery = producer.send(record).await?.delivered().await?;
        *written.entry(delivery.tp.partition).or_default() += 1;
        sleep(Duration::from_millis(5)).await;
    }
    producer.close(Duration::from_secs(5)).await?;
    let used: BTreeSet<i32> = written.keys().copied().collect();
    expect((used == (0..AFTER).collect()).into(), || format!("only {used:?} were written to"))?;

    let of_first = written.get(&0).copied().unwrap_or(0);
    first.until("all of partition 0", WITHIN, |it| it.seen().len() == of_first).await?;
    first.close().await?;
    let all = Reader::start(ours::consumer(topic, AFTER, &stage.name("group")))?;
    let total: usize = written.values().sum();
    all.until("all partitions", WITHIN, |it| it.seen().len() == total).await?;
    all.close().await.map(drop)
}

/// The oldest brokers take no request for it; their own tool writes it into ZooKeeper.
async fn grow(stage: &Stage, name: &str) -> Result<(), Ending> {
    if let (false, Machines::Kafka(lab)) = (stage.broker().adds_partitions(), stage.machines()) {
        let words = ["--zookeeper", "{zookeeper}", "--alter", "--topic", name, "--partitions", "3"];
        return lab.tool("kafka.admin.TopicCommand", &words).await.map(drop);
    }
    let totals = BTreeMap::from([(name.into(), AFTER)]);
    let grown = admin(stage.machines())?.create_partitions(&totals).await?;
    grown.into_values().collect::<Result<Vec<_>, _>>()?;
    Ok(())
}
