//! Settings of a producer.

use std::time::Duration;

use super::{ClientConfig, ConfigError, span, within};

/// Settings of a producer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProducerConfig {
    /// What every client has.
    pub client: ClientConfig,
    /// `acks`: who must have a record before it counts as sent. Default [`Acks::All`].
    pub acks: Acks,
    /// `enable.idempotence`: retries write no record twice. Default true; needs [`Acks::All`].
    pub idempotence: bool,
    /// `batch.size`: a batch is sent when it holds this many bytes. Default 128 KiB.
    pub batch_size: usize,
    /// `linger.ms`: how long a batch waits for more records. Default 5 ms.
    pub linger: Duration,
    /// `compression.type`. Default none.
    pub compression: Compression,
    /// `max.request.size`: largest record and largest request, in bytes. Default 1 MiB.
    pub max_request_size: usize,
    /// `buffer.memory`: bytes of records that wait or are on their way; beyond it `send` waits.
    /// Default 32 MiB.
    pub buffer_memory: usize,
    /// `delivery.timeout.ms`: from `send` to the answer, with all retries. Default 120 s.
    pub delivery_timeout: Duration,
    /// `max.in.flight.requests.per.connection`: 1 to 5. Default 5.
    pub max_in_flight: usize,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            client: ClientConfig::default(),
            acks: Acks::All,
            idempotence: true,
            batch_size: 128 << 10,
            linger: Duration::from_millis(5),
            compression: Compression::None,
            max_request_size: 1 << 20,
            buffer_memory: 32 << 20,
            delivery_timeout: Duration::from_secs(120),
            max_in_flight: 5,
        }
    }
}

impl ProducerConfig {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used, by its Kafka name.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.client.check()?;
        within("batch.size", &self.batch_size, (1, 1 << 30), "1 byte to 1 GiB")?;
        within("max.request.size", &self.max_request_size, (1 << 10, 1 << 30), "1 KiB to 1 GiB")?;
        within("buffer.memory", &self.buffer_memory, (1 << 10, usize::MAX), "1 KiB or more")?;
        within(
            "max.in.flight.requests.per.connection",
            &self.max_in_flight,
            (1, 5),
            "1 to 5: brokers remember five batches per producer",
        )?;
        span("delivery.timeout.ms", self.delivery_timeout)?;
        if self.idempotence && self.acks != Acks::All {
            return Err(ConfigError::new(
                "acks",
                "not all",
                "all, because enable.idempotence is true",
            ));
        }
        if self.delivery_timeout < self.linger.saturating_add(self.client.request_timeout) {
            return Err(ConfigError::new(
                "delivery.timeout.ms",
                self.delivery_timeout.as_millis().to_string(),
                "at least linger.ms + request.timeout.ms",
            ));
        }
        Ok(())
    }
}

/// Who must have a record before it counts as sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Acks {
    /// All in-sync replicas.
    #[default]
    All,
    /// The leader alone: a record may be lost with it.
    Leader,
}

impl Acks {
    /// Kafka's number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> i16 {
        match self {
            Self::All => -1,
            Self::Leader => 1,
        }
    }
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Snappy, in the framing of Kafka's Java client.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard; needs brokers from 2.1 on.
    Zstd,
}
