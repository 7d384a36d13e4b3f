//! A connection that something in between forgot without a word costs one reconnect, and no record.

use std::sync::Arc;
use std::time::Duration;

use forebay::config::{ClientConfig, ProducerConfig};
use forebay::{Producer, ProducerRecord};
use tokio::time::{Instant, sleep};

use crate::peer::Topic;
use crate::proxy::Middlebox;
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};
use crate::traffic::{Traffic, hurried};

pub(crate) const STORY: Story = Story {
    name: "silent-drop",
    promise: "connections that a middlebox forgets are left; after idling nothing waits for them",
    tell: |stage| Box::pin(tell(stage)),
};

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("silent", 2).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    busy(stage, topic).await?;
    idle(topic).await
}

/// In mid-stream: answers that do not come are given up after the request timeout.
async fn busy(stage: &Stage, topic: Topic<'_>) -> Result<(), Ending> {
    let middlebox = Middlebox::new();
    let client = hurried(topic.bootstrap)?;
    let place = (topic.name, 2, &*stage.name("group"));
    let traffic = Traffic::with(client, Arc::new(middlebox.clone()), place)?;
    traffic.flows(Duration::from_secs(10)).await?;
    let before = middlebox.dialled();
    middlebox.forget();
    traffic.flows(Duration::from_secs(10)).await?;
    traffic.end().await?;
    let again = middlebox.dialled() - before;
    expect((1..=12).contains(&again).into(), || format!("{again} connections were made again"))
}

/// After a pause longer than connections may idle, a request takes a new connection at once instead
/// of waiting for one that nobody serves.
async fn idle(topic: Topic<'_>) -> Result<(), Ending> {
    let middlebox = Middlebox::new();
    let config = ClientConfig::from_servers(topic.bootstrap).map_err(forebay::Error::from)?;
    let client = ClientConfig { connections_max_idle: Duration::from_secs(1), ..config };
    let config = ProducerConfig { client, ..ProducerConfig::default() };
    let builder = Producer::builder().config(config).connector(Arc::new(middlebox.clone()));
    let producer = builder.build()?;
    let record = ProducerRecord::new(topic.name, b"value").partition(0);
    producer.send(record).await?.delivered().await?;
    middlebox.forget();
    sleep(Duration::from_millis(1500)).await;
    let began = Instant::now();
    producer.send(record).await?.delivered().await?;
    let took = began.elapsed();
    producer.close(Duration::from_secs(5)).await?;
    let in_time = took < Duration::from_secs(5);
    expect(in_time.into(), || format!("the first record after a pause took {took:?}"))
}
