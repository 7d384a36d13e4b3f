//! A producer with much on its way writes while the leader of its partitions is killed, twice: what
//! was acknowledged is stored once and in the order in which it was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::config::ProducerConfig;
use forebay::{Producer, ProducerRecord};
use tokio::time::{Instant, sleep};

use super::leader_fails::{TAKE_OVER, leader};
use crate::ours;
use crate::peer::Topic;
use crate::stage::{Machines, Stage, admin};
use crate::story::{Ending, Story, expect};
use crate::traffic::hurried;

pub(crate) const STORY: Story = Story {
    name: "producer-killed",
    promise: "leaders that are killed under a busy producer lose, repeat and reorder nothing",
    tell: |stage| Box::pin(tell(stage)),
};

const PARTITIONS: u32 = 3;
/// Small, so that many batches are on their way when a leader dies.
const BATCH: usize = 1024;
/// Records between two pauses of a millisecond.
const BURST: u32 = 10;
/// So many more show that writing goes on.
const FLOWING: u32 = 1_000;

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let machines = stage.trio().await?;
    let name = stage.name("producer-killed");
    let partitions = i32::try_from(PARTITIONS).unwrap_or(1);
    let new = NewTopic::new(name.as_str(), partitions).replication_factor(3);
    stage.create(machines, &new).await?;
    let topic = Topic { bootstrap: machines.bootstrap(), name: &name };
    let client = hurried(topic.bootstrap)?;
    let config = ProducerConfig { client, batch_size: BATCH, ..ProducerConfig::default() };
    let producer = Producer::builder().config(config).build()?;
    let (is_over, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let writer = write(producer.clone(), name.clone(), (Arc::clone(&is_over), Arc::clone(&acked)));
    let writer = tokio::spawn(writer);
    flows(&acked).await?;
    for _ in 0..2 {
        in_sync(machines, &name).await?;
        let victim = leader(machines, &name).await?;
        machines.kill(victim).await?;
        let away = flows(&acked).await;
        // Also when it did not go well: the next story needs all three.
        machines.restart(victim).await?;
        away?;
        flows(&acked).await?;
    }
    is_over.store(true, Ordering::Relaxed);
    let written = writer.await.map_err(|fault| Ending::Broken(fault.to_string()))??;
    producer.close(Duration::from_secs(10)).await?;
    check(topic, written, &stage.name("group")).await
}

/// Writes numbered records to the partitions in turn until it is over; each must be acknowledged.
async fn write(
    producer: Producer,
    topic: String,
    (is_over, acked): (Arc<AtomicBool>, Arc<AtomicU32>),
) -> Result<u32, forebay::Error> {
    let mut receipts = std::collections::VecDeque::new();
    let mut written = 0;
    while !is_over.load(Ordering::Relaxed) {
        let value = format!("{written:080}");
        let partition = i32::try_from(written % PARTITIONS).unwrap_or(0);
        let record = ProducerRecord::new(&topic, value.as_bytes()).partition(partition);
        receipts.push_back(producer.send(record).await?);
        written += 1;
        if written % BURST == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        while let Some(result) = receipts.front().and_then(forebay::Receipt::result) {
            result?;
            receipts.pop_front();
            acked.fetch_add(1, Ordering::Relaxed);
        }
    }
    for receipt in receipts {
        receipt.delivered().await?;
    }
    Ok(written)
}

/// Waits until every replica follows again. Who kills a node before that leaves fewer than are needed
/// to acknowledge anything; on Kafka 2.8 that was seen to last when the node was the controller.
async fn in_sync(machines: &Machines, topic: &str) -> Result<(), Ending> {
    let admin = admin(machines)?;
    let until = Instant::now() + TAKE_OVER;
    loop {
        let partitions = admin.describe_topic(&topic.into()).await?.partitions;
        if partitions.iter().all(|it| it.in_sync.len() == it.replicas.len()) {
            return Ok(());
        }
        let is_late = until < Instant::now();
        expect((!is_late).into(), || format!("not all are in sync: {partitions:?}"))?;
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until more is acknowledged.
async fn flows(acked: &AtomicU32) -> Result<(), Ending> {
    let enough = acked.load(Ordering::Relaxed) + FLOWING;
    let until = Instant::now() + TAKE_OVER;
    while acked.load(Ordering::Relaxed) < enough {
        let is_late = until < Instant::now();
        expect((!is_late).into(), || format!("nothing is acknowledged within {TAKE_OVER:?}"))?;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Reads what is stored: all numbers, once, and in their order in each partition.
async fn check(topic: Topic<'_>, written: u32, group: &str) -> Result<(), Ending> {
    let partitions = i32::try_from(PARTITIONS).unwrap_or(1);
    let mut seen = ours::read(topic, partitions, group, written as usize).await?;
    seen.sort_by_key(|it| (it.partition, it.offset));
    let number = |it: &ours::Seen| {
        let text = std::str::from_utf8(it.value.as_deref().unwrap_or_default()).ok();
        text.and_then(|text| text.parse::<u32>().ok())
    };
    for partition in 0..PARTITIONS {
        let stored = seen.iter().filter(|it| it.partition.unsigned_abs() == partition);
        let stored: Vec<Option<u32>> = stored.map(number).collect();
        let sent: Vec<Option<u32>> =
            (0..written).filter(|it| it % PARTITIONS == partition).map(Some).collect();
        let differs = stored.iter().zip(&sent).find(|(stored, sent)| stored != sent);
        expect((stored == sent).into(), || {
            let (stored, sent) = (stored.len(), sent.len());
            format!("partition {partition} has {stored} records of {sent}; {differs:?}")
        })?;
    }
    Ok(())
}
