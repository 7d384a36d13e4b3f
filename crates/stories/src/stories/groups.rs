//! Members come, go, are killed and are restarted, beside each other and beside Java's and
//! librdkafka's: nothing is lost, and nothing is repeated but what a kill explains.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::load::Load;
use crate::member::{Group, Member, Place, all_handled, none_twice};
use crate::ours::{self, Fresh};
use crate::peer::{self, Codec, Topic};
use crate::stage::{Stage, WAYS};
use crate::story::{Ending, Story, expect, until};

pub(crate) const SHARED: Story = Story {
    name: "members-come-and-go",
    promise: "members that leave or restart repeat nothing, one that is killed only what it had \
              not committed, and nothing is ever missing",
    tell: |stage| Box::pin(share(stage)),
};

pub(crate) const UPGRADED: Story = Story {
    name: "eager-to-cooperative",
    promise: "a group changes from eager to cooperative rebalancing by two rolling restarts, and \
              repeats nothing",
    tell: |stage| Box::pin(upgrade(stage)),
};

const PARTITIONS: i32 = 6;
const TAKES: Duration = Duration::from_millis(5);
/// Most records that a kill may repeat: eight handlers of 5 ms, commits every 500 ms and what they
/// wait for.
const REPEATED_MOST: usize = 2_400;
const PATIENCE: Duration = Duration::from_secs(60);

/// By all ways at once: most of the time somebody waits for a session to end.
async fn share(stage: &Stage) -> Result<(), Ending> {
    stage.by_each_way(&WAYS, async |how| share_by(stage, how).await).await
}

async fn share_by(stage: &Stage, how: &str) -> Result<(), Ending> {
    let name = stage.topic("shared", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let group_name = stage.name("group");
    let group = Group { topic, name: &group_name, how, client: "story" };
    let mut places = BTreeSet::new();
    write(topic, 6_000, &mut places).await?;

    // One leaves in good order while another joins.
    let first = Member::ours(group, TAKES)?;
    some(&first, 300).await?;
    let second = Member::ours(group, TAKES)?;
    some(&second, 300).await?;
    let third = Member::ours(group, TAKES)?;
    let mut before = second.leave().await?;
    some(&third, 300).await?;
    // A rolling restart.
    write(topic, 6_000, &mut places).await?;
    before.extend(first.leave().await?);
    let first = Member::ours(group, TAKES)?;
    some(&first, 300).await?;
    let graceful = repeated(&before, &[&first, &third]);
    expect(graceful.is_empty().into(), || {
        format!("members that left repeated {} records: {:?}", graceful.len(), graceful.first())
    })?;
    // One is killed.
    let killed = third.kill().await?;
    write(topic, 2_000, &mut places).await?;
    before.extend(&killed);
    all_handled(&places, &before, &[&first], PATIENCE).await?;
    let again = repeated(&before, &[&first]);
    let killed: BTreeSet<Place> = killed.into_iter().collect();
    let unexplained = again.iter().filter(|place| !killed.contains(place)).count();
    expect((unexplained == 0).into(), || format!("{unexplained} records came again unexplained"))?;
    expect((again.len() <= REPEATED_MOST).into(), || {
        format!("a kill repeated {} records, {REPEATED_MOST} at most", again.len())
    })?;
    first.leave().await.map(drop)
}

/// Writes so many more records.
async fn write(topic: Topic<'_>, count: u32, places: &mut BTreeSet<Place>) -> Result<(), Ending> {
    places.extend(ours::produce(topic, Codec::None, (0..count).map(Fresh::numbered)).await?);
    Ok(())
}

/// Waits until a member has handled so many records.
async fn some(member: &Member, count: usize) -> Result<(), Ending> {
    let say = || format!("a member got {} records of {count}", member.count());
    until(PATIENCE, || count <= member.count(), say).await
}

/// The places that were handled more than once.
fn repeated(before: &[Place], members: &[&Member]) -> Vec<Place> {
    let mut counts: BTreeMap<Place, u32> = BTreeMap::new();
    let now = members.iter().flat_map(|member| member.handled());
    before.iter().copied().chain(now).for_each(|place| *counts.entry(place).or_default() += 1);
    counts.into_iter().filter(|(_, count)| 1 < *count).map(|(place, _)| place).collect()
}

/// Two of ours and one of Java's.
struct Mixed {
    ours: Member,
    java: Member,
    third: Member,
}

impl Mixed {
    fn all(&self) -> [&Member; 3] {
        [&self.ours, &self.java, &self.third]
    }

    /// Waits until each has handled something, and so has partitions.
    async fn share(&self) -> Result<(), Ending> {
        let counts = || self.all().map(Member::count);
        let say = || format!("ours, Java's and a third did not share: they handled {:?}", counts());
        until(PATIENCE, || !counts().contains(&0), say).await
    }
}

/// Each member restarts twice: first with both assignors, then without the old one.
async fn upgrade(stage: &Stage) -> Result<(), Ending> {
    let java = peer::java(stage).await?;
    let name = stage.topic("upgrade", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let group_name = stage.name("group");
    let group = |how| Group { topic, name: &group_name, how, client: "story" };
    let load = Load::start(topic);
    let old = group("range");
    let mut mixed = Mixed {
        ours: Member::ours(old, Duration::ZERO)?,
        java: Member::start(java.member(old))?,
        third: Member::ours(old, Duration::ZERO)?,
    };
    mixed.share().await?;
    let mut before = Vec::new();
    for how in ["cooperative-sticky,range", "cooperative-sticky"] {
        let new = group(how);
        before.extend(mixed.ours.leave().await?);
        mixed.ours = Member::ours(new, Duration::ZERO)?;
        mixed.share().await?;
        before.extend(mixed.java.leave().await?);
        mixed.java = Member::start(java.member(new))?;
        mixed.share().await?;
        before.extend(mixed.third.leave().await?);
        mixed.third = Member::ours(new, Duration::ZERO)?;
        mixed.share().await?;
    }
    let places = load.end().await?;
    all_handled(&places, &before, &mixed.all(), PATIENCE).await?;
    for member in [mixed.java, mixed.third, mixed.ours] {
        before.extend(member.leave().await?);
    }
    none_twice(before)
}
