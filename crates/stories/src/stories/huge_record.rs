//! A record of 20 MB comes through a consumer that asks for 1 MB, or stops its partition alone where
//! the budget has no room for it.

use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::{Error, PartitionFault, TopicPartition};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::reader::Reader;
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "huge-record",
    promise: "a record of 20 MB comes whole with limits of 1 MB, or stops its partition alone",
    tell: |stage| Box::pin(tell(stage)),
};

const HUGE: usize = 20_000_000;
const LIMIT: usize = 25_000_000;
const WITHIN: Duration = Duration::from_secs(30);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.name("huge");
    let new = NewTopic::new(name.as_str(), 2).config("max.message.bytes", LIMIT.to_string());
    stage.create(stage.machines(), &new).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    for (partition, sizes) in [(0, [10, HUGE, 10]), (1, [10, 10, 10])] {
        for size in sizes {
            let producer = ours::producer(topic, Codec::None).max_request_size(LIMIT);
            let producer = producer.buffer_memory(2 * LIMIT);
            ours::produce_by(producer, topic, [of(partition, size)]).await?;
        }
    }
    whole(stage, topic).await?;
    alone(stage, topic).await
}

async fn whole(stage: &Stage, topic: Topic<'_>) -> Result<(), Ending> {
    let builder = ours::consumer(topic, 2, &stage.name("group")).budget_bytes(3 * LIMIT);
    let reader = Reader::start(builder)?;
    reader.until("six records", WITHIN, |it| it.seen().len() == 6).await?;
    let (seen, _) = reader.close().await?;
    let of_first = seen.iter().filter(|it| it.partition == 0);
    let sizes: Vec<_> = of_first.map(|it| it.value.as_ref().map_or(0, Vec::len)).collect();
    expect((sizes == [10, HUGE, 10]).into(), || format!("partition 0 brought {sizes:?} bytes"))
}

async fn alone(stage: &Stage, topic: Topic<'_>) -> Result<(), Ending> {
    let builder = ours::consumer(topic, 2, &stage.name("group")).budget_bytes(LIMIT);
    let reader = Reader::start(builder)?;
    reader.until("four records", WITHIN, |it| it.seen().len() == 4).await?;
    reader.until_stopped(&TopicPartition::new(topic.name, 0)).await?;
    let (seen, summary) = reader.close().await?;
    expect((seen.len() == 4).into(), || format!("{} records came", seen.len()))?;
    let error = summary.partitions.first().and_then(|it| it.error.clone());
    let is_typed = matches!(&error, Some(Error::PartitionStopped {
        fault: PartitionFault::TooLarge { position, bytes, limit }, ..
    }) if position.0 == 1 && HUGE as u64 <= *bytes && *limit < *bytes);
    expect(is_typed.into(), || format!("partition 0 ended with {error:?}"))?;
    let other = summary.partitions.get(1);
    expect(other.is_some_and(|it| it.error.is_none()).into(), || format!("partition 1: {other:?}"))
}

fn of(partition: i32, size: usize) -> Fresh {
    let value = Some(vec![b'x'; size]);
    Fresh { partition: Some(partition), key: None, value, headers: Vec::new() }
}
