//! Leaders move, die and freeze in mid-stream: nothing is lost, repeated or reordered, and others
//! take over while the broker is still away.

use std::time::Duration;

use forebay::BrokerId;
use forebay::admin::NewTopic;
use tokio::time::sleep;

use crate::peer::Topic;
use crate::stage::{Brokers, Machines, Stage, admin};
use crate::story::{Ending, Story};
use crate::traffic::{Traffic, partitions};

pub(crate) const MOVES: Story = Story {
    name: "leader-moves",
    promise: "a leader that moves in mid-stream is followed; nothing is lost, repeated, reordered",
    tell: |stage| Box::pin(tell(stage, Mishap::Stop)),
};

pub(crate) const KILLED: Story = Story {
    name: "broker-killed",
    promise: "a broker that is killed and comes back costs seconds and no record",
    tell: |stage| Box::pin(tell(stage, Mishap::Kill)),
};

pub(crate) const FROZEN: Story = Story {
    name: "broker-frozen",
    promise: "a broker that freezes with open sockets is left for the others, and used again",
    tell: |stage| Box::pin(tell(stage, Mishap::Freeze)),
};

#[derive(Clone, Copy, Debug)]
enum Mishap {
    Stop,
    Kill,
    Freeze,
}

const PARTITIONS: i32 = 3;
/// Brokers need up to 6 s to notice that one of them is gone; clients come on top.
pub(super) const TAKE_OVER: Duration = Duration::from_secs(25);
/// Longer than clients wait for an answer.
const FROZEN_FOR: Duration = Duration::from_secs(5);

async fn tell(stage: &Stage, mishap: Mishap) -> Result<(), Ending> {
    let machines = stage.trio().await?;
    let name = stage.name("fails");
    let new = NewTopic::new(name.as_str(), PARTITIONS).replication_factor(3);
    stage.create(machines, &new).await?;
    let topic = Topic { bootstrap: machines.bootstrap(), name: &name };
    let traffic = Traffic::start(topic, PARTITIONS, &stage.name("group"))?;
    traffic.flows(TAKE_OVER).await?;

    let leader = leader(machines, &name).await?;
    let heir = BrokerId(leader.0 % 3 + 1);
    match mishap {
        Mishap::Stop => machines.stop(leader).await?,
        Mishap::Kill => machines.kill(leader).await?,
        Mishap::Freeze => {
            let all = partitions(&name, PARTITIONS);
            machines.freeze(leader, (&all, heir)).await?;
        }
    }
    let away = if matches!(mishap, Mishap::Freeze) && stage.broker() == Brokers::V0_11 {
        // The cluster itself waits: for half a minute it gives no leader away.
        sleep(FROZEN_FOR).await;
        Ok(())
    } else {
        traffic.flows(TAKE_OVER).await
    };
    // Also when it did not go well: the next story needs all three.
    match mishap {
        Mishap::Stop | Mishap::Kill => machines.restart(leader).await?,
        Mishap::Freeze => machines.thaw(leader).await?,
    }
    away?;
    traffic.flows(TAKE_OVER).await?;
    traffic.end().await
}

/// Who leads partition 0.
pub(super) async fn leader(machines: &Machines, topic: &str) -> Result<BrokerId, Ending> {
    let described = admin(machines)?.describe_topic(&topic.into()).await?;
    let leader = described.partitions.first().and_then(|partition| partition.leader);
    leader.ok_or_else(|| Ending::Broken(format!("{topic} has no leader")))
}
