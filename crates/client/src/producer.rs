//! A producer: records into batches, batches to the leaders of their partitions, in order.
//!
//! `send` appends to the partition's open batch under a short lock and copies the record once;
//! a full or lingered batch crosses to the produce plane as one value; its result is told once and
//! read through any of its records' receipts.

mod append;
mod builder;
mod driver;
mod receipt;
mod translate;

use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::records::builder::{AppendError, NewRecord};
use forebay_protocol::records::header::Header;
use forebay_protocol::types::{TopicName, TopicPartition};
use tokio::sync::{mpsc, oneshot};

pub use builder::ProducerBuilder;
pub use receipt::{Delivery, Receipt};

use crate::cluster::Cluster;
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::net::connector::Connector;
use crate::runtime::{Clock, Placement};
use append::{Pool, Target, Topic};
use driver::{Driver, Input};

/// More than a record's framing takes, without its headers.
const RECORD_FRAMING: usize = 36;
/// More than a header's framing takes.
const HEADER_FRAMING: usize = 10;
/// How often a topic that is not known yet is looked for again.
const TOPIC_LOOK: Duration = Duration::from_millis(100);

/// A record to send. It is copied by `send`, so it may borrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProducerRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; by key, or spread, when not said.
    pub partition: Option<i32>,
    /// The key. Records with the same key go to the same partition, the one that Kafka's Java
    /// client would choose.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
    /// Milliseconds since 1970; now when not said.
    pub timestamp: Option<i64>,
}

impl<'a> ProducerRecord<'a> {
    /// A record without a key.
    #[must_use]
    pub fn new(topic: &'a str, value: &'a [u8]) -> Self {
        Self { topic, value: Some(value), ..Self::default() }
    }

    /// With a key.
    #[must_use]
    pub const fn key(mut self, key: &'a [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// To this partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With these headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// At this time, in milliseconds since 1970.
    #[must_use]
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// At most so many bytes in a batch.
    fn size(&self) -> usize {
        let of = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|it| it.key.len() + of(it.value) + HEADER_FRAMING);
        headers.fold(of(self.key) + of(self.value) + RECORD_FRAMING, usize::saturating_add)
    }
}

/// Sends records. Cheap to clone; clones share connections and batches.
///
/// When the last clone is dropped, what was sent is still delivered in the background, as long as
/// the process lives; [`close`](Self::close) waits for it.
#[derive(Clone, Debug)]
pub struct Producer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Arc<ProducerConfig>,
    cluster: Cluster,
    clock: Clock,
    pool: Arc<Pool>,
    inputs: mpsc::UnboundedSender<Input>,
}

impl Producer {
    /// Settings to begin with.
    #[must_use]
    pub fn builder() -> ProducerBuilder {
        ProducerBuilder::default()
    }

    fn start(
        config: ProducerConfig,
        connector: Arc<dyn Connector>,
        placement: Placement,
    ) -> Result<Self, Error> {
        let clock = match placement {
            Placement::OwnThread => Clock::start(),
            Placement::Caller => Clock::virtual_time(),
        };
        let config = Arc::new(config);
        let (cluster, task) = Cluster::prepare(&config.client, connector, clock);
        let pool = Arc::new(Pool::new(config.batch_size, config.buffer_memory));
        let driver = Driver::new(Arc::clone(&config), cluster.clone(), Arc::clone(&pool), clock);
        let (inputs, input_rx) = mpsc::unbounded_channel();
        crate::runtime::start(placement, "forebay-produce", async move {
            tokio::spawn(task);
            driver.run(input_rx).await;
        })?;
        Ok(Self { shared: Arc::new(Shared { config, cluster, clock, pool, inputs }) })
    }

    /// Appends a record to the open batch of its partition. Waits only for the topic's first use
    /// and for room in `buffer.memory`; the [`Receipt`] tells when the record is stored, and may be
    /// dropped.
    ///
    /// Records of one task to one partition are stored in the order of their `send`s. Cancel safe:
    /// a dropped `send` has appended nothing.
    ///
    /// # Errors
    ///
    /// [`Error::RecordTooLarge`], [`Error::UnknownTopic`] or [`Error::UnknownPartition`] when
    /// the cluster does not know them within `default.api.timeout.ms`, [`Error::Closed`].
    pub async fn send(&self, record: ProducerRecord<'_>) -> Result<Receipt, Error> {
        let shared = &*self.shared;
        let (bytes, limit) = (record.size(), shared.config.max_request_size);
        if limit < bytes {
            return Err(Error::RecordTooLarge { bytes, limit });
        }
        let topic = match shared.pool.topic(record.topic) {
            Some(topic) => topic,
            None => shared.find_topic(&record.topic.into()).await?,
        };
        let target = target(&record, &topic)?;
        shared.reserve(bytes).await?;
        let new = NewRecord {
            timestamp: record.timestamp.unwrap_or_else(|| shared.clock.wall_millis()),
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        shared.append(&topic, target, &new, bytes)
    }

    /// Sends all open batches now and waits until everything sent before is answered. Cancel safe.
    ///
    /// # Errors
    ///
    /// The first failure of a batch since the last flush; [`Error::Closed`].
    pub async fn flush(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.inputs.send(Input::Flush(reply)).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// [`flush`](Self::flush), then the end: returns by `deadline`, always. What is not through by
    /// then fails, and other clones can send no more.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush); [`Error::Timeout`] when the deadline passed.
    pub async fn close(self, deadline: Duration) -> Result<(), Error> {
        let flushed = tokio::time::timeout(deadline, self.flush()).await;
        drop(self.shared.inputs.send(Input::Close));
        flushed.unwrap_or(Err(Error::Timeout {
            what: "closing the producer",
            after: deadline,
            last: None,
        }))
    }

    /// [`close`](Self::close) for a thread without a runtime: blocks it, by `deadline` at the
    /// longest. Inside a runtime it does not panic; it blocks that runtime's thread.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub fn close_blocking(self, deadline: Duration) -> Result<(), Error> {
        let flushed = crate::runtime::block_on(deadline, self.flush());
        drop(self.shared.inputs.send(Input::Close));
        flushed.unwrap_or(Err(Error::Timeout {
            what: "closing the producer",
            after: deadline,
            last: None,
        }))
    }
}

fn target(record: &ProducerRecord<'_>, topic: &Topic) -> Result<Target, Error> {
    let Some(number) = record.partition else { return Ok(Target::Any) };
    let partitions = topic.partition_count();
    match usize::try_from(number) {
        Ok(index) if index < partitions => Ok(Target::Partition(index)),
        _ => {
            let tp = TopicPartition::new(record.topic, number);
            Err(Error::UnknownPartition { tp, partitions })
        }
    }
}

impl Shared {
    /// Takes room for a record.
    async fn reserve(&self, bytes: usize) -> Result<(), Error> {
        let bytes = u32::try_from(bytes.min(self.config.buffer_memory)).unwrap_or(u32::MAX);
        let room = match self.pool.room.try_acquire_many(bytes) {
            Ok(room) => room,
            Err(_) => self.pool.room.acquire_many(bytes).await.map_err(|_| Error::Closed)?,
        };
        room.forget();
        Ok(())
    }

    fn append(
        &self,
        topic: &Arc<Topic>,
        target: Target,
        record: &NewRecord<'_>,
        bytes: usize,
    ) -> Result<Receipt, Error> {
        let reserved = bytes.min(self.config.buffer_memory);
        let appended = topic.append(target, record, reserved).map_err(|error| {
            self.pool.room.add_permits(reserved);
            let limit = self.config.max_request_size;
            let bytes = if let AppendError::TooLarge { record } = error { record } else { bytes };
            Error::RecordTooLarge { bytes, limit }
        })?;
        for closed in appended.closed {
            self.tell(Input::Closed(closed))?;
        }
        if let Some(opened) = appended.opened {
            self.tell(Input::Opened(opened))?;
        }
        Ok(appended.receipt)
    }

    fn tell(&self, input: Input) -> Result<(), Error> {
        self.inputs.send(input).map_err(|_| Error::Closed)
    }

    /// Waits until the cluster knows the topic.
    async fn find_topic(&self, name: &TopicName) -> Result<Arc<Topic>, Error> {
        let deadline = self.clock.now().after(self.config.client.api_timeout);
        let mut metadata = self.cluster.metadata();
        self.cluster.want_topics(vec![name.clone()]);
        loop {
            let known = metadata.borrow_and_update().topics.get(name).cloned().unwrap_or_default();
            if !known.partitions.is_empty() {
                let count = i32::try_from(known.partitions.len()).unwrap_or(i32::MAX);
                return Ok(self.pool.open_topic(name, count));
            }
            // Retriable: a topic that was created a moment ago is not known everywhere.
            let error = Error::broker("Metadata", name.as_str(), known.error);
            if known.error != 0 && !error.is_retriable() {
                return Err(error);
            }
            if deadline <= self.clock.now() {
                return Err(self.no_topic(name, known.error));
            }
            let look = deadline.min(self.clock.now().after(TOPIC_LOOK));
            tokio::select! {
                biased;
                changed = metadata.changed() => changed.map_err(|_| Error::Closed)?,
                () = self.clock.sleep_until(Some(look)) => self.cluster.stale(),
            }
        }
    }

    fn no_topic(&self, name: &TopicName, code: i16) -> Error {
        if code == 0 {
            let after = self.config.client.api_timeout;
            return Error::Timeout { what: "asking for the topic", after, last: None };
        }
        Error::UnknownTopic { topic: name.clone() }
    }
}

#[cfg(test)]
mod tests;
