//! What Java's client and librdkafka write we read, and what we write they read, in every codec.

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Peer, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "exchange-with-others",
    promise: "Java's client and librdkafka read what we write and write what we read",
    tell: |stage| Box::pin(tell(stage)),
};

/// Written per peer and codec.
const RECORDS: u32 = 2_000;

async fn tell(stage: &Stage) -> Result<(), Ending> {
    for peer in [Peer::java(stage).await?, Peer::Librdkafka] {
        we_read(stage, &peer).await?;
        they_read(stage, &peer).await?;
    }
    Ok(())
}

async fn we_read(stage: &Stage, peer: &Peer) -> Result<(), Ending> {
    let name = stage.topic("theirs", 1).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let mut expected = Vec::new();
    for codec in Codec::of(stage) {
        peer.write(topic, codec, RECORDS).await?;
        expected.extend(lines(peer.name(), expected.len()));
    }
    let seen = ours::read(topic, 1, &stage.name("group"), expected.len()).await?;
    let mut seen: Vec<_> = seen.iter().map(|record| (record.offset, record.line())).collect();
    seen.sort_unstable();
    let seen: Vec<String> = seen.into_iter().map(|(_, line)| line).collect();
    compare(&format!("we read from {}", peer.name()), &expected, &seen)
}

async fn they_read(stage: &Stage, peer: &Peer) -> Result<(), Ending> {
    let name = stage.topic("ours", 1).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let mut expected = Vec::new();
    for codec in Codec::of(stage) {
        ours::produce(topic, codec, (0..RECORDS).map(fresh)).await?;
        expected.extend(lines("forebay", expected.len()));
    }
    let count = u32::try_from(expected.len()).unwrap_or(u32::MAX);
    let seen = peer.read(topic, count).await?;
    compare(&format!("{} read from us", peer.name()), &expected, &seen)
}

/// The lines of the records of one writer, offsets counted from `base`.
fn lines(writer: &str, base: usize) -> Vec<String> {
    let line = |i| format!("{}|key-{i}|value-{i}|from={writer}", base + i as usize);
    (0..RECORDS).map(line).collect()
}

/// The same record as the peers write it.
fn fresh(i: u32) -> Fresh {
    Fresh {
        partition: Some(0),
        key: Some(format!("key-{i}").into_bytes()),
        value: Some(format!("value-{i}").into_bytes()),
        headers: vec![("from".to_owned(), Some(b"forebay".to_vec()))],
    }
}

fn compare(what: &str, expected: &[String], seen: &[String]) -> Result<(), Ending> {
    let differs = expected.iter().zip(seen).find(|(expected, seen)| expected != seen);
    if let Some((expected, seen)) = differs {
        return Err(Ending::Broken(format!("{what}: {seen} instead of {expected}")));
    }
    let same = expected.len() == seen.len();
    expect(same.into(), || format!("{what}: {} records of {}", seen.len(), expected.len()))
}
