//! One thing at a time, with rest before and after, so that its price can be told.

use std::time::Duration;

use forebay::BrokerId;
use tokio::time::{Instant, sleep, timeout};

use super::brokers::Way;
use super::{Nemesis, PATIENCE};
use crate::cluster::name_of;
use crate::fault::Fault;
use crate::leaders;
use crate::marks::Done;

/// In this order, and again from the start.
const STEPS: [Step; 9] = [
    Step::Leaders,
    Step::KillMember,
    Step::Leaders,
    Step::Coordinator,
    Step::Join,
    Step::Leave,
    Step::Leaders,
    Step::KillBroker,
    Step::Leaders,
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Leaders,
    Coordinator,
    KillMember,
    Join,
    Leave,
    KillBroker,
}

impl Step {
    /// How long it is felt.
    const fn rest(self) -> Duration {
        Duration::from_secs(match self {
            Self::Leaders => 4,
            Self::Coordinator | Self::Join | Self::Leave => 6,
            Self::KillMember => 13,
            Self::KillBroker => 20,
        })
    }
}

impl Nemesis<'_> {
    /// As many as fit in until then.
    pub(crate) async fn solo(&mut self, until: Instant) -> Result<(), Fault> {
        loop {
            let step = STEPS.get(self.steps % STEPS.len()).copied().unwrap_or(Step::Leaders);
            if until < Instant::now() + step.rest() {
                break;
            }
            self.steps += 1;
            self.group.look()?;
            self.step(step).await?;
        }
        sleep(until.saturating_duration_since(Instant::now())).await;
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), Fault> {
        let at = forebay_histcheck::now();
        match step {
            Step::Leaders => {
                let moved = self.move_leaders().await?;
                let partitions = moved.into_iter().map(name_of).collect();
                self.marks.note_at(at, Done::LeadersMoved { partitions })?;
            }
            Step::Coordinator => {
                if self.move_coordinator().await? {
                    self.marks.note_at(at, Done::CoordinatorMoved)?;
                }
            }
            Step::KillMember => {
                if let Some(member) = self.kill_member().await? {
                    self.marks.note_at(at, Done::MemberKilled { member })?;
                }
            }
            Step::Join => {
                self.join()?;
                self.marks.note_at(at, Done::MemberJoined)?;
            }
            Step::Leave => {
                self.leave()?;
                self.marks.note_at(at, Done::MemberLeft)?;
            }
            Step::KillBroker => return self.kill_coordinator().await,
        }
        sleep(step.rest()).await;
        if self.group.members.len() < 3 {
            self.join()?;
            sleep(Step::Join.rest()).await;
        }
        Ok(())
    }

    /// The broker that coordinates dies, and leads no more.
    async fn kill_coordinator(&mut self) -> Result<(), Fault> {
        let Some(node) = self.coordinator().await else { return Ok(()) };
        let led = self.watch.led_by(node).into_iter().map(name_of).collect();
        let Ok(number) = u32::try_from(node.0) else { return Ok(()) };
        self.marks.note(Done::BrokerKilled { led })?;
        self.take_away(number, Way::Killed, Duration::from_secs(10));
        self.await_broker().await?;
        self.heal().await?;
        sleep(Duration::from_secs(5)).await;
        Ok(())
    }

    async fn coordinator(&self) -> Option<BrokerId> {
        let partition = self.coordinating().await?;
        let described = leaders::describe(&self.cluster.admin, leaders::OFFSETS);
        let described = timeout(PATIENCE, described).await.ok()?.ok()?;
        described.iter().find(|it| it.partition == partition)?.leader
    }
}
