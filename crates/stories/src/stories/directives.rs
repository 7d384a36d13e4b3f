//! A member holds, drains and hands over partitions of its own while another, Java's, comes and
//! goes: they stand still while all others flow, and nothing is lost or repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay::{Admin, Parked, Position, TopicPartition};

use crate::custody::Custody;
use crate::load::Load;
use crate::member::{self, Group, Inside, Member, Place, none_twice};
use crate::peer::{self, Topic};
use crate::stage::{Stage, admin};
use crate::story::{Ending, Story, expect, until};
use crate::traffic::partitions;

pub(crate) const STORY: Story = Story {
    name: "directives",
    promise: "partitions that are held, drained or handed over stand still while others flow and \
              members come and go, and go on when they are released: nothing is lost or repeated",
    tell: |stage| Box::pin(tell(stage)),
};

const PARTITIONS: i32 = 6;
/// So many of all six that any half of them has one that is directed, and one that leaves, too.
const DIRECTED: usize = 4;
/// Records of a partition that show that it flows.
const FLOWING: usize = 20;
const DRAIN: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said of partitions before somebody joins.
#[derive(Clone, Copy, Debug)]
enum Word {
    Hold,
    HandOver,
}

/// One of ours, which is told things, and at times one of Java's.
struct Cast<'a> {
    group: Group<'a>,
    java: peer::Java,
    admin: Admin,
    ours: Inside,
    other: Option<Member>,
    /// What Java's members had handled when they left.
    past: Vec<Place>,
}

/// Assignors that take all away at each rebalance would end every directive.
async fn tell(stage: &Stage) -> Result<(), Ending> {
    stage
        .by_each_way(&["cooperative-sticky", "consumer"], async |how| direct(stage, how).await)
        .await
}

async fn direct(stage: &Stage, how: &str) -> Result<(), Ending> {
    let java = peer::java(stage).await?;
    let name = stage.topic("directed", PARTITIONS).await?;
    let custody = Custody::start(stage.machines(), &name).await?;
    let group_name = stage.name("group");
    let topic = Topic { bootstrap: custody.bootstrap(), name: &name };
    let group = Group { topic, name: &group_name, how, client: "directed" };
    let ours = Inside::start(member::builder(group)?.topics([name.as_str()]))?;
    let admin = admin(stage.machines())?;
    let mut cast = Cast { group, java, admin, ours, other: None, past: Vec::new() };
    let load = Load::start(Topic { bootstrap: stage.bootstrap(), name: &name });
    cast.flow(&cast.all()).await?;
    for word in [Word::Hold, Word::HandOver] {
        cast.somebody_joins(word).await?;
        cast.somebody_leaves().await?;
    }
    cast.judge(load.end().await?).await?;
    // Six at first, and each time three came to Java's, and back.
    custody.judge(6 + 2 * (3 + 3))
}

impl Cast<'_> {
    /// Four of six are directed; three go to another, some of the four among them. Those flow
    /// there, and the rest of the four stands still.
    async fn somebody_joins(&mut self, word: Word) -> Result<(), Ending> {
        let directed: Vec<_> = self.ours.owned().into_iter().take(DIRECTED).collect();
        let directives = self.ours.handle().ownership();
        match word {
            Word::Hold => directives.hold(directed.clone()).await?,
            Word::HandOver => self.park(&directed).await?,
        }
        self.stand_still(&directed.iter().cloned().collect()).await?;
        self.other = Some(Member::start(self.java.member(self.group))?);
        self.share().await?;
        let owned = self.ours.owned();
        let stay: BTreeSet<_> = directed.into_iter().filter(|tp| owned.contains(tp)).collect();
        expect((!stay.is_empty() && stay.len() < DIRECTED).into(), || {
            format!("of {DIRECTED} directed partitions {} stayed: this shows nothing", stay.len())
        })?;
        self.stand_still(&stay).await?;
        directives.release(stay.into_iter().collect()).await?;
        self.flow(&self.all()).await
    }

    /// One is drained; the other leaves, and what it had flows here. The drained one waits.
    async fn somebody_leaves(&mut self) -> Result<(), Ending> {
        let drained: Vec<_> = self.ours.owned().into_iter().take(1).collect();
        self.drain(&drained).await?;
        if let Some(other) = self.other.take() {
            self.past.extend(other.leave().await?);
        }
        let has_all = || self.ours.owned().len() == self.all().len();
        until(PATIENCE, has_all, || format!("ours did not get all: {:?}", self.ours.owned()))
            .await?;
        self.stand_still(&drained.iter().cloned().collect()).await?;
        self.ours.handle().ownership().release(drained).await?;
        self.flow(&self.all()).await
    }

    async fn park(&self, tps: &[TopicPartition]) -> Result<(), Ending> {
        let parked = self.ours.handle().ownership().hand_over(tps.to_vec(), DRAIN).await?;
        self.is_done(&parked).await
    }

    async fn drain(&self, tps: &[TopicPartition]) -> Result<(), Ending> {
        let parked = self.ours.handle().ownership().drain(tps.to_vec(), DRAIN).await?;
        self.is_done(&parked).await
    }

    /// That each is committed where it stands, which is behind the last record that was handled.
    async fn is_done(&self, parked: &[Parked]) -> Result<(), Ending> {
        let tps: Vec<_> = parked.iter().map(|it| it.tp.clone()).collect();
        let committed = self.admin.committed_offsets(self.group.name, &tps).await?;
        for parked in parked {
            let handled = self.ours.handled(parked.tp.topic.as_str());
            let handled = handled.iter().filter(|place| place.0 == parked.tp.partition);
            let next = handled.map(|place| Position(place.1 + 1)).max();
            let committed = committed.get(&parked.tp).map(|it| it.position);
            let agree = parked.position == next && committed == next;
            expect((parked.is_clean && agree).into(), || {
                format!("{parked:?} is committed at {committed:?}, handled until {next:?}")
            })?;
        }
        Ok(())
    }

    fn all(&self) -> BTreeSet<TopicPartition> {
        partitions(self.group.topic.name, PARTITIONS).into_iter().collect()
    }

    /// How many records of each partition were handled, by whomever.
    fn counts(&self) -> BTreeMap<i32, usize> {
        let ours = self.ours.handled(self.group.topic.name);
        let other = self.other.as_ref().map(Member::handled).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for (partition, _) in ours.iter().chain(&other).chain(&self.past) {
            *counts.entry(*partition).or_default() += 1;
        }
        counts
    }

    /// Waits until some more of each of these is handled.
    async fn flow(&self, tps: &BTreeSet<TopicPartition>) -> Result<(), Ending> {
        let before = self.counts();
        let flow = || {
            let now = self.counts();
            let more = |it: &TopicPartition| of(&before, it) + FLOWING <= of(&now, it);
            tps.iter().all(more)
        };
        let say = || format!("not all of {tps:?} flow: {before:?}, then {:?}", self.counts());
        until(PATIENCE, flow, say).await
    }

    /// That nothing more of these is handled, once what workers had is done, while others flow.
    async fn stand_still(&self, tps: &BTreeSet<TopicPartition>) -> Result<(), Ending> {
        let others = self.all().difference(tps).cloned().collect();
        self.flow(&others).await?;
        let counts = || {
            let counts = self.counts();
            tps.iter().map(|tp| of(&counts, tp)).collect::<Vec<_>>()
        };
        let before = counts();
        self.flow(&others).await?;
        let after = counts();
        expect((before == after).into(), || format!("{tps:?} go on: {before:?}, then {after:?}"))
    }

    /// Waits until the other has all that ours gave up.
    async fn share(&self) -> Result<(), Ending> {
        let has = || -> BTreeSet<i32> {
            let handled = self.other.as_ref().map(Member::handled).unwrap_or_default();
            handled.into_iter().map(|(partition, _)| partition).collect()
        };
        let owned =
            || -> BTreeSet<i32> { self.ours.owned().into_iter().map(|tp| tp.partition).collect() };
        let half = self.all().len() / 2;
        let is_shared = || {
            let (ours, other) = (owned(), has());
            ours.len() == half && other.len() == half && ours.is_disjoint(&other)
        };
        let say =
            || format!("ours has {:?}, the other handles {:?}: not a half each", owned(), has());
        until(PATIENCE, is_shared, say).await
    }

    /// That all was handled, and nothing twice.
    async fn judge(self, places: BTreeSet<Place>) -> Result<(), Ending> {
        let handled =
            || self.ours.handled(self.group.topic.name).into_iter().chain(self.past.clone());
        let is_all = || places.is_subset(&handled().collect());
        until(PATIENCE, is_all, || "not all that was written was handled".to_owned()).await?;
        let ours = self.ours.leave().await?.into_values().flatten();
        none_twice(ours.chain(self.past))
    }
}

fn of(counts: &BTreeMap<i32, usize>, tp: &TopicPartition) -> usize {
    counts.get(&tp.partition).copied().unwrap_or(0)
}
