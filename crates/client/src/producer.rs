//! A producer: records into batches, batches to the leaders of their partitions, in order.
//!
//! `send` appends to the partition's open batch under a short lock and copies the record once;
//! a full or lingered batch crosses to the produce plane as one value; its result is told once and
//! read through any of its records' receipts.

mod append;
mod builder;
mod driver;
mod receipt;
mod record;
mod spare;
mod translate;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_core::producer::partitioner;
use forebay_core::rng::Rng;
use forebay_protocol::records::builder::NewRecord;
use forebay_protocol::types::{TopicName, TopicPartition};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use builder::ProducerBuilder;
pub use receipt::{Delivery, Receipt};
pub use record::{ProducerRecord, TrySendError};

use crate::cluster::Cluster;
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::net::connector::Connector;
use crate::runtime::{Clock, Placement};
use append::{Means, NotAppended, Pool, Target, Topic};
use driver::{Driver, Input, Left, Parts};
use spare::Spares;

/// How often a topic that is not known yet is looked for again.
const TOPIC_LOOK: Duration = Duration::from_millis(100);
/// How long a blocked thread waits for the driver to say what it left, when its deadline is over.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Sends records. Cheap to clone; clones share connections and batches.
///
/// When the last clone is dropped, what was sent is still delivered in the background, as long as
/// the process lives and for `delivery.timeout.ms` at most; [`close`](Self::close) waits for it.
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
        let mut rng = Rng::from_seed(config.client.seed().wrapping_add(2));
        let (cluster, task) = Cluster::prepare(&config.client, Arc::clone(&connector), clock);
        let means = Means {
            room: Semaphore::new(config.buffer_memory.min(Semaphore::MAX_PERMITS)),
            batch_size: config.batch_size,
            clock,
            spares: Spares::new(config.batch_size, config.buffer_memory),
            rng: Mutex::new(rng.fork()),
        };
        let pool = Arc::new(Pool::new(means));
        let driver = Driver::new(Parts {
            config: Arc::clone(&config),
            cluster: cluster.clone(),
            connector,
            pool: Arc::clone(&pool),
            clock,
            rng,
        });
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
    /// [`Error::RecordTooLarge`], [`Error::UnknownTopic`] when the cluster does not know the topic
    /// within `default.api.timeout.ms`, [`Error::UnknownPartition`] when it has no such partition,
    /// [`Error::Closed`].
    pub async fn send(&self, record: ProducerRecord<'_>) -> Result<Receipt, Error> {
        match self.shared.append_now(&record) {
            Ok(Some(receipt)) => Ok(receipt),
            Ok(None) => self.shared.append_in_time(&record).await,
            Err(error) => Err(error),
        }
    }

    /// As [`send`](Self::send), at once or not at all.
    ///
    /// # Errors
    ///
    /// With the record given back: [`Error::BufferFull`] while `buffer.memory` is used up,
    /// [`Error::TopicNotKnownYet`] until the cluster has told the topic's partitions, for which it
    /// is asked now; else as [`send`](Self::send).
    pub fn try_send<'a>(&self, record: ProducerRecord<'a>) -> Result<Receipt, TrySendError<'a>> {
        self.shared.try_send(&record).map_err(|error| {
            let error = Box::new(error);
            TrySendError { record, error }
        })
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
    /// As [`flush`](Self::flush); [`Error::Undelivered`] when the deadline passed, with how many
    /// records were not through.
    pub async fn close(self, deadline: Duration) -> Result<(), Error> {
        let flushed = tokio::time::timeout(deadline, self.flush()).await.ok();
        // The driver waits for nobody: it answers at once.
        let left = self.end().await.unwrap_or_default();
        closed(flushed, left, deadline)
    }

    /// [`close`](Self::close) for a thread without a runtime: blocks it, by `deadline` at the
    /// longest. Inside a runtime it does not panic; it blocks that runtime's thread.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub fn close_blocking(self, deadline: Duration) -> Result<(), Error> {
        let flushed = crate::runtime::block_on(deadline, self.flush());
        let left = crate::runtime::block_on(LAST_WORDS, self.end());
        closed(flushed, left.and_then(Result::ok).unwrap_or_default(), deadline)
    }

    /// Ends the driver, which says what it left.
    fn end(&self) -> oneshot::Receiver<Left> {
        let (reply, left) = oneshot::channel();
        drop(self.shared.inputs.send(Input::Close(reply)));
        left
    }
}

/// How a close ends: `flushed` is `None` when the deadline passed first.
fn closed(flushed: Option<Result<(), Error>>, left: Left, deadline: Duration) -> Result<(), Error> {
    match flushed {
        Some(flushed) => flushed,
        None if left.records == 0 => Ok(()),
        None => Err(Error::Undelivered {
            records: left.records,
            unknown: left.unknown,
            after: deadline,
        }),
    }
}

/// Where a record wants to go.
fn target(record: &ProducerRecord<'_>, topic: &Topic) -> Result<Target, Error> {
    let partitions = topic.partition_count();
    match (record.partition, record.key) {
        (None, None) => Ok(Target::Sticky),
        (None, Some(key)) => {
            Ok(Target::Partition(partitioner::for_key(key, partitions).unwrap_or_default()))
        }
        (Some(number), _) => match usize::try_from(number) {
            Ok(index) if index < partitions => Ok(Target::Partition(index)),
            _ => {
                let tp = TopicPartition::new(record.topic, number);
                Err(Error::UnknownPartition { tp, partitions })
            }
        },
    }
}

impl Shared {
    /// How much of the buffer a record takes.
    fn check_size(&self, record: &ProducerRecord<'_>) -> Result<usize, Error> {
        let (bytes, limit) = (record.size(), self.config.max_request_size);
        if limit < bytes { Err(Error::RecordTooLarge { bytes, limit }) } else { Ok(bytes) }
    }

    /// What is taken from the pool for a record: never more than there is.
    fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.config.buffer_memory)).unwrap_or(u32::MAX)
    }

    /// Appends a record when nothing has to be waited for; `None` when something has.
    fn append_now(&self, record: &ProducerRecord<'_>) -> Result<Option<Receipt>, Error> {
        let bytes = self.check_size(record)?;
        let appended = self.pool.with_topic(record.topic, |topic| {
            let target = target(record, topic).ok()?;
            self.append(topic, target, record, (bytes, 0)).transpose()
        });
        appended.flatten().transpose()
    }

    /// Appends a record, and waits for its topic, its partition and room for it.
    #[cold]
    async fn append_in_time(&self, record: &ProducerRecord<'_>) -> Result<Receipt, Error> {
        let bytes = self.check_size(record)?;
        let topic = match self.pool.topic(record.topic) {
            Some(topic) => topic,
            None => self.find_topic(&record.topic.into()).await?,
        };
        let (topic, target) = match target(record, &topic) {
            Ok(target) => (topic, target),
            Err(_) => self.find_partition(record).await?,
        };
        if let Some(receipt) = self.append(&topic, target, record, (bytes, 0))? {
            return Ok(receipt);
        }
        self.tell(Input::Hurry)?;
        let room = self.pool.room().acquire_many(self.share(bytes)).await;
        let room = room.map_err(|_| Error::Closed)?;
        let appended = self.append(&topic, target, record, (bytes, room.num_permits()));
        if let Ok(Some(_)) = &appended {
            // They come back when the batch is through.
            room.forget();
        }
        // With all it needs it was taken.
        appended?.ok_or(Error::Closed)
    }

    fn try_send(&self, record: &ProducerRecord<'_>) -> Result<Receipt, Error> {
        let bytes = self.check_size(record)?;
        let Some(topic) = self.pool.topic(record.topic).or_else(|| self.known_topic(record)) else {
            let topic = TopicName::from(record.topic);
            self.cluster.want_topics(vec![topic.clone()]);
            return Err(Error::TopicNotKnownYet { topic });
        };
        let target = target(record, &topic)?;
        if let Some(receipt) = self.append(&topic, target, record, (bytes, 0))? {
            return Ok(receipt);
        }
        self.tell(Input::Hurry)?;
        Err(Error::BufferFull { bytes, limit: self.config.buffer_memory })
    }

    /// The topic, if the cluster has told it meanwhile.
    fn known_topic(&self, record: &ProducerRecord<'_>) -> Option<Arc<Topic>> {
        let metadata = self.cluster.metadata();
        let name = TopicName::from(record.topic);
        let count = metadata.borrow().topics.get(&name).map_or(0, |it| it.partitions.len());
        (0 < count).then(|| self.pool.open_topic(&name, count))
    }

    /// Appends a record of so many bytes, of which some room was granted already; `None` when there
    /// is not enough.
    #[inline]
    fn append(
        &self,
        topic: &Topic,
        target: Target,
        record: &ProducerRecord<'_>,
        (bytes, granted): (usize, usize),
    ) -> Result<Option<Receipt>, Error> {
        let new = NewRecord {
            timestamp: record.timestamp.unwrap_or_else(|| self.clock.wall_millis()),
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        let mut closed = Vec::new();
        let needed = bytes.min(self.config.buffer_memory);
        let appended = topic.append(target, &new, (needed, granted), &mut closed);
        if !closed.is_empty() {
            closed.into_iter().try_for_each(|closed| self.tell(Input::Closed(closed)))?;
        }
        match appended {
            Ok((receipt, None)) => Ok(Some(receipt)),
            Ok((receipt, Some(opened))) => {
                self.tell(Input::Opened(opened))?;
                Ok(Some(receipt))
            }
            Err(NotAppended::NoRoom) if self.pool.room().is_closed() => Err(Error::Closed),
            Err(NotAppended::NoRoom) => Ok(None),
            Err(NotAppended::TooLarge { bytes }) => {
                Err(Error::RecordTooLarge { bytes, limit: self.config.max_request_size })
            }
        }
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
                return Ok(self.pool.open_topic(name, known.partitions.len()));
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
                changed = metadata.changed() => changed.map_err(|_| Error::Closed)?,
                () = self.clock.sleep_until(Some(look)) => self.cluster.stale(),
            }
        }
    }

    /// Looks at the cluster once more for a partition that was not there: the topic may have grown.
    async fn find_partition(
        &self,
        record: &ProducerRecord<'_>,
    ) -> Result<(Arc<Topic>, Target), Error> {
        let name = TopicName::from(record.topic);
        let mut metadata = self.cluster.metadata();
        drop(metadata.borrow_and_update());
        self.cluster.stale();
        let deadline = self.clock.now().after(self.config.client.api_timeout);
        tokio::select! {
            changed = metadata.changed() => changed.map_err(|_| Error::Closed)?,
            () = self.clock.sleep_until(Some(deadline)) => {}
        }
        let count = metadata.borrow().topics.get(&name).map_or(0, |it| it.partitions.len());
        let known = || self.pool.topic(record.topic);
        let topic = if count == 0 { known() } else { Some(self.pool.open_topic(&name, count)) };
        let topic = topic.ok_or(Error::UnknownTopic { topic: name })?;
        let target = target(record, &topic)?;
        Ok((topic, target))
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
