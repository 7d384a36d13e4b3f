//! What transactions of other clients leave is read both ways: without what was aborted, and with it.

use std::time::Duration;

use forebay::IsolationLevel;

use crate::ours;
use crate::peer::{Peer, Topic};
use crate::reader::Reader;
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "transactions",
    promise: "of topics with aborted transactions we read what was committed, or all, as set",
    tell: |stage| Box::pin(tell(stage)),
};

/// With each peer, of ten records each. librdkafka's is a process per transaction.
const JAVA: u32 = 50;
const LIBRDKAFKA: u32 = 10;
const WITHIN: Duration = Duration::from_secs(20);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    for (peer, count) in [(Peer::java(stage).await?, JAVA), (Peer::Librdkafka, LIBRDKAFKA)] {
        let name = stage.topic("transactions", 1).await?;
        let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
        peer.transact(topic, count).await?;
        let values = |is_kept: fn(u32) -> bool| {
            let kept = (0..count).filter(move |i| is_kept(*i));
            let records = kept.flat_map(|i| (0..10).map(move |j| (i, j)));
            let name = peer.name();
            records.map(move |(i, j)| format!("{name}-{i}-{j}")).collect::<Vec<_>>()
        };
        let (committed, aborted) = (values(|i| i % 10 != 4), values(|i| i % 10 == 4));
        let seen = read(stage, topic, IsolationLevel::ReadCommitted, committed.len()).await?;
        same("read_committed", &committed, &seen)?;

        let least = committed.len() + 1;
        let seen = read(stage, topic, IsolationLevel::ReadUncommitted, least).await?;
        let (undone, done): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|value| aborted.contains(value));
        same("committed under read_uncommitted", &committed, &done)?;
        // kcat may drop the last ones before they were written.
        let is_some = if matches!(peer, Peer::Java(_)) { aborted.len() } else { 1 };
        let (found, of) = (undone.len(), aborted.len());
        expect((is_some <= found).into(), || format!("{found} aborted records of {of} came"))?;
    }
    Ok(())
}

/// All values that there are, in their order.
async fn read(
    stage: &Stage,
    topic: Topic<'_>,
    level: IsolationLevel,
    least: usize,
) -> Result<Vec<String>, Ending> {
    let builder = ours::consumer(topic, 1, &stage.name("group")).isolation_level(level);
    let reader = Reader::start(builder.order(forebay::Order::Partition))?;
    let what = format!("{least} records, {level:?}");
    reader.until(&what, WITHIN, |it| least <= it.seen().len()).await?;
    until_end(&reader).await?;
    let (seen, summary) = reader.close().await?;
    // The last marker too is passed and committed.
    let first = summary.partitions.first().and_then(|it| it.committed);
    let last = seen.iter().map(|it| it.offset).max();
    let is_past = last < first.map(|position| position.0 - 1);
    expect(is_past.into(), || format!("committed {first:?} after a last record at {last:?}"))?;
    let text = |value: &Option<Vec<u8>>| {
        let text = String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned();
        text.trim_end().to_owned()
    };
    Ok(seen.iter().map(|it| text(&it.value)).collect())
}

fn same(what: &str, expected: &[String], seen: &[String]) -> Result<(), Ending> {
    let differs = seen.iter().zip(expected).find(|(seen, expected)| seen != expected);
    expect((seen == expected).into(), || {
        format!("{what}: {} records of {}; {differs:?}", seen.len(), expected.len())
    })
}

/// Waits until nothing is left, markers included.
async fn until_end(reader: &Reader) -> Result<(), Ending> {
    for _ in 0..500 {
        let stats = reader.handle.stats().await?;
        if stats.partitions.first().is_some_and(|it| it.lag == Some(0)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Ending::Broken("the lag does not fall to 0".to_owned()))
}
