//! A broker that throttles a client is obeyed: it reads slower, nothing fails, commits go on.

use std::time::Duration;

use forebay::{Position, TopicPartition};
use forebay_broker::{ApiKey, Effect, Fault};
use tokio::time::{Instant, sleep};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Peer, Topic};
use crate::reader::Reader;
use crate::stage::{Machines, Stage};
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "quota",
    promise: "a throttled consumer reads slower, fails nowhere and keeps committing",
    tell: |stage| Box::pin(tell(stage)),
};

const CLIENT: &str = "throttled";
/// Bytes a second, which brokers measure over eleven seconds: 1.2 MB at once are over it.
const RATE: u32 = 105_000;
const RECORDS: u32 = 1_200;
const WITHIN: Duration = Duration::from_secs(40);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("quota", 2).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    ours::produce(topic, Codec::None, (0..RECORDS).map(fresh)).await?;
    limit(stage).await?;
    let began = Instant::now();
    let builder = ours::consumer(topic, 2, &stage.name("group")).client_id(CLIENT);
    let reader = Reader::start(builder)?;
    reader.until("all records", WITHIN, |it| it.seen().len() == RECORDS as usize).await?;
    // The first answer may be whole; then the broker wants quiet, and records must come later.
    ours::produce(topic, Codec::None, (0..2).map(fresh)).await?;
    reader.until("two more", WITHIN, |it| it.seen().len() == RECORDS as usize + 2).await?;
    let took = began.elapsed();
    let stats = reader.handle.stats().await?;
    let tp = TopicPartition::new(name.as_str(), 0);
    let half = Position(i64::from(RECORDS / 2) + 1);
    let until = Instant::now() + Duration::from_secs(5);
    while reader.handle.committed(tp.clone()).await? != Some(half) && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
    let (_, summary) = reader.close().await?;
    unlimit(stage);
    expect((Duration::from_secs(1) <= took).into(), || {
        format!("1.2 MB came in {took:?}: nobody throttled")
    })?;
    expect((stats.fetches < 100).into(), || {
        format!("{} fetches in {took:?}: it asked when it should be quiet", stats.fetches)
    })?;
    expect((stats.watchdog_heals == 0).into(), || {
        "the watchdog took quiet for a stall".to_owned()
    })?;
    expect(summary.is_clean().into(), || format!("it ended with {summary:?}"))
}

/// The client's quota.
async fn limit(stage: &Stage) -> Result<(), Ending> {
    let lab = match stage.machines() {
        Machines::Ours(ours) => {
            let quiet = Effect::Throttle(Duration::from_millis(700));
            let fault = Fault::new(quiet).api(ApiKey::Fetch).client_id(CLIENT).times(u32::MAX);
            ours.with(|cluster| cluster.script(fault));
            return Ok(());
        }
        Machines::Kafka(lab) => lab,
    };
    if stage.broker().sets_quotas() {
        return Peer::java(stage).await?.limit(lab.bootstrap(), CLIENT, RATE).await;
    }
    let rate = format!("consumer_byte_rate={RATE}");
    let words = ["--zookeeper", "{zookeeper}", "--alter", "--add-config", &rate];
    let whom = ["--entity-type", "clients", "--entity-name", CLIENT];
    let words: Vec<&str> = words.into_iter().chain(whom).collect();
    lab.tool("kafka.admin.ConfigCommand", &words).await.map(drop)
}

fn unlimit(stage: &Stage) {
    if let Machines::Ours(ours) = stage.machines() {
        ours.with(forebay_broker::Cluster::clear_script);
    }
}

fn fresh(i: u32) -> Fresh {
    let value = Some(vec![b'x'; 1_000]);
    Fresh { partition: Some((i % 2).cast_signed()), value, ..Fresh::numbered(i) }
}
