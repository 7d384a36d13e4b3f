//! Who does harm, when, and how? Drawn from the seed.

mod brokers;
mod network;
mod solo;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forebay_histcheck::{Notebook, What};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::cluster::{Cluster, GROUP, PARTITIONS, SESSION, TOPIC};
use crate::fault::Fault;
use crate::group::Group;
use crate::leaders::{self, Watch};
use crate::marks::Marks;
use brokers::Away;

/// The fewest and the most members at once.
const MEMBERS: std::ops::RangeInclusive<usize> = 3..=5;
/// How long anything that is asked of the brokers may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What can be done in a storm, and how often beside the others.
const DEEDS: [(Deed, u32); 8] = [
    (Deed::MoveLeaders, 8),
    (Deed::MoveCoordinator, 2),
    (Deed::KillMember, 9),
    (Deed::FreezeMember, 4),
    (Deed::Join, 3),
    (Deed::Leave, 3),
    (Deed::HarmBroker, 12),
    (Deed::HarmNetwork, 8),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Deed {
    MoveLeaders,
    MoveCoordinator,
    KillMember,
    FreezeMember,
    Join,
    Leave,
    HarmBroker,
    HarmNetwork,
}

/// Leads a group through storms.
pub(crate) struct Nemesis<'a> {
    cluster: &'a Cluster,
    pub(crate) group: Group,
    notes: Arc<Notebook>,
    pub(crate) marks: Marks,
    pub(crate) watch: Watch,
    rng: fastrand::Rng,
    pub(crate) counts: BTreeMap<String, u64>,
    away: Option<Away>,
    thaw_at: Option<Instant>,
    /// How many single deeds there were.
    steps: usize,
}

impl<'a> Nemesis<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        group: Group,
        (notes, marks): (Arc<Notebook>, Marks),
        rng: fastrand::Rng,
    ) -> Self {
        let watch = Watch::start(cluster.admin.clone(), TOPIC);
        let (counts, away, thaw_at) = (BTreeMap::new(), None, None);
        Self { cluster, group, notes, marks, watch, rng, counts, away, thaw_at, steps: 0 }
    }

    /// Does harm until then, a third of the time none. One of each that a verdict asks for comes
    /// first.
    pub(crate) async fn storm(&mut self, until: Instant) -> Result<(), Fault> {
        let mut first = [Deed::KillMember, Deed::HarmBroker, Deed::MoveLeaders].into_iter();
        while Instant::now() < until {
            self.group.look()?;
            if self.thaw_at.is_some_and(|at| at <= Instant::now()) {
                self.thaw()?;
            }
            let draws = self.rng.u8(..3) != 0;
            if let Some(deed) = first.next() {
                self.act(deed).await?;
            } else if draws {
                let deed = self.draw();
                self.act(deed).await?;
            }
            if self.group.members.len() < *MEMBERS.start() {
                self.join()?;
            }
            let pause = Duration::from_millis(self.rng.u64(200..2_500));
            sleep_until(until.min(Instant::now() + pause)).await;
        }
        Ok(())
    }

    fn draw(&mut self) -> Deed {
        let all: u32 = DEEDS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.u32(..all);
        for (deed, weight) in DEEDS {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return deed,
            }
        }
        Deed::MoveLeaders
    }

    async fn act(&mut self, deed: Deed) -> Result<(), Fault> {
        match deed {
            Deed::MoveLeaders => self.move_leaders().await.map(drop),
            Deed::MoveCoordinator => self.move_coordinator().await.map(drop),
            Deed::KillMember => self.kill_member().await.map(drop),
            Deed::FreezeMember => self.freeze_member(),
            Deed::Join if self.group.members.len() < *MEMBERS.end() => self.join(),
            Deed::Leave if *MEMBERS.start() < self.group.members.len() => self.leave(),
            Deed::HarmBroker => self.harm_broker().await,
            Deed::HarmNetwork => self.harm_network().await,
            Deed::Join | Deed::Leave => Ok(()),
        }
    }

    /// Everything works again.
    pub(crate) async fn heal(&mut self) -> Result<(), Fault> {
        self.cluster.proxy.heal();
        self.thaw()?;
        if let Some(away) = self.away.take() {
            away.back().await?;
        }
        while self.group.members.len() < *MEMBERS.start() {
            self.join()?;
        }
        let by = Instant::now() + Duration::from_secs(60);
        while !self.is_whole().await && Instant::now() < by {
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Whether every replica of the topic is in sync.
    async fn is_whole(&self) -> bool {
        let described = timeout(PATIENCE, leaders::describe(&self.cluster.admin, TOPIC)).await;
        let described = described.ok().and_then(Result::ok).unwrap_or_default();
        let is_whole = described.iter().all(|it| it.in_sync.len() == it.replicas.len());
        is_whole && !described.is_empty()
    }

    pub(crate) fn note(&self, what: What) -> Result<(), Fault> {
        self.notes.note(what).map_err(Fault::io("the history"))
    }

    pub(crate) fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }
}

/// Members.
impl Nemesis<'_> {
    pub(crate) fn join(&mut self) -> Result<(), Fault> {
        self.count("joins");
        self.group.join()
    }

    pub(crate) fn leave(&mut self) -> Result<(), Fault> {
        if let Some(at) = self.any_member() {
            self.count("leaves");
            self.group.leave(at);
        }
        Ok(())
    }

    pub(crate) async fn kill_member(&mut self) -> Result<Option<String>, Fault> {
        let Some(at) = self.any_member() else { return Ok(None) };
        self.count("consumer kills");
        self.group.kill(at).await.map(Some)
    }

    fn freeze_member(&mut self) -> Result<(), Fault> {
        if self.thaw_at.is_some() {
            return Ok(());
        }
        if let Some(at) = self.any_member() {
            self.count("consumer freezes");
            self.group.freeze(at)?;
            self.thaw_at = Some(Instant::now() + SESSION.mul_f64(1.5));
        }
        Ok(())
    }

    fn thaw(&mut self) -> Result<(), Fault> {
        self.thaw_at = None;
        self.group.thaw()
    }

    /// One that is not frozen.
    fn any_member(&mut self) -> Option<usize> {
        let members = self.group.members.iter().enumerate();
        let awake: Vec<_> = members.filter(|(_, it)| !it.is_frozen).map(|(at, _)| at).collect();
        awake.get(self.rng.usize(..awake.len().max(1))).copied()
    }
}

/// Leaders.
impl Nemesis<'_> {
    /// A few partitions are led by others; which.
    pub(crate) async fn move_leaders(&mut self) -> Result<Vec<i32>, Fault> {
        let count = self.rng.usize(1..=4);
        let mut all: Vec<i32> = (0..PARTITIONS).collect();
        self.rng.shuffle(&mut all);
        all.truncate(count);
        self.shuffle(TOPIC, &all).await
    }

    /// Another broker coordinates; whether that came about.
    pub(crate) async fn move_coordinator(&mut self) -> Result<bool, Fault> {
        let Some(partition) = self.coordinating().await else { return Ok(false) };
        let moved = self.shuffle(leaders::OFFSETS, &[partition]).await?;
        if !moved.is_empty() {
            self.count("coordinator moves");
        }
        Ok(!moved.is_empty())
    }

    async fn coordinating(&self) -> Option<i32> {
        let described = leaders::describe(&self.cluster.admin, leaders::OFFSETS);
        let described = timeout(PATIENCE, described).await.ok()?.ok()?;
        Some(leaders::coordinating(GROUP, i32::try_from(described.len()).ok()?))
    }

    async fn shuffle(&mut self, topic: &str, partitions: &[i32]) -> Result<Vec<i32>, Fault> {
        let fault = format!("others lead {partitions:?} of {topic}");
        self.note(What::FaultBegins { fault: fault.clone() })?;
        let shuffled = leaders::shuffle(&self.cluster.admin, (topic, partitions), &mut self.rng);
        // In a storm it may not come about.
        let moved = timeout(PATIENCE, shuffled).await.ok().and_then(Result::ok);
        self.note(What::FaultEnds { fault })?;
        Ok(moved.unwrap_or_default())
    }
}
