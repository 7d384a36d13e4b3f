//! The open batches: where a record waits, and the short lock around each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use forebay_core::producer::partitioner;
use forebay_protocol::records::builder::{AppendError, BatchBuilder, NewRecord};
use forebay_protocol::types::{TopicName, TopicPartition};
use tokio::sync::Semaphore;

use super::receipt::{BatchResult, Receipt};

/// All open batches, and the memory that records may use.
#[derive(Debug)]
pub(super) struct Pool {
    topics: RwLock<BTreeMap<TopicName, Arc<Topic>>>,
    /// `buffer.memory`, in bytes.
    pub(super) room: Semaphore,
    batch_size: usize,
}

impl Pool {
    pub(super) fn new(batch_size: usize, memory: usize) -> Self {
        let room = Semaphore::new(memory.min(Semaphore::MAX_PERMITS));
        Self { topics: RwLock::default(), room, batch_size }
    }

    /// The topic, if it was used before.
    pub(super) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned()
    }

    /// The topic, which has so many partitions.
    pub(super) fn open_topic(&self, name: &TopicName, partitions: i32) -> Arc<Topic> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Topic::new(name, partitions, self.batch_size));
        Arc::clone(topics.entry(name.clone()).or_insert_with(fresh))
    }

    /// Closes every open batch.
    pub(super) fn close_all(&self) -> Vec<Closed> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let open = topics.values().flat_map(|topic| &topic.partitions);
        open.filter_map(|partition| partition.lock().close()).collect()
    }
}

/// The open batches of one topic.
#[derive(Debug)]
pub(super) struct Topic {
    partitions: Vec<Accumulator>,
    /// Where records without a key go until the batch there is closed.
    sticky: AtomicUsize,
}

/// The open batch of one partition.
#[derive(Debug)]
struct Accumulator(Mutex<Open>);

#[derive(Debug)]
struct Open {
    tp: TopicPartition,
    builder: BatchBuilder,
    batch_size: usize,
    result: Option<Arc<BatchResult>>,
    /// Bytes taken from the pool for its records.
    reserved: usize,
    /// Counts batches: a linger timer of an earlier one closes nothing.
    generation: u64,
}

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) tp: TopicPartition,
    pub(super) builder: BatchBuilder,
    pub(super) result: Arc<BatchResult>,
    pub(super) reserved: usize,
}

/// Which batch a record opened.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    topic: Arc<Topic>,
    partition: usize,
    generation: u64,
}

/// What came of appending a record.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) receipt: Receipt,
    /// The record is the first of its batch: it starts to linger.
    pub(super) opened: Option<Opened>,
    /// Batches that had no room for it.
    pub(super) closed: Vec<Closed>,
}

/// Where a record wants to go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// To this partition.
    Partition(usize),
    /// Anywhere, by key or else sticky.
    Any,
}

impl Topic {
    fn new(name: &TopicName, partitions: i32, batch_size: usize) -> Self {
        let open = |number| {
            Accumulator(Mutex::new(Open {
                tp: TopicPartition::new(name.clone(), number),
                builder: BatchBuilder::new(batch_size),
                batch_size,
                result: None,
                reserved: 0,
                generation: 0,
            }))
        };
        Self { partitions: (0..partitions).map(open).collect(), sticky: AtomicUsize::new(0) }
    }

    pub(super) fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// Appends a record whose `reserved` bytes were taken from the pool.
    ///
    /// # Errors
    ///
    /// When the record fits into no batch, or the topic has no such partition.
    pub(super) fn append(
        self: &Arc<Self>,
        target: Target,
        record: &NewRecord<'_>,
        reserved: usize,
    ) -> Result<Appended, AppendError> {
        let mut closed = Vec::new();
        loop {
            let partition = self.choose(target, record.key);
            let Some(accumulator) = self.partitions.get(partition) else {
                return Err(AppendError::TooLarge { record: reserved });
            };
            let mut open = accumulator.lock();
            match open.push(record, reserved) {
                Ok(ordinal) => return Ok(self.appended(&open, (partition, ordinal), closed)),
                Err(AppendError::TooLarge { record }) => {
                    return Err(AppendError::TooLarge { record });
                }
                // The next batch takes it: an empty one takes any record.
                Err(_) => closed.extend(open.close()),
            }
            let next = partition.saturating_add(1).checked_rem(self.partitions.len());
            self.sticky.store(next.unwrap_or_default(), Ordering::Relaxed);
        }
    }

    fn choose(&self, target: Target, key: Option<&[u8]>) -> usize {
        match (target, key) {
            (Target::Partition(partition), _) => partition,
            (Target::Any, Some(key)) => {
                partitioner::for_key(key, self.partitions.len()).unwrap_or_default()
            }
            (Target::Any, None) => self.sticky.load(Ordering::Relaxed),
        }
    }

    fn appended(
        self: &Arc<Self>,
        open: &Open,
        (partition, ordinal): (usize, u32),
        closed: Vec<Closed>,
    ) -> Appended {
        let topic = || Arc::clone(self);
        let opened = (ordinal == 0).then(|| Opened {
            topic: topic(),
            partition,
            generation: open.generation,
        });
        let result =
            open.result.clone().unwrap_or_else(|| Arc::new(BatchResult::new(open.tp.clone())));
        Appended { receipt: Receipt::new(result, ordinal), opened, closed }
    }
}

impl Opened {
    /// Closes the batch, unless it is closed already.
    pub(super) fn close(&self) -> Option<Closed> {
        let mut open = self.topic.partitions.get(self.partition)?.lock();
        (open.generation == self.generation).then(|| open.close())?
    }
}

impl Accumulator {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn push(&mut self, record: &NewRecord<'_>, reserved: usize) -> Result<u32, AppendError> {
        let ordinal = self.builder.append(record)?;
        if ordinal == 0 {
            self.result = Some(Arc::new(BatchResult::new(self.tp.clone())));
        }
        self.reserved = self.reserved.saturating_add(reserved);
        Ok(ordinal)
    }

    fn close(&mut self) -> Option<Closed> {
        let result = self.result.take()?;
        self.generation = self.generation.wrapping_add(1);
        let builder = std::mem::replace(&mut self.builder, BatchBuilder::new(self.batch_size));
        Some(Closed {
            tp: self.tp.clone(),
            builder,
            result,
            reserved: std::mem::take(&mut self.reserved),
        })
    }
}
