//! On which brokers are stories told, and what does a story need to know of one?

mod in_process;
mod kafka;

use std::sync::atomic::{AtomicU32, Ordering};

use forebay::Admin;
use forebay::admin::NewTopic;
use forebay::config::ClientConfig;

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
    bootstrap: String,
    running: Running,
    topics: AtomicU32,
}

/// What must be stopped at the end.
enum Running {
    Ours(forebay_broker::Broker),
    Kafka(kafka::Lab),
}

impl Stage {
    pub(crate) async fn set(broker: Brokers) -> Result<Self, Absence> {
        let (bootstrap, running) = match broker.release() {
            None => {
                let ours = in_process::start().await?;
                (ours.bootstrap_servers().to_owned(), Running::Ours(ours))
            }
            Some(release) => {
                let lab = kafka::Lab::start(release).await?;
                (lab.bootstrap().to_owned(), Running::Kafka(lab))
            }
        };
        Ok(Self { broker, bootstrap, running, topics: AtomicU32::new(0) })
    }

    pub(crate) async fn clear(self) {
        match self.running {
            Running::Ours(ours) => ours.shutdown().await,
            Running::Kafka(lab) => lab.stop().await,
        }
    }

    pub(crate) const fn broker(&self) -> Brokers {
        self.broker
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A new topic, and nothing else of that name.
    pub(crate) async fn topic(&self, what: &str, partitions: i32) -> Result<String, Ending> {
        let name = self.name(what);
        let servers = forebay::config::parse_addresses(&self.bootstrap);
        let config = ClientConfig {
            bootstrap_servers: servers.map_err(forebay::Error::from)?,
            ..ClientConfig::default()
        };
        Admin::new(&config)?.create_topic(&NewTopic::new(name.as_str(), partitions)).await?;
        Ok(name)
    }

    /// A name that no other story of this run uses: for topics and groups.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.topics.fetch_add(1, Ordering::Relaxed))
    }
}
