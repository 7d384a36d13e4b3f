//! Members come, go, are killed and are restarted, beside each other and beside Java's and
//! librdkafka's: nothing is lost, and nothing is repeated but what a kill explains.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::member::{Group, Member, Place, all_handled};
use crate::ours::{self, Fresh};
use crate::peer::{self, Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const SHARED: Story = Story {
    name: "members-come-and-go",
    promise: "members that leave or restart repeat nothing, one that is killed only what it had \
              not committed, and nothing is ever missing",
    tell: |stage| Box::pin(share(stage)),
};

pub(crate) const MIXED: Story = Story {
    name: "members-of-all-clients",
    promise: "our members share a group with Java's and librdkafka's, whichever assignor they agree on",
    tell: |stage| Box::pin(mix(stage)),
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

/// How partitions can be shared on this broker.
fn ways(stage: &Stage) -> Vec<&'static str> {
    let modern = stage.broker().has_consumer_protocol().then_some("consumer");
    ["range", "cooperative-sticky"].into_iter().chain(modern).collect()
}

async fn share(stage: &Stage) -> Result<(), Ending> {
    for how in ways(stage) {
        let told = share_by(stage, how).await;
        told.map_err(|ending| Ending::Broken(format!("{how}: {ending}")))?;
    }
    Ok(())
}

async fn share_by(stage: &Stage, how: &str) -> Result<(), Ending> {
    let name = stage.topic("shared", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let group_name = stage.name("group");
    let group = Group { topic, name: &group_name, how };
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
    let by = tokio::time::Instant::now() + PATIENCE;
    while member.handled().len() < count {
        if by < tokio::time::Instant::now() {
            let handled = member.handled().len();
            return Err(Ending::Broken(format!("a member got {handled} records of {count}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The places that were handled more than once.
fn repeated(before: &[Place], members: &[&Member]) -> Vec<Place> {
    let mut counts: BTreeMap<Place, u32> = BTreeMap::new();
    let now = members.iter().flat_map(|member| member.handled());
    before.iter().copied().chain(now).for_each(|place| *counts.entry(place).or_default() += 1);
    counts.into_iter().filter(|(_, count)| 1 < *count).map(|(place, _)| place).collect()
}

async fn mix(stage: &Stage) -> Result<(), Ending> {
    let java = peer::java(stage).await?;
    for how in ["range", "roundrobin", "cooperative-sticky"] {
        let told = mix_by(stage, &java, how).await;
        told.map_err(|ending| Ending::Broken(format!("{how}: {ending}")))?;
    }
    if stage.broker().has_consumer_protocol() {
        let told = mix_by(stage, &java, "consumer").await;
        told.map_err(|ending| Ending::Broken(format!("consumer: {ending}")))?;
    }
    Ok(())
}

async fn mix_by(stage: &Stage, java: &peer::Java, how: &str) -> Result<(), Ending> {
    let name = stage.topic("mixed", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let group_name = stage.name("group");
    let group = Group { topic, name: &group_name, how };
    let mut places = BTreeSet::new();
    let ours = Member::ours(group, Duration::ZERO)?;
    let javas = Member::start(java.member(group))?;
    // The librdkafka of most distributions knows no KIP-848 yet.
    let kcats = match how {
        "consumer" => Member::ours(group, Duration::ZERO)?,
        _ => Member::start(peer::kcat_member(group))?,
    };
    // All three have partitions once each has handled something.
    let by = tokio::time::Instant::now() + PATIENCE;
    while [&ours, &javas, &kcats].iter().any(|member| member.handled().is_empty()) {
        write(topic, 60, &mut places).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let waits = || format!("{:?}", [&ours, &javas, &kcats].map(|it| it.handled().len()));
        expect((tokio::time::Instant::now() < by).into(), || {
            format!("ours, Java's and librdkafka's did not share: they handled {}", waits())
        })?;
    }
    write(topic, 1_200, &mut places).await?;
    all_handled(&places, &[], &[&ours, &javas, &kcats], PATIENCE).await?;
    // Ours leaves and comes back; the others take over and give back.
    let mut before = ours.leave().await?;
    write(topic, 1_200, &mut places).await?;
    all_handled(&places, &before, &[&javas, &kcats], PATIENCE).await?;
    let ours = Member::ours(group, Duration::ZERO)?;
    let had = places.len();
    while ours.handled().is_empty() && places.len() < had + 20_000 {
        write(topic, 60, &mut places).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    all_handled(&places, &before, &[&ours, &javas, &kcats], PATIENCE).await?;
    before.extend(javas.leave().await?);
    // librdkafka commits what it has shown every five seconds and when it leaves, in its own way:
    // what it repeats is not ours to promise.
    if how == "consumer" {
        before.extend(kcats.leave().await?);
    } else {
        kcats.terminate().await?;
    }
    let again = repeated(&before, &[&ours]);
    expect(again.is_empty().into(), || {
        format!("{} records came again to ours or Java's", again.len())
    })?;
    ours.leave().await.map(drop)
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
        let by = tokio::time::Instant::now() + PATIENCE;
        while self.all().iter().any(|member| member.handled().is_empty()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let waits = || format!("{:?}", self.all().map(|it| it.handled().len()));
            expect((tokio::time::Instant::now() < by).into(), || {
                format!("ours, Java's and a third did not share: they handled {}", waits())
            })?;
        }
        Ok(())
    }
}

/// Records that are written without pause while members come and go.
struct Load {
    is_over: Arc<AtomicBool>,
    writer: tokio::task::JoinHandle<Result<BTreeSet<Place>, Ending>>,
}

impl Load {
    fn start(topic: Topic<'_>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let (bootstrap, name) = (topic.bootstrap.to_owned(), topic.name.to_owned());
        let writer = tokio::spawn(async move {
            let topic = Topic { bootstrap: &bootstrap, name: &name };
            let mut places = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                write(topic, 60, &mut places).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(places)
        });
        Self { is_over, writer }
    }

    /// Stops writing; says what was written.
    async fn end(self) -> Result<BTreeSet<Place>, Ending> {
        self.is_over.store(true, Ordering::Relaxed);
        self.writer.await.map_err(|fault| Ending::Broken(fault.to_string()))?
    }
}

/// Each member restarts twice: first with both assignors, then without the old one.
async fn upgrade(stage: &Stage) -> Result<(), Ending> {
    let java = peer::java(stage).await?;
    let name = stage.topic("upgrade", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let group_name = stage.name("group");
    let group = |how| Group { topic, name: &group_name, how };
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
    let again = repeated(&before, &mixed.all());
    expect(again.is_empty().into(), || {
        format!("the upgrade repeated {} records: {:?}", again.len(), again.first())
    })?;
    before.extend(mixed.java.leave().await?);
    mixed.third.leave().await?;
    mixed.ours.leave().await.map(drop)
}
