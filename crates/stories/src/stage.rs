//! On which brokers are stories told, and what does a story need to know of one?

mod in_process;
mod kafka;
mod machines;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use forebay::Admin;
use forebay::admin::NewTopic;
use forebay::config::ClientConfig;

pub(crate) use kafka::Lab;
pub(crate) use machines::{Machines, Sign, refused};
use tokio::sync::OnceCell;

use crate::story::Ending;

pub(crate) use kafka::beside;

/// Whether a story may be left out for want of real Kafka.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kafka {
    Required,
    IfThere,
}

/// The brokers: ours, and the releases of Kafka that are promised, each for what came between it and
/// the one before. Ordered by age, ours as the newest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Brokers {
    /// The oldest promised.
    V0_11,
    /// Fetch sessions, partitions added and groups deleted by request.
    V1_1,
    /// The last without KRaft: zstd, elections, reassignments, topic ids.
    V2_8,
    /// The last that can do without KRaft, and the last with old record formats.
    V3_9,
    /// The newest: KIP-848.
    V4_4,
    InProcess,
}

impl Brokers {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 6] =
        [Self::InProcess, Self::V4_4, Self::V3_9, Self::V2_8, Self::V1_1, Self::V0_11];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::V4_4 => "kafka 4.4.0",
            Self::V3_9 => "kafka 3.9.2",
            Self::V2_8 => "kafka 2.8.2",
            Self::V1_1 => "kafka 1.1.1",
            Self::V0_11 => "kafka 0.11.0.3",
        }
    }

    /// The release of Kafka, `None` for ours.
    pub(crate) fn release(self) -> Option<&'static str> {
        self.name().strip_prefix("kafka ")
    }

    /// The oldest, the newest and ours: what every change is tested on.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::InProcess | Self::V4_4 | Self::V0_11)
    }

    /// `CreatePartitions` (KIP-195) and `DescribeLogDirs` (KIP-113) came with Kafka 1.0.
    pub(crate) fn adds_partitions(self) -> bool {
        Self::V0_11 < self
    }

    /// Elections came with Kafka 2.2 (KIP-460), reassignments with 2.4 (KIP-455).
    pub(crate) fn moves_leaders(self) -> bool {
        Self::V1_1 < self
    }

    /// Quotas by request came with Kafka 2.6 (KIP-546).
    pub(crate) fn sets_quotas(self) -> bool {
        Self::V1_1 < self
    }

    /// Topic ids came with Kafka 2.8 (KIP-516).
    pub(crate) fn has_no_topic_ids(self) -> bool {
        self < Self::V2_8
    }

    /// Leaders name replicas that are nearer since Kafka 2.4 (KIP-392).
    pub(crate) fn names_replicas(self) -> bool {
        Self::V1_1 < self
    }

    /// The coordinator makes the plan since 4.0 (KIP-848).
    pub(crate) fn has_consumer_protocol(self) -> bool {
        Self::V3_9 < self
    }

    /// zstd came with Kafka 2.1 (KIP-110: Produce 7, Fetch 10).
    pub(crate) fn has_zstd(self) -> bool {
        Self::V1_1 < self
    }

    /// A topic's `message.format.version` counts for nothing since 3.0 (KIP-724).
    pub(crate) fn writes_old_formats(self) -> bool {
        self < Self::V3_9
    }
}

/// On which brokers stories are told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Releases {
    /// Ours, the newest and the oldest promised
    #[default]
    Ends,
    /// All that are promised
    All,
}

impl Releases {
    pub(crate) fn brokers(self) -> impl Iterator<Item = Brokers> {
        let is_told = move |broker: &Brokers| self == Self::All || broker.is_end();
        Brokers::ALL.into_iter().filter(is_told)
    }
}

/// Why a broker is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Absence {
    /// This machine lacks a program that it needs.
    #[error("no {program} found: apt-get install openjdk-17-jdk-headless maven")]
    Tool {
        /// The program.
        program: &'static str,
    },
    /// It was tried and failed.
    #[error("did not start: {reason}")]
    Start {
        /// What the attempt said.
        reason: String,
    },
}

/// Ways to share partitions, one of each kind: eager, cooperative, by KIP-848.
pub(crate) const WAYS: [&str; 3] = ["range", "cooperative-sticky", "consumer"];

/// A running broker and what stories ask of it.
pub(crate) struct Stage {
    broker: Brokers,
    /// One node, for all stories that need no more.
    machines: Machines,
    /// Three nodes, for stories in which one fails.
    trio: OnceCell<Machines>,
    topics: AtomicU32,
}

impl Stage {
    pub(crate) async fn set(broker: Brokers) -> Result<Self, Absence> {
        let machines = Machines::start(broker, 1).await?;
        Ok(Self { broker, machines, trio: OnceCell::new(), topics: AtomicU32::new(0) })
    }

    /// Our broker once more, for a story that needs it for itself: members by KIP-848 are told to
    /// beat so often.
    pub(crate) async fn of_its_own(beat: Duration) -> Result<Self, Absence> {
        let machines = Machines::ours(beat).await?;
        let (trio, topics) = (OnceCell::new(), AtomicU32::new(0));
        Ok(Self { broker: Brokers::InProcess, machines, trio, topics })
    }

    pub(crate) async fn clear(self) {
        self.machines.clear().await;
        if let Some(trio) = self.trio.into_inner() {
            trio.clear().await;
        }
    }

    /// The nodes of [`bootstrap`](Self::bootstrap): one.
    pub(crate) const fn machines(&self) -> &Machines {
        &self.machines
    }

    /// Three nodes, started with the first story that asks.
    pub(crate) async fn trio(&self) -> Result<&Machines, Ending> {
        let start = || Machines::start(self.broker, 3);
        let trio = self.trio.get_or_try_init(start).await;
        trio.map_err(|absence| Ending::Broken(format!("three nodes: {absence}")))
    }

    pub(crate) const fn broker(&self) -> Brokers {
        self.broker
    }

    pub(crate) fn bootstrap(&self) -> &str {
        self.machines.bootstrap()
    }

    /// Tells the same by each of `ways` in which members share partitions on this broker, at once:
    /// most of the time somebody waits.
    pub(crate) async fn by_each_way(
        &self,
        ways: &[&str],
        tell: impl AsyncFn(&'static str) -> Result<(), Ending>,
    ) -> Result<(), Ending> {
        let is_here = |how: &str| how != "consumer" || self.broker.has_consumer_protocol();
        let by = async |how| match ways.contains(&how) && is_here(how) {
            true => tell(how).await.map_err(|ending| ending.of(how)),
            false => Ok(()),
        };
        tokio::try_join!(by("range"), by("cooperative-sticky"), by("consumer")).map(drop)
    }

    /// A new topic, and nothing else of that name.
    pub(crate) async fn topic(&self, what: &str, partitions: i32) -> Result<String, Ending> {
        let name = self.name(what);
        self.create(&self.machines, &NewTopic::new(name.as_str(), partitions)).await?;
        Ok(name)
    }

    /// A new topic with all its settings.
    pub(crate) async fn create(&self, on: &Machines, topic: &NewTopic) -> Result<(), Ending> {
        Ok(admin(on)?.create_topic(topic).await?)
    }

    /// A name that no other story of this run uses: for topics and groups.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.topics.fetch_add(1, Ordering::Relaxed))
    }
}

/// An admin client of these nodes.
pub(crate) fn admin(machines: &Machines) -> Result<Admin, Ending> {
    let config = ClientConfig::from_servers(machines.bootstrap()).map_err(forebay::Error::from)?;
    Ok(Admin::new(&config)?)
}
