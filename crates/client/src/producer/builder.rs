//! How a producer is made.

use std::sync::Arc;
use std::time::Duration;

use super::Producer;
use crate::config::properties::Draft;
use crate::config::{Acks, ClientKind, Compression, ProducerConfig, Properties, parse_addresses};
use crate::error::Error;
use crate::net::connector::{Connector, TcpConnector};
use crate::runtime::Placement;

/// Settings of a producer, one call each. Wrong ones are told by [`build`](Self::build).
#[derive(Debug)]
pub struct ProducerBuilder {
    config: ProducerConfig,
    connector: Arc<dyn Connector>,
    placement: Placement,
    error: Option<Error>,
}

impl Default for ProducerBuilder {
    fn default() -> Self {
        Self {
            config: ProducerConfig::default(),
            connector: Arc::new(TcpConnector::default()),
            placement: Placement::default(),
            error: None,
        }
    }
}

impl ProducerBuilder {
    /// Takes all settings at once; those set after it change single ones.
    #[must_use]
    pub fn config(mut self, config: ProducerConfig) -> Self {
        self.config = config;
        self
    }

    /// Takes the settings of a JVM client's property file, over those made so far; those set after
    /// it change single ones. What has no meaning here, or an old name, is logged as a note each,
    /// and told by [`Properties::notes`].
    #[must_use]
    pub fn properties(mut self, properties: &Properties) -> Self {
        let mut draft = Draft::from_producer(self.config.clone());
        match properties.apply(ClientKind::Producer, &mut draft) {
            Ok(()) => {
                draft.log();
                self.config = draft.into_producer();
            }
            Err(error) => self.error = self.error.or_else(|| Some(error.into())),
        }
        self
    }

    /// `bootstrap.servers`, separated by commas. Needed.
    #[must_use]
    pub fn bootstrap_servers(mut self, servers: &str) -> Self {
        match parse_addresses(servers) {
            Ok(servers) => self.config.client.bootstrap_servers = servers,
            Err(error) => self.error = self.error.or_else(|| Some(error.into())),
        }
        self
    }

    /// `client.id`. Default `forebay`.
    #[must_use]
    pub fn client_id(mut self, id: &str) -> Self {
        self.config.client.client_id = id.into();
        self
    }

    /// `acks`. Default [`Acks::All`].
    #[must_use]
    pub const fn acks(mut self, acks: Acks) -> Self {
        self.config.acks = acks;
        self
    }

    /// `linger.ms`. Default 5 ms.
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.config.linger = linger;
        self
    }

    /// `batch.size`, in bytes. Default 128 KiB.
    #[must_use]
    pub const fn batch_size(mut self, bytes: usize) -> Self {
        self.config.batch_size = bytes;
        self
    }

    /// `compression.type`. Default none.
    #[must_use]
    pub const fn compression(mut self, compression: Compression) -> Self {
        self.config.compression = compression;
        self
    }

    /// `max.request.size`, in bytes. Default 1 MiB.
    #[must_use]
    pub const fn max_request_size(mut self, bytes: usize) -> Self {
        self.config.max_request_size = bytes;
        self
    }

    /// `buffer.memory`, in bytes. Default 32 MiB.
    #[must_use]
    pub const fn buffer_memory(mut self, bytes: usize) -> Self {
        self.config.buffer_memory = bytes;
        self
    }

    /// `delivery.timeout.ms`. Default 120 s.
    #[must_use]
    pub const fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.config.delivery_timeout = timeout;
        self
    }

    /// How connections are made; TCP when not said.
    #[must_use]
    pub fn connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connector = connector;
        self
    }

    /// Where the produce plane runs; on a thread of its own when not said.
    #[must_use]
    pub const fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Starts the producer. It dials when the first topic is used.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a setting that cannot be used, [`Error::Start`] when there is no
    /// thread or runtime to run on.
    pub fn build(self) -> Result<Producer, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.config.check()?;
        Producer::start(self.config, self.connector, self.placement)
    }
}
