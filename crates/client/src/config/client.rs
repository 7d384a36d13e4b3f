//! Settings of every client: whom to ask first, and how long to wait for whom.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::orders::Address;

use super::{ConfigError, span, within};

/// Settings of every client, whatever it does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientConfig {
    /// `bootstrap.servers`: brokers to ask first; kept for ever, for the day all others are gone.
    pub bootstrap_servers: Vec<Address>,
    /// `client.id`: the name that brokers see in logs and quotas. Default `forebay`.
    pub client_id: Arc<str>,
    /// `request.timeout.ms`: how long an answer may take, without the time a broker asked us to
    /// keep quiet. Default 30 s.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: how long one call may take with all its retries. Default 60 s.
    pub api_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`: from dialling to ready. Default 10 s.
    pub connection_setup_timeout: Duration,
    /// `reconnect.backoff.ms`: first delay before dialling a broker again. Default 50 ms.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`: longest such delay. Default 1 s.
    pub reconnect_backoff_max: Duration,
    /// `retry.backoff.ms`: first delay before asking again. Default 100 ms.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`: longest such delay. Default 1 s.
    pub retry_backoff_max: Duration,
    /// `connections.max.idle.ms`: an unused connection is closed after this. Default 180 s, below
    /// the 4 minutes after which common load balancers drop a flow without a word.
    pub connections_max_idle: Duration,
    /// `metadata.max.age.ms`: metadata is asked for again at this age. Default 5 min.
    pub metadata_max_age: Duration,
    /// `metadata.recovery.rebootstrap.trigger.ms`: when no metadata came for this long, the
    /// bootstrap servers are asked again. Default 300 s.
    pub rebootstrap_after: Duration,
    /// Largest answer that a control connection accepts, in bytes. Default 100 MiB.
    pub receive_max_bytes: usize,
    /// Seed of all randomness; drawn from the system when not given.
    pub seed: Option<u64>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: Vec::new(),
            client_id: "forebay".into(),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_secs(60),
            connection_setup_timeout: Duration::from_secs(10),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            connections_max_idle: Duration::from_secs(180),
            metadata_max_age: Duration::from_secs(300),
            rebootstrap_after: Duration::from_secs(300),
            receive_max_bytes: 100 << 20,
            seed: None,
        }
    }
}

impl ClientConfig {
    /// Defaults, and these brokers to ask first: `host:port,host:port`.
    ///
    /// # Errors
    ///
    /// When an address is wrong, or when there is none.
    pub fn from_servers(servers: &str) -> Result<Self, ConfigError> {
        Ok(Self { bootstrap_servers: super::parse_addresses(servers)?, ..Self::default() })
    }

    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used, by its Kafka name.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.bootstrap_servers.is_empty() {
            return Err(ConfigError::new("bootstrap.servers", "", "at least one host:port"));
        }
        span("request.timeout.ms", self.request_timeout)?;
        span("default.api.timeout.ms", self.api_timeout)?;
        span("socket.connection.setup.timeout.ms", self.connection_setup_timeout)?;
        span("reconnect.backoff.ms", self.reconnect_backoff)?;
        span("reconnect.backoff.max.ms", self.reconnect_backoff_max)?;
        span("retry.backoff.ms", self.retry_backoff)?;
        span("retry.backoff.max.ms", self.retry_backoff_max)?;
        span("connections.max.idle.ms", self.connections_max_idle)?;
        span("metadata.max.age.ms", self.metadata_max_age)?;
        span("metadata.recovery.rebootstrap.trigger.ms", self.rebootstrap_after)?;
        within("receive.max.bytes", &self.receive_max_bytes, (1 << 10, 1 << 30), "1 KiB to 1 GiB")
    }

    /// The seed given, or one drawn from the system.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..))
    }
}
