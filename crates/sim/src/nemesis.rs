//! Who does harm, when, and how? Drawn from the seed.

use std::time::Duration;

use forebay::{BrokerId, Error};
use forebay_broker::{ApiKey, Cluster, Effect, ErrorCode, Fault, TopicPartition};
use forebay_histcheck::What;
use tokio::task::JoinHandle;

use crate::later::Later;
use crate::member::{Member, Sharing, Wish};
use crate::plan::{Extra, Plan};
use crate::world::{GROUP, World};

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

/// Leads members through a run.
#[derive(Debug)]
pub(crate) struct Nemesis<'a> {
    pub(crate) world: &'a World,
    pub(crate) plan: Plan,
    rng: fastrand::Rng,
    /// What came with later editions.
    pub(crate) later: Later,
    pub(crate) members: Vec<Member>,
    born: u32,
    /// Names of static members that nobody has now.
    instances: Vec<String>,
    /// Those that are on their way out, and their names as static members.
    pub(crate) leaving: Vec<JoinHandle<Option<String>>>,
}

impl<'a> Nemesis<'a> {
    pub(crate) fn new(world: &'a World, plan: Plan, rng: fastrand::Rng) -> Self {
        let instances = (1..=MEMBERS).rev().map(|number| format!("i{number}"));
        let instances = instances.filter(|_| plan.has(Extra::Static)).collect();
        let (members, leaving) = (Vec::new(), Vec::new());
        let later = Later::new(plan.seed);
        Self { world, plan, rng, later, members, born: 0, instances, leaving }
    }

    /// A new member joins.
    pub(crate) fn join(&mut self) -> Result<(), Error> {
        self.born += 1;
        let name = format!("m{}", self.born);
        let instance = self.instances.pop();
        let member = Member::start(self.world, name, &self.plan, instance)?;
        self.members.push(member);
        Ok(())
    }

    /// Does harm for so many rounds of up to four seconds.
    pub(crate) async fn rage(&mut self, rounds: u32) -> Result<(), Error> {
        for _ in 0..rounds {
            for member in &self.members {
                member.tell_memory().await;
            }
            self.take_names_back().await;
            self.change_members()?;
            self.stir();
            let pause = Duration::from_millis(self.rng.u64(100..4_000));
            if self.plan.is_calm || self.rng.u8(..3) == 0 {
                tokio::time::sleep(pause).await;
                continue;
            }
            self.harm(pause).await;
        }
        Ok(())
    }

    /// Names of static members that have left are free again. Who makes the plans itself may not
    /// have heard of it, and refuses another of that name for a while.
    async fn take_names_back(&mut self) {
        if self.plan.sharing == Sharing::Coordinator {
            return;
        }
        for at in (0..self.leaving.len()).rev() {
            if self.leaving.get(at).is_some_and(JoinHandle::is_finished) {
                let name = self.leaving.swap_remove(at).await;
                self.instances.extend(name.ok().flatten());
            }
        }
    }

    fn change_members(&mut self) -> Result<(), Error> {
        match self.rng.u8(..6) {
            0 | 1 if self.members.len() < MEMBERS => self.join()?,
            2 if 1 < self.members.len() => {
                let member = self.any_member();
                self.leaving.push(tokio::spawn(async {
                    let instance = member.instance.clone();
                    member.leave().await;
                    instance
                }));
            }
            3 if !self.plan.is_calm && !self.members.is_empty() => {
                let member = self.any_member();
                // A coordinator that makes the plans gives the place of a dead one to nobody.
                let is_free = self.plan.sharing != Sharing::Coordinator;
                self.instances.extend(member.instance.clone().filter(|_| is_free));
                member.kill();
            }
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
        let extra = self.rng.choice(self.plan.first()).copied();
        let fault = if let Some(extra) = extra
            && self.rng.bool()
            && let Some(fault) = self.strange(extra).await
        {
            fault
        } else if self.rng.u8(..5) == 0 && !self.members.is_empty() {
            let at = self.rng.usize(..self.members.len());
            let member = self.members.get(at);
            member.inspect(|member| member.way.cut());
            member.map_or_else(String::new, |member| format!("{} is cut off", member.name))
        } else {
            let rng = &mut self.rng;
            let node = BrokerId(rng.i32(1..=3));
            let tp = self.world.place(rng.i32(0..self.world.count()));
            self.world.broker.with(|cluster| strike(rng, cluster, (node, tp)))
        };
        self.world.recorder.note(What::FaultBegins { fault: fault.clone() });
        // Now and then longer than a session.
        let factor = if self.rng.u8(..8) == 0 { 5 } else { 1 };
        tokio::time::sleep(pause * factor).await;
        self.heal().await;
        self.world.recorder.note(What::FaultEnds { fault });
    }

    /// Does what only some runs have; what was done.
    async fn strange(&mut self, extra: Extra) -> Option<String> {
        let number = self.rng.i32(0..self.world.count());
        let tp = self.world.place(number);
        let times = self.rng.u32(1..4);
        let refused = |code: ErrorCode| Fault::new(Effect::Error(code)).api(ApiKey::Fetch);
        let fault = match extra {
            Extra::Unordered
            | Extra::Bulky
            | Extra::Static
            | Extra::Directives
            | Extra::Wishes
            | Extra::Topics
            | Extra::Patterns
            | Extra::Freezes => {
                return None;
            }
            Extra::Retention => return Some(self.delete(&tp)),
            Extra::Pauses => return Some(self.pause(&tp).await),
            Extra::Stalls => return self.stall(),
            Extra::Seeks => return Some(self.go_back(&tp).await),
            Extra::StaleLeaders => refused(ErrorCode::OFFSET_OUT_OF_RANGE).partition(tp),
            Extra::LeftOut => Fault::new(Effect::LeaveOut).api(ApiKey::OffsetFetch),
            Extra::Sessions if self.rng.bool() => refused(ErrorCode::INVALID_FETCH_SESSION_EPOCH),
            Extra::Sessions => refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
        };
        self.world.broker.with(|cluster| cluster.script(fault.times(times)));
        Some(format!("{extra:?}, {times} times, of {number}"))
    }

    /// Retention deletes all records of a partition, or the older ones.
    fn delete(&mut self, tp: &TopicPartition) -> String {
        let rng = &mut self.rng;
        let before = self.world.broker.with(|cluster| {
            let end = cluster.high_watermark(tp).unwrap_or(0);
            let start = cluster.log_start(tp).unwrap_or(0);
            let before = if rng.bool() { end } else { rng.i64(start..=end) };
            cluster.delete_records(tp, before).is_ok().then_some(before)
        });
        if let Some(before) = before {
            self.world.recorder.note(What::Trimmed { tp: tp.to_string(), before });
        }
        format!("{tp} is deleted before {before:?}")
    }

    async fn pause(&self, tp: &TopicPartition) -> String {
        for member in &self.members {
            member.pause(tp, Wish::Pause).await;
        }
        format!("{tp} is paused")
    }

    /// Goes back, and back again before all that was begun has ended.
    async fn go_back(&mut self, tp: &TopicPartition) -> String {
        let times = self.rng.u32(1..5);
        for _ in 0..times {
            let start = self.world.broker.with(|cluster| cluster.log_start(tp)).unwrap_or(0);
            let by = self.rng.i64(1..6);
            for member in &self.members {
                member.go_back(tp, by, start).await;
            }
            tokio::time::sleep(Duration::from_millis(self.rng.u64(10..1_000))).await;
        }
        format!("{tp} went back {times} times")
    }

    fn stall(&mut self) -> Option<String> {
        let member = self.rng.choice(&self.members)?;
        member.way.stall();
        Some(format!("{} is out of touch", member.name))
    }

    /// Everything works again.
    pub(crate) async fn heal(&self) {
        for member in &self.members {
            member.way.mend();
            if self.plan.has(Extra::Pauses) {
                for tp in &self.world.places {
                    member.pause(tp, Wish::Resume).await;
                }
            }
        }
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
fn strike(
    rng: &mut fastrand::Rng,
    cluster: &mut Cluster,
    (node, tp): (BrokerId, TopicPartition),
) -> String {
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
