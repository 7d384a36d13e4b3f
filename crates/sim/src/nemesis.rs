//! Who does harm, when, and how? Drawn from the seed.

use std::time::Duration;

use forebay::{BrokerId, Error};
use forebay_broker::{ApiKey, Cluster, Effect, ErrorCode, Fault, TopicPartition};
use forebay_histcheck::What;

use crate::member::{Conduct, Member, Sharing};
use crate::world::{GROUP, TOPIC, World};

/// The most members at once.
const MEMBERS: usize = 4;

const APIS: [ApiKey; 10] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::ConsumerGroupHeartbeat,
];

/// What may happen in a run, and how members are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) sharing: Sharing,
    pub(crate) conduct: Conduct,
    /// The longest that a record takes.
    pub(crate) slowness: Duration,
    /// Nothing goes wrong: members come and go, that is all.
    pub(crate) is_calm: bool,
}

/// Leads members through a run.
#[derive(Debug)]
pub(crate) struct Nemesis<'a> {
    world: &'a World,
    plan: Plan,
    rng: fastrand::Rng,
    pub(crate) members: Vec<Member>,
    born: u32,
    pub(crate) leaving: Vec<tokio::task::JoinHandle<bool>>,
}

impl<'a> Nemesis<'a> {
    pub(crate) fn new(world: &'a World, plan: Plan, rng: fastrand::Rng) -> Self {
        Self { world, plan, rng, members: Vec::new(), born: 0, leaving: Vec::new() }
    }

    /// A new member joins.
    pub(crate) fn join(&mut self) -> Result<(), Error> {
        self.born += 1;
        let name = format!("m{}", self.born);
        let Plan { sharing, conduct, slowness, .. } = self.plan;
        let member = Member::start(self.world, name, sharing, (conduct, slowness))?;
        self.members.push(member);
        Ok(())
    }

    /// Does harm for so many rounds of up to four seconds.
    pub(crate) async fn rage(&mut self, rounds: u32) -> Result<(), Error> {
        for _ in 0..rounds {
            self.change_members()?;
            let pause = Duration::from_millis(self.rng.u64(100..4_000));
            if self.plan.is_calm || self.rng.u8(..3) == 0 {
                tokio::time::sleep(pause).await;
                continue;
            }
            self.harm(pause).await;
        }
        Ok(())
    }

    fn change_members(&mut self) -> Result<(), Error> {
        match self.rng.u8(..6) {
            0 | 1 if self.members.len() < MEMBERS => self.join()?,
            2 if 1 < self.members.len() => {
                let member = self.any_member();
                self.leaving.push(tokio::spawn(member.leave()));
            }
            3 if !self.plan.is_calm && !self.members.is_empty() => self.any_member().kill(),
            _ => {}
        }
        if self.members.is_empty() { self.join() } else { Ok(()) }
    }

    fn any_member(&mut self) -> Member {
        let at = self.rng.usize(..self.members.len());
        self.members.swap_remove(at)
    }

    /// Something is wrong for a while.
    async fn harm(&mut self, pause: Duration) {
        let fault = if self.rng.u8(..5) == 0 && !self.members.is_empty() {
            let at = self.rng.usize(..self.members.len());
            let member = self.members.get(at);
            member.inspect(|member| member.way.cut());
            member.map_or_else(String::new, |member| format!("{} is cut off", member.name))
        } else {
            let rng = &mut self.rng;
            let partitions = self.world.partitions;
            self.world.broker.with(|cluster| strike(rng, cluster, partitions))
        };
        self.world.recorder.note(What::FaultBegins { fault: fault.clone() });
        // Now and then longer than a session.
        let factor = if self.rng.u8(..8) == 0 { 5 } else { 1 };
        tokio::time::sleep(pause * factor).await;
        self.heal();
        self.world.recorder.note(What::FaultEnds { fault });
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.members.iter().for_each(|member| member.way.mend());
        self.world.broker.with(|cluster| {
            for node in (1..=3).map(BrokerId) {
                cluster.thaw_node(node);
                cluster.start_node(node);
            }
            cluster.fresh_metadata();
            cluster.clear_script();
        });
    }
}

/// Harms the brokers; what was done.
fn strike(rng: &mut fastrand::Rng, cluster: &mut Cluster, partitions: i32) -> String {
    let node = BrokerId(rng.i32(1..=3));
    let tp = TopicPartition::new(TOPIC, rng.i32(0..partitions));
    match rng.u8(..10) {
        0 => {
            // A node that is down leads nothing.
            drop(cluster.move_leader(&tp, node));
            format!("{node:?} leads {tp}")
        }
        1 => {
            cluster.move_coordinator(GROUP, node);
            format!("{node:?} coordinates")
        }
        2 => {
            cluster.stop_node(node);
            format!("{node:?} is down")
        }
        3 => {
            cluster.freeze_node(node);
            format!("{node:?} is frozen")
        }
        4 => {
            cluster.close_connections();
            "all connections close".to_owned()
        }
        _ => {
            let (effect, api) = (effect(rng), APIS.get(rng.usize(..APIS.len())));
            let text = format!("{effect:?} {api:?}");
            let fault = api.map_or_else(
                || Fault::new(effect.clone()),
                |api| Fault::new(effect.clone()).api(*api),
            );
            cluster.script(fault.after(rng.u32(..3)).times(rng.u32(1..4)));
            text
        }
    }
}

fn effect(rng: &mut fastrand::Rng) -> Effect {
    let codes = [
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ];
    match rng.u8(..7) {
        0 => Effect::Delay(Duration::from_millis(rng.u64(1..5_000))),
        1 | 2 => Effect::DropAnswer,
        3 => Effect::DoAndClose,
        4 => Effect::Close,
        5 => Effect::Cut(rng.usize(..200)),
        _ => Effect::Error(codes.get(rng.usize(..codes.len())).copied().unwrap_or(ErrorCode::NONE)),
    }
}
