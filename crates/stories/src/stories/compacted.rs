//! What compaction leaves is read whole, holes and all, and committed up to the end.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::{Position, TopicPartition};
use tokio::time::sleep;

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::reader::Reader;
use crate::stage::{Machines, Stage, refused};
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "compacted-topic",
    promise: "a compacted topic is read to its end: the last of each key, holes passed over",
    tell: |stage| Box::pin(tell(stage)),
};

const KEYS: u32 = 10;
const RECORDS: u32 = 500;
const WITHIN: Duration = Duration::from_secs(20);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.name("compacted");
    let new = NewTopic::new(name.as_str(), 1)
        .config("cleanup.policy", "compact")
        .config("segment.ms", "100")
        .config("min.cleanable.dirty.ratio", "0.01")
        .config("delete.retention.ms", "0");
    stage.create(stage.machines(), &new).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let producer = || ours::producer(topic, Codec::None).batch_size(2_000);
    ours::produce_by(producer(), topic, (0..RECORDS).map(fresh)).await?;
    // Another segment: the active one is never cleaned.
    sleep(Duration::from_millis(300)).await;
    ours::produce_by(producer(), topic, [fresh(RECORDS)]).await?;
    if let Machines::Ours(ours) = stage.machines() {
        let tp = TopicPartition::new(name.as_str(), 0);
        ours.with(|cluster| cluster.compact(&tp)).map_err(refused)?;
    }

    let end = i64::from(RECORDS) + 1;
    for _ in 0..100 {
        let reader = Reader::start(ours::consumer(topic, 1, &stage.name("group")))?;
        let is_end = |it: &Reader| it.offsets(0).last() == Some(&(end - 1));
        reader.until("the last record", WITHIN, is_end).await?;
        let (seen, summary) = reader.close().await?;
        if seen.len() < RECORDS as usize / 2 {
            check(&seen)?;
            let first = summary.partitions.first();
            let is_at_end = first.is_some_and(|it| it.committed == Some(Position(end)));
            return expect(is_at_end.into(), || format!("it ended with {first:?}"));
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(Ending::Broken("the broker did not compact the topic".to_owned()))
}

fn check(seen: &[ours::Seen]) -> Result<(), Ending> {
    let sorted = seen.is_sorted_by_key(|it| it.offset);
    expect(sorted.into(), || "offsets do not rise".to_owned())?;
    let last: BTreeMap<_, _> = seen.iter().map(|it| (it.key.clone(), it.value.clone())).collect();
    for key in 0..KEYS {
        let number = (0..=RECORDS).rfind(|i| i % KEYS == key).unwrap_or(0);
        let Fresh { key, value, .. } = fresh(number);
        let found = last.get(&key);
        expect((found == Some(&value)).into(), || format!("{key:?} has {found:?} at last"))?;
    }
    Ok(())
}

fn fresh(i: u32) -> Fresh {
    let key = Some(format!("key-{}", i % KEYS).into_bytes());
    Fresh { partition: Some(0), key, ..Fresh::numbered(i) }
}
