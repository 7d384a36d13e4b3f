//! A position that the log no longer has, or does not have yet, is an error or one reset to the
//! right place, as the policy says.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay::admin::DeleteBefore;
use forebay::{Error, Offset, OffsetReset, Position, TopicPartition};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::reader::Reader;
use crate::stage::{Stage, admin};
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "offset-out-of-range",
    promise: "a position outside the log is an error, or one reset to the right place",
    tell: |stage| Box::pin(tell(stage)),
};

const RECORDS: i64 = 100;
/// The first record that is left.
const START: i64 = 40;
const WITHIN: Duration = Duration::from_secs(15);

/// Committed; the policy; the first record that is read, or an error.
const CASES: [(i64, OffsetReset, Option<i64>); 6] = [
    (10, OffsetReset::None, None),
    (10, OffsetReset::Earliest, Some(START)),
    // Records were deleted behind us: those that are left are not to be skipped.
    (10, OffsetReset::Latest, Some(START)),
    (5000, OffsetReset::None, None),
    (5000, OffsetReset::Earliest, Some(START)),
    (5000, OffsetReset::Latest, Some(RECORDS)),
];

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("range", 1).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    ours::produce(topic, Codec::None, (0..100).map(Fresh::numbered)).await?;
    let tp = TopicPartition::new(name.as_str(), 0);
    let admin = admin(stage.machines())?;
    let before = BTreeMap::from([(tp.clone(), DeleteBefore::Offset(Offset(START)))]);
    admin.delete_records(&before).await?.into_values().collect::<Result<Vec<_>, _>>()?;

    let mut waiting = Vec::new();
    for (committed, policy, first) in CASES {
        let group = stage.name("group");
        let offsets = BTreeMap::from([(tp.clone(), Position(committed))]);
        admin.commit_offsets(&group, &offsets).await?;
        let reader = Reader::start(ours::consumer(topic, 1, &group).auto_offset_reset(policy))?;
        match first {
            None => refused(reader, Position(committed)).await?,
            Some(first) => waiting.push((reader, first)),
        }
    }
    for (reader, first) in &waiting {
        let expected = usize::try_from(RECORDS - first).unwrap_or(0);
        let what = format!("{expected} records from {first} on");
        reader.until(&what, WITHIN, |it| expected <= it.seen().len()).await?;
        let is_placed = || async { reader.handle.position(tp.clone()).await };
        // A position beyond the end is the one that was committed: it is not reset yet.
        while is_placed().await? != Some(Position(RECORDS)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    ours::produce(topic, Codec::None, [Fresh::numbered(100)]).await?;
    for (reader, first) in waiting {
        let expected: Vec<i64> = (first..=RECORDS).collect();
        let what = format!("exactly the records from {first} on");
        reader.until(&what, WITHIN, |it| it.offsets(0) == expected).await?;
        reader.close().await?;
    }
    Ok(())
}

async fn refused(reader: Reader, committed: Position) -> Result<(), Ending> {
    let summary = reader.ended(WITHIN).await?;
    let error = summary.partitions.first().and_then(|it| it.error.clone());
    let is_typed = matches!(error, Some(Error::OffsetOutOfRange { position, log_start, end, .. })
        if position == committed && log_start.0 <= START && end.0 <= RECORDS);
    expect(is_typed.into(), || format!("position {committed} without a policy: {error:?}"))
}
