//! A handler that blocks every thread of its runtime costs throughput, never membership: its
//! heartbeats go on through a rebalance and a close, whatever the runtime is.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use forebay::{ConsumerHandle, Context, Record};

use crate::member::{self, Group, Member};
use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::{Brokers, Sign, Stage, WAYS};
use crate::story::{Ending, Story, expect, until};

pub(crate) const STORY: Story = Story {
    name: "blocked-handlers",
    promise: "handlers that block every thread for a minute cost no heartbeat, no membership, and \
              no more than the deadline at a rebalance and at a close",
    tell: |stage| Box::pin(tell(stage)),
};

const PARTITIONS: i32 = 2;
const BLOCKS: Duration = Duration::from_secs(60);
const SESSION: Duration = Duration::from_secs(6);
const BEAT: Duration = Duration::from_secs(2);
/// How late a heartbeat may be: a tenth of the interval.
const LATE: Duration = Duration::from_millis(200);
const DRAIN: Duration = Duration::from_secs(8);
/// How long the group is watched after the rebalance on brokers that are there for other stories too.
const HOLD: Duration = Duration::from_secs(14);
const CLOSE: Duration = Duration::from_secs(3);
/// What a close may take beyond its deadline.
const SLACK: Duration = Duration::from_millis(100);
/// The handlers still block this long after the close.
const SPARE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
/// Fewer heartbeats than these would show nothing.
const BEATS_LEAST: usize = 8;

/// Which runtime the handlers block.
#[derive(Clone, Copy, Debug)]
enum Flavour {
    CurrentThread,
    MultiThread,
}

impl Flavour {
    /// Its threads, all of which are blocked.
    const fn threads(self) -> usize {
        match self {
            Self::CurrentThread => 1,
            Self::MultiThread => 2,
        }
    }
}

/// How long the group is watched before the close.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// Nearly until the handlers end.
    TheMinute,
    /// For a while after the rebalance.
    Held,
}

async fn tell(stage: &Stage) -> Result<(), Ending> {
    if stage.broker() != Brokers::InProcess {
        return all(stage, Until::Held).await;
    }
    // Whoever waits for a whole minute does so beside other stories: on a broker of his own.
    let own = Stage::of_its_own(BEAT).await;
    let own = own.map_err(|absence| Ending::Broken(format!("a broker of its own: {absence}")))?;
    let told = all(&own, Until::TheMinute).await;
    own.clear().await;
    told
}

async fn all(stage: &Stage, watch: Until) -> Result<(), Ending> {
    let by = async |how| {
        let current = one(stage, Flavour::CurrentThread, how, watch);
        tokio::try_join!(current, one(stage, Flavour::MultiThread, how, watch)).map(drop)
    };
    stage.by_each_way(&WAYS, by).await
}

async fn one(
    stage: &Stage,
    flavour: Flavour,
    how: &'static str,
    watch: Until,
) -> Result<(), Ending> {
    let name = fill(stage).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let group_name = stage.name("group");
    let group = Group { topic, name: &group_name, how, client: "story" };
    let client = stage.name("blocked-client");
    let (handle, blocks) = block(flavour, group, &client)?;
    for _ in 0..flavour.threads() {
        wait_for(|| blocks.try_recv().is_ok(), "the handlers block every thread").await?;
    }
    let begun = Instant::now();

    // A rebalance: what hangs is given up at its deadline, and the rest of the group goes on.
    let other = Member::ours(group, Duration::ZERO)?;
    wait_for(|| other.count() > 0, "the other got its share").await?;
    let share = partitions_of(&other);
    tokio::time::sleep(match watch {
        Until::TheMinute => BLOCKS.saturating_sub(begun.elapsed() + CLOSE + SPARE),
        Until::Held => HOLD,
    })
    .await;
    let now = partitions_of(&other);
    expect((share.len() == 1 && now == share).into(), || {
        format!("{flavour:?}: the blocked member lost its place: {share:?}, then {now:?}")
    })?;
    close(&handle, begun).await?;
    let took_over = || partitions_of(&other) != share;
    wait_for(took_over, "the other took over").await?;
    other.leave().await?;
    beats(stage, &client, &format!("{flavour:?}, {how}"))
}

/// A topic with some records in each partition.
async fn fill(stage: &Stage) -> Result<String, Ending> {
    let name = stage.topic("blocked", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    for partition in 0..PARTITIONS {
        let records = (0..20).map(|i| Fresh { partition: Some(partition), ..Fresh::numbered(i) });
        ours::produce(topic, Codec::None, records).await?;
    }
    Ok(name)
}

/// A close, from a thread that is free, while the handlers that began then still block.
async fn close(handle: &ConsumerHandle, begun: Instant) -> Result<(), Ending> {
    let closes = Instant::now();
    handle.close(CLOSE).await;
    let took = closes.elapsed();
    expect((took <= CLOSE + SLACK).into(), || format!("the close took {took:?}"))?;
    expect((begun.elapsed() < BLOCKS).into(), || "the handlers had ended by then".to_owned())
}

/// Of which partitions it has handled something.
fn partitions_of(member: &Member) -> BTreeSet<i32> {
    member.handled().into_iter().map(|(partition, _)| partition).collect()
}

/// Starts a consumer on a runtime of its own, whose handlers block all its threads.
fn block(
    flavour: Flavour,
    group: Group<'_>,
    client: &str,
) -> Result<(ConsumerHandle, mpsc::Receiver<()>), Ending> {
    let (tell, blocks) = mpsc::channel();
    let builder = member::builder(Group { client, ..group })?.topics([group.topic.name]);
    let builder = builder.drain_timeout(DRAIN).session_timeout(SESSION).heartbeat_interval(BEAT);
    let consumer = builder.build()?;
    let handle = consumer.handle();
    std::thread::spawn(move || {
        let mut builder = match flavour {
            Flavour::CurrentThread => tokio::runtime::Builder::new_current_thread(),
            Flavour::MultiThread => tokio::runtime::Builder::new_multi_thread(),
        };
        let builder = builder.worker_threads(flavour.threads());
        let Ok(runtime) = builder.enable_all().build() else { return };
        let run = consumer.run(move |_: Record, _: Context| {
            let tell = tell.clone();
            async move {
                // Told by the thread that is blocked from now on, so that they can be counted.
                let _told = tell.send(());
                std::thread::sleep(BLOCKS);
            }
        });
        drop(runtime.block_on(run));
        runtime.shutdown_background();
    });
    Ok((handle, blocks))
}

/// On our own broker it is seen when each sign of life came. A machine that is busy may hold up a
/// single one, so nine in ten have to be in time; a handler that holds them up holds up all that
/// come while it runs, and that is the whole story. None may be so late that the session ends.
fn beats(stage: &Stage, client: &str, what: &str) -> Result<(), Ending> {
    let Some(signs) = stage.machines().signs(client) else { return Ok(()) };
    let gaps = signs.windows(2).filter_map(|pair| match pair {
        // A join is answered when the others have joined: that may take its time.
        [Sign { waits: true, .. }, _] => None,
        [Sign { at, .. }, Sign { at: next, .. }] => Some(next.saturating_sub(*at)),
        _ => None,
    });
    // Who has something to say does so before it is time: that is no jitter.
    let mut late: Vec<Duration> = gaps.map(|gap| gap.saturating_sub(BEAT)).collect();
    late.sort_unstable();
    let of = |tenths: usize| late.get((late.len() * tenths).div_ceil(10).saturating_sub(1));
    let (Some(half), Some(most), Some(worst)) = (of(5), of(9), of(10)) else {
        return Err(Ending::Broken(format!("{what}: no heartbeats were seen")));
    };
    let count = late.len();
    eprintln!(
        "  blocked-handlers, {what}: {count} heartbeats every {BEAT:?}, late by {half:?} (half of \
         them at most), {most:?} (nine in ten), {worst:?} (all)"
    );
    expect((BEATS_LEAST <= count).into(), || format!("{what}: only {count} heartbeats were seen"))?;
    expect((*most <= LATE).into(), || format!("{what}: one in ten heartbeats came {most:?} late"))?;
    expect((BEAT + *worst < SESSION).into(), || format!("{what}: a heartbeat came {worst:?} late"))
}

async fn wait_for(holds: impl FnMut() -> bool, what: &str) -> Result<(), Ending> {
    until(PATIENCE, holds, || format!("it did not come to this: {what}")).await
}
