//! A handler that blocks every thread of its runtime costs throughput, never membership: its
//! heartbeats go on through a rebalance and a close, whatever the runtime is.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use forebay::{
    Consumer, ConsumerBuilder, ConsumerHandle, Context, GroupProtocol, OffsetReset, Order, Record,
};

use crate::member::{Group, Member};
use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::{Sign, Stage};
use crate::story::{Ending, Story, expect};

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
const CLOSE: Duration = Duration::from_secs(3);
/// What a close may take beyond its deadline.
const SLACK: Duration = Duration::from_millis(100);

/// Which runtime the handlers block.
#[derive(Clone, Copy, Debug)]
enum Flavour {
    CurrentThread,
    MultiThread,
}

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let modern = if stage.broker().has_consumer_protocol() { "consumer" } else { "range" };
    tokio::try_join!(
        one(stage, Flavour::CurrentThread, "range"),
        one(stage, Flavour::MultiThread, "cooperative-sticky"),
        one(stage, Flavour::MultiThread, modern),
    )?;
    Ok(())
}

async fn one(stage: &Stage, flavour: Flavour, how: &'static str) -> Result<(), Ending> {
    let name = stage.topic("blocked", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    for partition in 0..PARTITIONS {
        let records = (0..20).map(|i| Fresh { partition: Some(partition), ..Fresh::numbered(i) });
        ours::produce(topic, Codec::None, records).await?;
    }
    let group_name = stage.name("group");
    let group = Group { topic, name: &group_name, how, client: "story" };
    let client = stage.name("blocked-client");
    let begun = Instant::now();
    let (handle, blocks) = block(flavour, group, &client)?;
    wait_for(|| blocks.try_recv().is_ok(), "the handlers block").await?;

    // A rebalance: what hangs is given up at its deadline, and the rest of the group goes on.
    let other = Member::ours(group, Duration::ZERO)?;
    wait_for(|| !other.handled().is_empty(), "the other got its share").await?;
    let share: BTreeSet<i32> = other.handled().iter().map(|(partition, _)| *partition).collect();
    tokio::time::sleep(SESSION + DRAIN).await;
    let now: BTreeSet<i32> = other.handled().iter().map(|(partition, _)| *partition).collect();
    expect((share.len() == 1 && now == share).into(), || {
        format!("{flavour:?}, {how}: the blocked member lost its place: {share:?}, then {now:?}")
    })?;

    // A close, from a thread that is free.
    let closes = Instant::now();
    handle.close(CLOSE).await;
    let took = closes.elapsed();
    expect((took <= CLOSE + SLACK).into(), || format!("{flavour:?}: the close took {took:?}"))?;
    expect((begun.elapsed() < BLOCKS).into(), || "the handlers had ended by then".to_owned())?;
    let both = || other.handled().iter().any(|(partition, _)| !share.contains(partition));
    wait_for(both, "the other took over").await?;
    other.leave().await?;
    if how != "consumer" {
        beats(stage, &client)?;
    }
    Ok(())
}

/// Starts a consumer on a runtime of its own, whose handlers block all its threads.
fn block(
    flavour: Flavour,
    group: Group<'_>,
    client: &str,
) -> Result<(ConsumerHandle, mpsc::Receiver<()>), Ending> {
    let (tell, blocks) = mpsc::channel();
    let consumer = builder(group, client)?.build()?;
    let handle = consumer.handle();
    std::thread::spawn(move || {
        let mut builder = match flavour {
            Flavour::CurrentThread => tokio::runtime::Builder::new_current_thread(),
            Flavour::MultiThread => tokio::runtime::Builder::new_multi_thread(),
        };
        let Ok(runtime) = builder.worker_threads(2).enable_all().build() else { return };
        let run = consumer.run(move |_: Record, _: Context| {
            let _told = tell.send(());
            async { std::thread::sleep(BLOCKS) }
        });
        drop(runtime.block_on(run));
        runtime.shutdown_background();
    });
    Ok((handle, blocks))
}

fn builder(group: Group<'_>, client: &str) -> Result<ConsumerBuilder, Ending> {
    let builder = Consumer::builder()
        .bootstrap_servers(group.topic.bootstrap)
        .client_id(client)
        .group_id(group.name)
        .topics([group.topic.name])
        .auto_offset_reset(OffsetReset::Earliest)
        .order(Order::Unordered)
        .drain_timeout(DRAIN)
        .session_timeout(SESSION)
        .heartbeat_interval(BEAT);
    Ok(match group.how {
        "consumer" => builder.group_protocol(GroupProtocol::Consumer),
        name => builder.assignors(crate::member::assignor(name)?),
    })
}

/// On our own broker it is seen when each sign of life came.
fn beats(stage: &Stage, client: &str) -> Result<(), Ending> {
    let signs = stage.machines().signs(client);
    for pair in signs.windows(2) {
        let &[Sign { at, waits }, Sign { at: next, .. }] = pair else { continue };
        let gap = next.saturating_sub(at);
        // A join is answered when the others have joined: that may take its time.
        expect((waits || gap <= BEAT + LATE).into(), || format!("{gap:?} between two heartbeats"))?;
    }
    Ok(())
}

async fn wait_for(mut holds: impl FnMut() -> bool, what: &str) -> Result<(), Ending> {
    for _ in 0..600 {
        if holds() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Ending::Broken(format!("it did not come to this: {what}")))
}
