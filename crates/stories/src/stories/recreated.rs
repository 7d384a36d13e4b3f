//! A topic that is deleted and created anew is another log: nothing of the old one is applied to it.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::config::ConsumerConfig;
use forebay::{Error, OffsetReset, Position, TopicPartition};
use tokio::time::sleep;

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::reader::Reader;
use crate::stage::{Stage, admin};
use crate::story::{Ending, Story, expect};
use crate::traffic::hurried;

pub(crate) const STORY: Story = Story {
    name: "topic-recreated",
    promise: "a topic deleted and created anew ends its partitions with an error that says so",
    tell: |stage| Box::pin(tell(stage)),
};

const WITHIN: Duration = Duration::from_secs(30);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("again", 1).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    ours::produce(topic, Codec::None, (0..100).map(Fresh::numbered)).await?;
    let (admin, group) = (admin(stage.machines())?, stage.name("group"));
    let start = BTreeMap::from([(TopicPartition::new(name.as_str(), 0), Position(0))]);
    admin.commit_offsets(&group, &start).await?;
    let mut client = hurried(stage.bootstrap())?;
    client.metadata_max_age = Duration::from_millis(500);
    let config = ConsumerConfig { client, ..ConsumerConfig::default() };
    let builder = forebay::Consumer::builder().config(config).group_id(group.as_str());
    let builder = builder.auto_offset_reset(OffsetReset::None).assign([(name.as_str(), 0)]);
    let reader = Reader::start(builder)?;
    reader.until("100 records", WITHIN, |it| it.seen().len() == 100).await?;

    admin.delete_topic(&name.as_str().into()).await?;
    // The deletion is accepted before it is done.
    let mut tries = 0;
    while let Err(error) = admin.create_topic(&NewTopic::new(name.as_str(), 1)).await {
        tries += 1;
        if 50 < tries {
            return Err(error.into());
        }
        sleep(Duration::from_millis(200)).await;
    }
    ours::produce(topic, Codec::None, (0..10).map(Fresh::numbered)).await?;

    let summary = reader.ended(WITHIN).await?;
    let error = summary.partitions.first().and_then(|it| it.error.clone());
    let is_typed = match &error {
        Some(Error::TopicRecreated { .. } | Error::UnknownTopic { .. }) => true,
        // Brokers before 2.8 have no ids: that the position is beyond the new end is all one sees.
        Some(Error::OffsetOutOfRange { .. }) => stage.broker().has_no_topic_ids(),
        _ => false,
    };
    expect(is_typed.into(), || format!("it ended with {error:?}"))?;
    let (seen, _) = reader.close().await?;
    expect((seen.len() == 100).into(), || format!("{} records came", seen.len()))
}
