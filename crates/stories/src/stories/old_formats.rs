//! Records in the message formats of 0.9 and 0.10 are read, in every codec of their time.

use std::time::Duration;

use forebay::TopicPartition;
use forebay::admin::NewTopic;
use forebay::config::{ClientConfig, ProducerConfig};

use crate::ours::{self, Fresh, Seen};
use crate::peer::{Codec, Topic};
use crate::reader::Reader;
use crate::stage::{Brokers, Machines, Stage, refused};
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "old-formats",
    promise: "records in the message formats of 0.9 and 0.10 are read, in every codec",
    tell: |stage| Box::pin(tell(stage)),
};

/// Message sets as a broker of 0.11.0.3 keeps them: twenty records at offsets 100 to 119.
const SETS: &str = include_str!("../../../protocol/tests/goldens/message-sets-0.11.0.3.txt");
const CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];
const RECORDS: u32 = 500;
const WITHIN: Duration = Duration::from_secs(20);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let broker = stage.broker();
    if broker == Brokers::InProcess {
        return kept(stage).await;
    }
    if broker.writes_old_formats() {
        converted(stage, "0.9.0").await?;
        return converted(stage, "0.10.2").await;
    }
    let what = "message.format.version: brokers from 3.0 on write record batches only";
    Err(Ending::NotOffered(what.to_owned()))
}

/// The broker makes messages of what it gets.
async fn converted(stage: &Stage, format: &str) -> Result<(), Ending> {
    let name = stage.name("old");
    let partitions = i32::try_from(CODECS.len()).unwrap_or(0);
    let new = NewTopic::new(name.as_str(), partitions).config("message.format.version", format);
    stage.create(stage.machines(), &new).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    for (partition, codec) in (0..).zip(CODECS) {
        // Old messages have no place for a sequence.
        let client = ClientConfig::from_servers(topic.bootstrap).map_err(forebay::Error::from)?;
        let config = ProducerConfig { client, idempotence: false, ..ProducerConfig::default() };
        let config = ProducerConfig { compression: codec.setting(), ..config };
        let producer = forebay::Producer::builder().config(config);
        let fresh = |i| Fresh { partition: Some(partition), ..Fresh::numbered(i) };
        ours::produce_by(producer, topic, (0..RECORDS).map(fresh)).await?;
    }
    let seen = read(stage, topic, (partitions, RECORDS as usize * CODECS.len())).await?;
    for partition in 0..partitions {
        let records = seen.iter().filter(|it| it.partition == partition);
        let lines: Vec<String> = records.map(Seen::line).collect();
        let expected: Vec<String> =
            (0..RECORDS).map(|i| format!("{i}|key-{i}|value-{i}|")).collect();
        expect((lines == expected).into(), || {
            format!("{format}, partition {partition}: {lines:?}")
        })?;
    }
    Ok(())
}

/// Ours keeps what it is given: what a real one kept.
async fn kept(stage: &Stage) -> Result<(), Ending> {
    let sets: Vec<(&str, bytes::Bytes)> = SETS.lines().filter_map(set).collect();
    let partitions = i32::try_from(sets.len()).unwrap_or(0);
    let name = stage.topic("old", partitions).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    if let Machines::Ours(ours) = stage.machines() {
        for (partition, (_, bytes)) in (0..).zip(&sets) {
            let tp = TopicPartition::new(name.as_str(), partition);
            ours.with(|cluster| cluster.append_raw(&tp, bytes, 119)).map_err(refused)?;
        }
    }
    let seen = read(stage, topic, (partitions, sets.len() * 20)).await?;
    for (partition, (what, _)) in (0..).zip(&sets) {
        let records = seen.iter().filter(|it| it.partition == partition);
        let offsets: Vec<i64> = records.map(|it| it.offset).collect();
        let is_whole = offsets == (100..120).collect::<Vec<_>>();
        expect(is_whole.into(), || format!("{what}: {offsets:?}"))?;
    }
    let text =
        |it: &Seen| String::from_utf8_lossy(it.value.as_deref().unwrap_or_default()).into_owned();
    let wrong = seen.iter().find(|it| {
        let number = format!("value {} of", it.offset - 100);
        it.value.is_some() && !text(it).is_empty() && !text(it).starts_with(&number)
    });
    expect(wrong.is_none().into(), || format!("not what was written: {wrong:?}"))
}

/// A line of the golden file: its name and its bytes. Only sets without gaps count here.
fn set(line: &str) -> Option<(&str, bytes::Bytes)> {
    let (name, hex) = line.split_once(' ')?;
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes = (0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?;
    let is_usual = !name.contains("large") && !name.contains("sparse") && !name.contains("append");
    is_usual.then(|| (name, bytes.into()))
}

async fn read(
    stage: &Stage,
    topic: Topic<'_>,
    (partitions, count): (i32, usize),
) -> Result<Vec<Seen>, Ending> {
    let builder = ours::consumer(topic, partitions, &stage.name("group"));
    let reader = Reader::start(builder.order(forebay::Order::Partition))?;
    let what = format!("{count} records");
    reader.until(&what, WITHIN, |it| count <= it.seen().len()).await?;
    let (seen, summary) = reader.close().await?;
    expect(summary.is_clean().into(), || format!("it ended with {summary:?}"))?;
    Ok(seen)
}
