//! What is produced is consumed: every record once, its bytes unchanged, in every codec the broker
//! can keep; a codec that it cannot keep is refused before anything is sent.

use std::collections::BTreeMap;

use crate::ours::{self, Fresh, Seen};
use crate::peer::{Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "every-codec",
    promise: "what is produced is consumed, every record once and unchanged, in every codec",
    tell: |stage| Box::pin(tell(stage)),
};

const RECORDS: u32 = 100_000;
const PARTITIONS: i32 = 4;

async fn tell(stage: &Stage) -> Result<(), Ending> {
    for codec in Codec::of(stage) {
        round_trip(stage, codec).await?;
    }
    if stage.broker().has_zstd() { Ok(()) } else { refusal(stage).await }
}

async fn round_trip(stage: &Stage, codec: Codec) -> Result<(), Ending> {
    let name = stage.topic(codec.name(), PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let places = ours::produce(topic, codec, (0..RECORDS).map(fresh)).await?;
    let written: BTreeMap<(i32, i64), u32> = places.into_iter().zip(0..).collect();
    let whole = written.len() == RECORDS as usize;
    expect(whole.into(), || format!("{codec:?}: two records were given one place"))?;
    let seen = ours::read(topic, PARTITIONS, &stage.name("group"), RECORDS as usize).await?;
    compare(codec, &written, &seen)
}

fn compare(codec: Codec, written: &BTreeMap<(i32, i64), u32>, seen: &[Seen]) -> Result<(), Ending> {
    let mut missing = written.clone();
    for record in seen {
        let place = (record.partition, record.offset);
        let Some(i) = missing.remove(&place) else {
            return Err(Ending::Broken(format!("{codec:?}: {place:?} came twice or from nowhere")));
        };
        let wrote = fresh(i);
        let same = (&record.key, &record.value, &record.headers)
            == (&wrote.key, &wrote.value, &wrote.headers);
        expect(same.into(), || format!("{codec:?}: {record:?} was written as {wrote:?}"))?;
    }
    let left = missing.len();
    expect((left == 0).into(), || format!("{codec:?}: {left} records never came"))
}

/// Keys repeat, some are absent; some values are tombstones; headers repeat and need not be UTF-8.
fn fresh(i: u32) -> Fresh {
    let key = (!i.is_multiple_of(7)).then(|| format!("key-{}", i % 1_000).into_bytes());
    let value = (!i.is_multiple_of(11))
        .then(|| format!("value-{i}-{}", "x".repeat(i as usize % 90)).into());
    let headers = match i % 3 {
        0 => Vec::new(),
        1 => vec![("trace".to_owned(), Some(i.to_be_bytes().to_vec()))],
        _ => vec![("again".to_owned(), None), ("again".to_owned(), Some(vec![0xff, 0xfe]))],
    };
    Fresh { partition: None, key, value, headers }
}

/// zstd came with Kafka 2.1; what an older broker would store no older client could read.
async fn refusal(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("refused", 1).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let error = match ours::produce(topic, Codec::Zstd, (0..10).map(fresh)).await {
        Err(Ending::Client(error)) => error,
        Err(other) => return Err(other),
        Ok(places) => {
            return Err(Ending::Broken(format!("{} zstd records were taken", places.len())));
        }
    };
    ours::is_unsupported(&error)?;
    let plain = ours::produce(topic, Codec::None, (0..1).map(fresh)).await?;
    expect((plain == [(0, 0)]).into(), || format!("zstd left something behind: {plain:?}"))
}
