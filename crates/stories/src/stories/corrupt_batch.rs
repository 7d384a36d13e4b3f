//! A batch that is damaged on disk stops its partition alone, with its range; a seek skips it.

use std::time::Duration;

use forebay::{BrokerId, Error, PartitionFault, Position, TopicPartition};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::reader::Reader;
use crate::stage::{Machines, Stage, refused};
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "corrupt-batch",
    promise: "a batch damaged on disk stops its partition with its range; a seek skips it",
    tell: |stage| Box::pin(tell(stage)),
};

const BATCH: u32 = 10;
const WITHIN: Duration = Duration::from_secs(15);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("damaged", 2).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    for partition in [0, 1] {
        for _ in 0..3 {
            ours::produce(topic, Codec::None, (0..BATCH).map(|i| fresh(partition, i))).await?;
        }
    }
    damage(stage, &name).await?;

    let group = stage.name("group");
    let reader = Reader::start(ours::consumer(topic, 2, &group))?;
    let what = "what stands before it, and all of the other partition";
    let before: Vec<i64> = (0..10).collect();
    reader.until(what, WITHIN, |it| it.offsets(0) == before && it.offsets(1).len() == 30).await?;
    let tp = TopicPartition::new(name.as_str(), 0);
    reader.until_stopped(&tp).await?;
    let (_, summary) = reader.close().await?;
    let error = summary.partitions.first().and_then(|it| it.error.clone());
    let is_typed = matches!(&error, Some(Error::PartitionStopped {
        fault: PartitionFault::Corrupt { base, last, .. }, ..
    }) if (base.0, last.0) == (10, 19));
    expect(is_typed.into(), || format!("partition 0 ended with {error:?}"))?;

    let reader = Reader::start(ours::consumer(topic, 2, &group))?;
    reader.until_stopped(&tp).await?;
    reader.handle.seek(tp, Position(20)).await?;
    let after: Vec<i64> = (20..30).collect();
    reader.until("what stands behind it", WITHIN, |it| it.offsets(0) == after).await?;
    let (_, summary) = reader.close().await?;
    let first = summary.partitions.first();
    let is_whole = first.is_some_and(|it| it.committed == Some(Position(30)));
    expect(is_whole.into(), || format!("after the seek it ended with {first:?}"))
}

/// Changes the last byte of the batch at offset 10, on disk while the broker is stopped.
async fn damage(stage: &Stage, name: &str) -> Result<(), Ending> {
    let lab = match stage.machines() {
        Machines::Ours(ours) => {
            let tp = TopicPartition::new(name, 0);
            return ours.with(|cluster| cluster.corrupt(&tp, 10)).map_err(refused);
        }
        Machines::Kafka(lab) => lab,
    };
    // In good order: after a crash the broker would cut its log at the damage.
    stage.machines().stop(BrokerId(1)).await?;
    let segment = lab.data(BrokerId(1)).await?.join(format!("{name}-0/{:020}.log", 0));
    let io = |source| Ending::Io { what: "a segment of the broker", source };
    let mut bytes = std::fs::read(&segment).map_err(io)?;
    let mut at = 0;
    // Base offset in 8 bytes, then the length of what follows in 4.
    while let Some((base, length)) =
        bytes.get(at..at + 12).and_then(|head| head.split_at_checked(8))
    {
        let (is_it, end) = (number(base) == 10, at + 12 + number(length));
        if let Some(last) = bytes.get_mut(end - 1).filter(|_| is_it) {
            *last ^= 0xff;
        }
        at = end;
    }
    std::fs::write(&segment, bytes).map_err(io)?;
    stage.machines().restart(BrokerId(1)).await
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte))
}

fn fresh(partition: i32, i: u32) -> Fresh {
    Fresh { partition: Some(partition), ..Fresh::numbered(i) }
}
