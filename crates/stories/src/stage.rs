//! On which brokers are stories told, and what does a story need to know of one?

mod in_process;
mod kafka;
mod machines;

use std::sync::atomic::{AtomicU32, Ordering};

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

/// The brokers: ours, the newest Kafka and the oldest promised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Brokers {
    InProcess,
    Newest,
    Oldest,
}

impl Brokers {
    pub(crate) const ALL: [Self; 3] = [Self::InProcess, Self::Newest, Self::Oldest];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Newest => "kafka 4.4.0",
            Self::Oldest => "kafka 0.11.0.3",
        }
    }

    /// The release of Kafka, `None` for ours.
    pub(crate) const fn release(self) -> Option<&'static str> {
        match self {
            Self::InProcess => None,
            Self::Newest => Some("4.4.0"),
            Self::Oldest => Some("0.11.0.3"),
        }
    }

    /// Topic ids came with Kafka 2.8 (KIP-516).
    pub(crate) const fn has_no_topic_ids(self) -> bool {
        matches!(self, Self::Oldest)
    }

    /// The coordinator makes the plan since 4.0 (KIP-848).
    pub(crate) const fn has_consumer_protocol(self) -> bool {
        !matches!(self, Self::Oldest)
    }

    /// zstd came with Kafka 2.1 (KIP-110: Produce 7, Fetch 10).
    pub(crate) const fn has_zstd(self) -> bool {
        !matches!(self, Self::Oldest)
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
