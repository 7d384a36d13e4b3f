//! A member adds topics, drops them, follows a pattern and leaves for a while, beside one of Java's
//! that reads one of the topics all the time: nothing is lost or repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay::Subscription;
use forebay::admin::NewTopic;

use crate::custody::Custody;
use crate::load::Load;
use crate::member::{self, Group, Inside, Member, Place, none_twice};
use crate::peer::{self, Topic};
use crate::stage::{Stage, WAYS};
use crate::story::{Ending, Story, expect, until};

pub(crate) const STORY: Story = Story {
    name: "subscriptions-change",
    promise: "a member that adds and drops topics, follows a pattern, leaves and is back takes up \
              each topic where the group stood, and disturbs nobody: nothing is lost or repeated",
    tell: |stage| Box::pin(tell(stage)),
};

/// Of each topic.
const PARTITIONS: i32 = 3;
/// Records that are written to each topic twenty times a second.
const AT_ONCE: u32 = 15;
/// Records of a partition that show that it flows.
const FLOWING: usize = 20;
/// How soon new topics are noticed by a member that looks itself.
const LOOKS: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);

/// One of ours, whose subscription changes, and one of Java's, which reads the first topic.
struct Cast<'a> {
    stage: &'a Stage,
    custody: &'a Custody,
    topics: &'a [String; 3],
    ours: Inside,
    java: Member,
    /// By topic.
    loads: BTreeMap<&'a str, Load>,
}

async fn tell(stage: &Stage) -> Result<(), Ending> {
    stage.by_each_way(&WAYS, async |how| change(stage, how).await).await
}

async fn change(stage: &Stage, how: &str) -> Result<(), Ending> {
    let java = peer::java(stage).await?;
    let prefix = stage.name("changes");
    let topics = ["a", "b", "c"].map(|letter| format!("{prefix}-{letter}"));
    let [a, b, c] = &topics;
    create(stage, a).await?;
    let custody = Custody::start(stage.machines(), a).await?;
    let group_name = stage.name("group");
    let topic = Topic { bootstrap: custody.bootstrap(), name: a };
    let group = Group { topic, name: &group_name, how, client: "changes" };
    let ours = member::builder(group)?.topics([a.as_str()]).metadata_max_age(LOOKS);
    let ours = Inside::start(ours)?;
    let java = Member::start(java.member(group))?;
    let loads = BTreeMap::from([(a.as_str(), load(stage, a))]);
    let mut cast = Cast { stage, custody: &custody, topics: &topics, ours, java, loads };
    until(PATIENCE, || cast.is_shared(), || "ours and Java's did not share".to_owned()).await?;

    cast.add(b).await?;
    cast.wants(&[a, b]).await?;
    cast.wants(&[b]).await?;
    // The third comes when somebody waits for it already; nobody reads the second.
    let pattern = Subscription::default().pattern(format!("{prefix}-[ac]"));
    cast.ours.handle().subscribe(pattern.map_err(forebay::Error::from)?).await?;
    cast.has(&[a]).await?;
    cast.add(c).await?;
    cast.has(&[a, c]).await?;
    cast.wants(&[a, b, c]).await?;
    cast.ours.handle().unsubscribe().await?;
    cast.has(&[]).await?;
    cast.wants(&[a, b, c]).await?;
    cast.judge().await?;
    // Three of each topic, three of the second once more, and six when all was given up.
    custody.judge(9 + 3 + 6)
}

async fn create(stage: &Stage, topic: &str) -> Result<(), Ending> {
    stage.create(stage.machines(), &NewTopic::new(topic, PARTITIONS)).await
}

fn load(stage: &Stage, topic: &str) -> Load {
    Load::of(Topic { bootstrap: stage.bootstrap(), name: topic }, AT_ONCE)
}

impl<'a> Cast<'a> {
    /// One more topic, to which is written.
    async fn add(&mut self, topic: &'a str) -> Result<(), Ending> {
        create(self.stage, topic).await?;
        self.custody.learn(topic).await?;
        self.loads.insert(topic, load(self.stage, topic));
        Ok(())
    }

    async fn wants(&self, topics: &[&str]) -> Result<(), Ending> {
        self.ours.handle().subscribe(Subscription::topics(topics.iter().copied())).await?;
        self.has(topics).await
    }

    /// Waits until ours has all that it wants and nothing else, and all of that flows, as does what
    /// Java's has. How the first topic is shared is up to the plan. What nobody wants stands still.
    async fn has(&self, topics: &[&str]) -> Result<(), Ending> {
        let [first, ..] = self.topics;
        let is_right = || {
            let owned = self.ours.owned();
            let of = |topic: &str| owned.iter().filter(|tp| tp.topic.as_str() == topic).count();
            self.topics.iter().all(|topic| match topics.contains(&topic.as_str()) {
                true if topic == first => true,
                true => of(topic) == PARTITIONS as usize,
                false => of(topic) == 0,
            })
        };
        let say = || format!("{topics:?} are wanted, {:?} are ours", self.ours.owned());
        until(PATIENCE, is_right, say).await?;
        let known: BTreeSet<&str> = self.loads.keys().copied().collect();
        let read: BTreeSet<&str> = topics.iter().copied().chain([first.as_str()]).collect();
        let idle = |cast: &Self| -> usize {
            known.difference(&read).map(|topic| cast.handled(topic).len()).sum()
        };
        let before = idle(self);
        self.flow(&read).await?;
        expect((idle(self) == before).into(), || {
            format!("{topics:?} are wanted, and more was handled of others")
        })
    }

    /// Waits until some more of each of these topics is handled, of all of its partitions.
    async fn flow(&self, topics: &BTreeSet<&str>) -> Result<(), Ending> {
        let counts = |topic: &&str| {
            let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
            self.handled(topic).iter().for_each(|it| *counts.entry(it.0).or_default() += 1);
            counts
        };
        let before: Vec<_> = topics.iter().map(counts).collect();
        let flow = || {
            topics.iter().map(counts).zip(&before).all(|(now, before)| {
                (0..PARTITIONS).all(|number| {
                    let of = |counts: &BTreeMap<i32, usize>| counts.get(&number).copied();
                    of(before).unwrap_or(0) + FLOWING <= of(&now).unwrap_or(0)
                })
            })
        };
        until(PATIENCE, flow, || format!("not all of {topics:?} flow")).await
    }

    /// What was handled of a topic, by whomever.
    fn handled(&self, topic: &str) -> Vec<Place> {
        let [first, ..] = self.topics;
        let java = if topic == first { self.java.handled() } else { Vec::new() };
        self.ours.handled(topic).into_iter().chain(java).collect()
    }

    /// Whether both have a part of the first topic.
    fn is_shared(&self) -> bool {
        let owned = self.ours.owned().len();
        (1..PARTITIONS as usize).contains(&owned) && self.java.count() > 0
    }

    /// That all was handled, and nothing twice.
    async fn judge(mut self) -> Result<(), Ending> {
        for (topic, load) in std::mem::take(&mut self.loads) {
            let places = load.end().await?;
            let is_all = || places.is_subset(&self.handled(topic).into_iter().collect());
            until(PATIENCE, is_all, || format!("{topic}: not all was handled")).await?;
        }
        let [first, ..] = self.topics;
        let mut ours = self.ours.leave().await?;
        let java = self.java.leave().await?;
        ours.entry(first.clone()).or_default().extend(java);
        for (topic, handled) in ours {
            none_twice(handled).map_err(|ending| ending.of(&topic))?;
        }
        Ok(())
    }
}
