//! What is set while the settings of a file are read, for whichever client?

use std::time::Duration;

use super::{ClientKind, Note};
use crate::config::{ClientConfig, ConfigError, ConsumerConfig, ProducerConfig, parse_addresses};

/// All that a property file can set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Draft {
    pub(crate) client: ClientConfig,
    /// Without what every client has, which stands above.
    pub(super) consumer: ConsumerConfig,
    /// Without what every client has, which stands above.
    pub(super) producer: ProducerConfig,
    /// What only builders know.
    pub(crate) work: Work,
    pub(crate) notes: Vec<Note>,
}

/// How records are worked on and partitions shared; what a file leaves open stays as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Work {
    pub(crate) concurrency: Option<usize>,
    pub(crate) retries: Option<u32>,
    pub(crate) retry_backoff: Option<Duration>,
    /// Names of Kafka's assignors, the best liked first.
    pub(crate) assignors: Vec<&'static str>,
}

impl Draft {
    /// Starts from a consumer's settings.
    pub(crate) fn from_consumer(consumer: ConsumerConfig) -> Self {
        Self { client: consumer.client.clone(), consumer, ..Self::default() }
    }

    /// Starts from a producer's settings.
    pub(crate) fn from_producer(producer: ProducerConfig) -> Self {
        Self { client: producer.client.clone(), producer, ..Self::default() }
    }

    pub(crate) fn into_consumer(self) -> ConsumerConfig {
        ConsumerConfig { client: self.client, ..self.consumer }
    }

    pub(crate) fn into_producer(self) -> ProducerConfig {
        ProducerConfig { client: self.client, ..self.producer }
    }

    /// Tells the notes to those who listen.
    pub(crate) fn log(&self) {
        for note in &self.notes {
            tracing::info!(target: "forebay::config", "{note}");
        }
    }

    /// Whether the settings fit together; brokers may still be told later.
    pub(super) fn check(&self, kind: ClientKind) -> Result<(), ConfigError> {
        let mut draft = self.clone();
        if draft.client.bootstrap_servers.is_empty() {
            draft.client.bootstrap_servers = parse_addresses("localhost:9092")?;
        }
        match kind {
            ClientKind::Consumer => draft.into_consumer().check(),
            ClientKind::Producer => draft.into_producer().check(),
            ClientKind::Admin => draft.client.check(),
        }
    }
}
