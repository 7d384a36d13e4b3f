//! The open batches: where a record waits, and the short lock around each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use forebay_core::cluster::metadata::Metadata;
use forebay_core::producer::partitioner;
use forebay_core::rng::Rng;
use forebay_core::time::Instant;
use forebay_protocol::records::builder::{AppendError, BatchBuilder, NewRecord};
use forebay_protocol::types::{TopicName, TopicPartition};
use tokio::sync::Semaphore;

use super::receipt::{BatchResult, Receipt};
use super::spare::Spares;
use crate::runtime::Clock;

/// All open batches, and the memory that records may use.
#[derive(Debug)]
pub(super) struct Pool {
    topics: RwLock<BTreeMap<TopicName, Arc<Topic>>>,
    means: Arc<Means>,
}

/// What all open batches use.
#[derive(Debug)]
pub(super) struct Means {
    /// `buffer.memory`, in bytes.
    pub(super) room: Semaphore,
    pub(super) batch_size: usize,
    pub(super) clock: Clock,
    pub(super) spares: Spares,
    /// Draws the next partition for records without a key.
    pub(super) rng: Mutex<Rng>,
}

/// Why a record was not appended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotAppended {
    /// The pool has no room now.
    NoRoom,
    /// It fits into no batch.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Why an open batch does not take a record.
#[derive(Clone, Copy, Debug)]
enum Unfit {
    /// The pool has no room now.
    NoRoom,
    /// The batch is full, or never takes it.
    Batch(AppendError),
}

/// Bytes that an open batch takes from the pool beyond what its next record needs.
const CREDIT: usize = 4096;

impl Means {
    /// Takes room for `bytes` and some more, or exactly so much when there is no more.
    fn take_room(&self, bytes: usize) -> Option<usize> {
        let take = |wanted: usize| {
            let permits = u32::try_from(wanted).ok()?;
            self.room.try_acquire_many(permits).ok()?.forget();
            Some(wanted)
        };
        take(bytes.max(CREDIT)).or_else(|| take(bytes))
    }
}

impl Pool {
    pub(super) fn new(means: Means) -> Self {
        Self { topics: RwLock::default(), means: Arc::new(means) }
    }

    /// `buffer.memory`, in bytes.
    pub(super) fn room(&self) -> &Semaphore {
        &self.means.room
    }

    /// What `then` makes of the topic, if it was used before.
    #[inline]
    pub(super) fn with_topic<T>(&self, name: &str, then: impl FnOnce(&Topic) -> T) -> Option<T> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).map(|topic| then(topic))
    }

    /// Buffers of batches that are through.
    pub(super) fn spares(&self) -> &Spares {
        &self.means.spares
    }

    /// The topic, if it was used before.
    pub(super) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned()
    }

    /// The topic, which has so many partitions.
    pub(super) fn open_topic(&self, name: &TopicName, partitions: usize) -> Arc<Topic> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let known = topics.get(name).filter(|known| known.partitions.len() == partitions);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let open = topics.get(name).map_or_else(Vec::new, |known| known.partitions.clone());
        let topic = Arc::new(Topic::new(name, partitions, open, &self.means));
        topics.insert(name.clone(), Arc::clone(&topic));
        topic
    }

    /// Topics may have grown, and partitions lost or won a leader.
    pub(super) fn look(&self, metadata: &Metadata) {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = topics.keys().cloned().collect();
        drop(topics);
        for name in names {
            let count = metadata.topics.get(&name).map_or(0, |topic| topic.partitions.len());
            if count == 0 {
                continue;
            }
            for accumulator in &self.open_topic(&name, count).partitions {
                let has_leader = metadata.leader(&accumulator.tp).is_some();
                accumulator.has_leader.store(has_leader, Ordering::Relaxed);
            }
        }
    }

    /// Closes every open batch.
    pub(super) fn close_all(&self) -> Vec<Closed> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let open = topics.values().flat_map(|topic| &topic.partitions);
        open.filter_map(|accumulator| accumulator.lock().close(accumulator)).collect()
    }
}

/// The open batches of one topic, as many as it had partitions when it was looked at.
#[derive(Debug)]
pub(super) struct Topic {
    partitions: Vec<Arc<Accumulator>>,
    /// Where records without a key go until the partition had its turn.
    sticky: AtomicUsize,
    means: Arc<Means>,
}

/// The open batch of one partition.
#[derive(Debug)]
pub(super) struct Accumulator {
    pub(super) tp: TopicPartition,
    has_leader: AtomicBool,
    /// Batches that were closed and are not through.
    queued: AtomicUsize,
    /// How large a batch may grow, in bytes not packed: `batch.size`, until a broker refuses one.
    limit: AtomicUsize,
    means: Arc<Means>,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    result: Option<Arc<BatchResult>>,
    /// When its first record came.
    since: Instant,
    /// Bytes taken from the pool for its records.
    reserved: usize,
    /// Of these, bytes for records to come: the pool is not asked for each of them.
    credit: usize,
    /// Bytes of its partition's batches since records without a key began to go there.
    turn: usize,
    /// Counts batches: a linger timer of an earlier one closes nothing.
    generation: u64,
}

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) accumulator: Arc<Accumulator>,
    pub(super) builder: BatchBuilder,
    pub(super) result: Arc<BatchResult>,
    pub(super) since: Instant,
    pub(super) reserved: usize,
}

/// Which batch a record opened.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) accumulator: Arc<Accumulator>,
    generation: u64,
}

/// Where a record wants to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// To this partition.
    Partition(usize),
    /// Anywhere: to the partition whose turn it is.
    Sticky,
}

impl Topic {
    fn new(
        name: &TopicName,
        count: usize,
        mut partitions: Vec<Arc<Accumulator>>,
        means: &Arc<Means>,
    ) -> Self {
        partitions.truncate(count);
        let open = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        let all = i32::try_from(count).unwrap_or(i32::MAX);
        let fresh = (open..all).map(|number| TopicPartition::new(name.clone(), number));
        partitions.extend(fresh.map(|tp| Arc::new(Accumulator::new(tp, Arc::clone(means)))));
        let topic = Self { partitions, sticky: AtomicUsize::new(0), means: Arc::clone(means) };
        topic.turn_on();
        topic
    }

    pub(super) fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// Appends a record that takes `bytes` of the pool, of which `granted` were taken already. Says
    /// too whether it is the first of its batch. `closed` gets the batches that had no room for it.
    ///
    /// # Errors
    ///
    /// When the pool has no room now, when the record fits into no batch, or when the topic has no
    /// such partition.
    pub(super) fn append(
        &self,
        target: Target,
        record: &NewRecord<'_>,
        (bytes, granted): (usize, usize),
        closed: &mut Vec<Closed>,
    ) -> Result<(Receipt, Option<Opened>), NotAppended> {
        loop {
            let at = match target {
                Target::Partition(at) => at,
                Target::Sticky => self.sticky.load(Ordering::Relaxed),
            };
            let Some(accumulator) = self.partitions.get(at) else {
                return Err(NotAppended::TooLarge { bytes });
            };
            let mut open = accumulator.lock();
            if target == Target::Sticky && open.has_had_its_turn(self.means.batch_size) {
                open.turn = 0;
                drop(open);
                self.turn_on();
                continue;
            }
            match open.push(record, (bytes, granted), accumulator) {
                Ok(taken) => return Ok(taken),
                Err(Unfit::NoRoom) => return Err(NotAppended::NoRoom),
                Err(Unfit::Batch(AppendError::TooLarge { record })) => {
                    return Err(NotAppended::TooLarge { bytes: record });
                }
                // The next batch takes it: an empty one takes any record.
                Err(Unfit::Batch(_)) => closed.extend(open.close(accumulator)),
            }
        }
    }

    /// The next partition's turn (KIP-794): drawn so that those with less to send come more often,
    /// and those without a leader only when all are.
    fn turn_on(&self) {
        let has_leader = |it: &Accumulator| it.has_leader.load(Ordering::Relaxed);
        let any_leader = self.partitions.iter().any(|it| has_leader(it));
        let usable = |it: &Accumulator| !any_leader || has_leader(it);
        let load = |it: &Arc<Accumulator>| usable(it).then(|| it.queued.load(Ordering::Relaxed));
        let loads: Vec<_> = self.partitions.iter().map(load).collect();
        let draw = self.means.rng.lock().unwrap_or_else(PoisonError::into_inner).any();
        self.sticky.store(partitioner::by_load(&loads, draw).unwrap_or(0), Ordering::Relaxed);
    }
}

impl Opened {
    /// Whether it is closed already.
    pub(super) fn is_over(&self) -> bool {
        self.accumulator.lock().generation != self.generation
    }

    /// Closes the batch, unless it is closed already.
    pub(super) fn close(&self) -> Option<Closed> {
        let mut open = self.accumulator.lock();
        (open.generation == self.generation).then(|| open.close(&self.accumulator))?
    }
}

impl Accumulator {
    fn new(tp: TopicPartition, means: Arc<Means>) -> Self {
        let open = Open {
            builder: BatchBuilder::new(means.batch_size),
            result: None,
            since: Instant::default(),
            reserved: 0,
            credit: 0,
            turn: 0,
            generation: 0,
        };
        Self {
            tp,
            has_leader: AtomicBool::new(true),
            queued: AtomicUsize::new(0),
            limit: AtomicUsize::new(means.batch_size),
            means,
            open: Mutex::new(open),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of its closed batches is through.
    pub(super) fn ended(&self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }

    /// One of its closed batches, of so many bytes not packed, was too large and became two. Later
    /// ones are no larger than those, so that the broker refuses no more than it has to.
    pub(super) fn split(&self, bytes: usize) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.limit.fetch_min(bytes / 2, Ordering::Relaxed);
    }
}

impl Open {
    /// Between two batches, when its partition had a batch's worth of records.
    const fn has_had_its_turn(&self, batch_size: usize) -> bool {
        self.result.is_none() && batch_size <= self.turn
    }

    #[inline]
    fn push(
        &mut self,
        record: &NewRecord<'_>,
        (bytes, granted): (usize, usize),
        accumulator: &Arc<Accumulator>,
    ) -> Result<(Receipt, Option<Opened>), Unfit> {
        let Some(result) = &self.result else {
            return self.open(record, (bytes, granted), accumulator);
        };
        if self.credit.saturating_add(granted) < bytes {
            let more = accumulator.means.take_room(bytes).ok_or(Unfit::NoRoom)?;
            self.credit = self.credit.saturating_add(more);
            self.reserved = self.reserved.saturating_add(more);
        }
        let ordinal = self.builder.append(record).map_err(Unfit::Batch)?;
        self.credit = self.credit.saturating_add(granted).saturating_sub(bytes);
        self.reserved = self.reserved.saturating_add(granted);
        Ok((Receipt::new(Arc::clone(result), ordinal), None))
    }

    /// Begins a batch.
    #[cold]
    fn open(
        &mut self,
        record: &NewRecord<'_>,
        (bytes, granted): (usize, usize),
        accumulator: &Arc<Accumulator>,
    ) -> Result<(Receipt, Option<Opened>), Unfit> {
        let means = &accumulator.means;
        let more = if granted < bytes { means.take_room(bytes).ok_or(Unfit::NoRoom)? } else { 0 };
        let limit = accumulator.limit.load(Ordering::Relaxed);
        let mut builder = BatchBuilder::with_buffer(limit, means.spares.take());
        let ordinal = match builder.append(record) {
            Ok(ordinal) => ordinal,
            Err(error) => {
                means.room.add_permits(more);
                return Err(Unfit::Batch(error));
            }
        };
        let result = Arc::new(BatchResult::new(accumulator.tp.clone()));
        self.builder = builder;
        self.result = Some(Arc::clone(&result));
        self.since = means.clock.now();
        self.reserved = granted.saturating_add(more);
        self.credit = self.reserved.saturating_sub(bytes);
        let opened = Opened { accumulator: Arc::clone(accumulator), generation: self.generation };
        Ok((Receipt::new(result, ordinal), Some(opened)))
    }

    fn close(&mut self, accumulator: &Arc<Accumulator>) -> Option<Closed> {
        let result = self.result.take()?;
        self.generation = self.generation.wrapping_add(1);
        accumulator.queued.fetch_add(1, Ordering::Relaxed);
        self.credit = 0;
        let builder = std::mem::replace(&mut self.builder, BatchBuilder::new(0));
        self.turn = self.turn.saturating_add(builder.size());
        Some(Closed {
            accumulator: Arc::clone(accumulator),
            builder,
            result,
            since: self.since,
            reserved: std::mem::take(&mut self.reserved),
        })
    }
}
