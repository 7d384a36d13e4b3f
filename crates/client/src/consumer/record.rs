//! What a handler gets: one record that it owns, or one batch whose records it borrows.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use forebay_core::time::Instant;
use forebay_protocol::records::batch::{BatchHeader, HEADER_LEN};
use forebay_protocol::records::codec::Scratch;
use forebay_protocol::records::header::Headers;
use forebay_protocol::records::record::{RecordAt, RecordRef, Records};
use forebay_protocol::types::{LeaderEpoch, Offset, Position, TopicPartition};

use super::lease::Leased;
use crate::budget::Lease;

/// A partition as its records see it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) tp: TopicPartition,
    in_flight: AtomicU64,
    /// When the oldest handler in flight began, in nanoseconds of the clock; 0 for none.
    oldest: AtomicU64,
}

impl Partition {
    pub(crate) const fn new(tp: TopicPartition) -> Self {
        Self { tp, in_flight: AtomicU64::new(0), oldest: AtomicU64::new(0) }
    }

    /// The worker tells how many handlers run, and since when the oldest does.
    pub(crate) fn note(&self, in_flight: usize, oldest: Option<Instant>) {
        self.in_flight.store(in_flight as u64, Ordering::Relaxed);
        self.oldest.store(oldest.map_or(0, Instant::as_nanos), Ordering::Relaxed);
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn oldest(&self, now: Instant) -> Option<Duration> {
        let began = self.oldest.load(Ordering::Relaxed);
        (began != 0).then(|| now.since(Instant::from_nanos(began)))
    }
}

/// One batch, checked and unpacked: what its records point into.
pub(crate) struct OpenBatch {
    pub(crate) partition: Arc<Partition>,
    pub(crate) leased: Leased,
    pub(crate) header: BatchHeader,
    pub(crate) data: Data,
    /// A walk met a record that cannot be: the batch must not count as done.
    pub(crate) is_malformed: AtomicBool,
}

/// The bytes of an open batch.
pub(crate) enum Data {
    /// The whole batch as it came; its records are not packed.
    Plain(Bytes),
    /// The unpacked records.
    Inflated(Inflated),
}

/// A buffer that goes back to its pool, and its bytes to the budget.
pub(crate) struct Inflated {
    scratch: Scratch,
    pool: Pool,
    /// Only held: gives the bytes back when dropped.
    _lease: Lease,
}

/// Buffers of a worker that are free to be inflated into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Arc<Mutex<Vec<Scratch>>>);

/// Free buffers that are kept.
const POOL_MAX: usize = 4;

impl Pool {
    pub(crate) fn take(&self) -> Scratch {
        self.0.lock().map(|mut free| free.pop()).ok().flatten().unwrap_or_default()
    }

    fn give(&self, buffer: Scratch) {
        if let Ok(mut free) = self.0.lock()
            && free.len() < POOL_MAX
        {
            free.push(buffer);
        }
    }
}

impl Inflated {
    pub(crate) const fn new(scratch: Scratch, pool: Pool, lease: Lease) -> Self {
        Self { scratch, pool, _lease: lease }
    }
}

impl Drop for Inflated {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.scratch));
    }
}

impl OpenBatch {
    /// The records, unpacked.
    #[inline]
    fn section(&self) -> &[u8] {
        match &self.data {
            Data::Plain(bytes) => bytes.get(HEADER_LEN..).unwrap_or_default(),
            Data::Inflated(inflated) => inflated.scratch.as_slice(),
        }
    }

    /// The same batch over the same bytes at another place.
    pub(crate) fn with_data(&self, data: Data) -> Self {
        let is_malformed = AtomicBool::new(self.is_malformed.load(Ordering::Relaxed));
        let partition = Arc::clone(&self.partition);
        Self { partition, leased: self.leased, header: self.header, data, is_malformed }
    }

    /// A walk over the records.
    #[inline]
    pub(crate) fn records(&self) -> Records<'_> {
        Records::new(&self.header, self.section())
    }

    pub(crate) fn mark_malformed(&self) {
        self.is_malformed.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_malformed(&self) -> bool {
        self.is_malformed.load(Ordering::Acquire)
    }
}

/// One record, owned: it can be kept, sent and awaited with.
///
/// It borrows nothing and copies nothing: it is two words, and key, value and headers are read in
/// place, each time they are asked for ([`view`](Self::view) reads all of them at once). For that it
/// keeps its whole batch in memory, and with it up to 1 MiB of what was fetched together. A record
/// that is to be kept for long should be [detached](Self::detach).
#[derive(Clone)]
pub struct Record {
    batch: Arc<OpenBatch>,
    at: RecordAt,
}

impl Record {
    #[inline]
    pub(crate) const fn new(batch: Arc<OpenBatch>, at: RecordAt) -> Self {
        Self { batch, at }
    }

    /// The topic's name.
    #[inline]
    #[must_use]
    pub fn topic(&self) -> &str {
        self.batch.partition.tp.topic.as_str()
    }

    /// The partition's number.
    #[inline]
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.batch.partition.tp.partition
    }

    /// Topic and partition.
    #[inline]
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.batch.partition.tp
    }

    /// The record's place in its partition.
    #[inline]
    #[must_use]
    pub fn offset(&self) -> Offset {
        Offset(self.batch.header.base_offset.0.saturating_add(i64::from(self.at.offset_delta())))
    }

    /// The leadership under which it was written.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.batch.header.leader_epoch
    }

    /// All that it holds, read at once.
    #[inline]
    #[must_use]
    pub fn view(&self) -> RecordRef<'_> {
        // The walk has checked it, so there is one.
        self.at.read(&self.batch.header, self.batch.section()).unwrap_or_else(|| RecordRef {
            offset: self.offset(),
            timestamp: -1,
            key: None,
            value: None,
            headers: Headers::default(),
        })
    }

    /// Milliseconds since 1970: when it was created, or appended if the topic says so.
    #[inline]
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        self.view().timestamp
    }

    /// The key; `None` when it has none.
    #[inline]
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.view().key
    }

    /// The value; `None` is a tombstone.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.view().value
    }

    /// The headers in their order; duplicates and keys that are no UTF-8 are kept.
    #[inline]
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.view().headers
    }

    /// Key and value, copied out of the batch that they would keep in memory.
    #[must_use]
    pub fn detach(&self) -> (Option<Bytes>, Option<Bytes>) {
        let record = self.view();
        (record.key.map(Bytes::copy_from_slice), record.value.map(Bytes::copy_from_slice))
    }
}

impl fmt::Debug for Record {
    /// Place and sizes only: payloads are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .field("offset", &self.offset().0)
            .field("key_bytes", &self.key().map(<[u8]>::len))
            .field("value_bytes", &self.value().map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

/// One batch of records, as the producer made it, checked and unpacked.
///
/// Its records are borrowed from it, at a few nanoseconds each. The batch is done when its handler
/// is; it keeps its bytes in memory until it is dropped.
pub struct Batch {
    batch: Arc<OpenBatch>,
    from: Position,
}

impl Batch {
    pub(crate) const fn new(batch: Arc<OpenBatch>, from: Position) -> Self {
        Self { batch, from }
    }

    /// The topic's name.
    #[inline]
    #[must_use]
    pub fn topic(&self) -> &str {
        self.batch.partition.tp.topic.as_str()
    }

    /// The partition's number.
    #[inline]
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.batch.partition.tp.partition
    }

    /// Topic and partition.
    #[inline]
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.batch.partition.tp
    }

    /// The first offset that [`records`](Self::records) may yield.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        self.batch.header.base_offset.max(self.from.offset())
    }

    /// The last offset of the batch; its record may be gone by compaction.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.batch.header.last_offset()
    }

    /// How many records there are at most: the batch may begin before the position.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.batch.header.count as usize
    }

    /// The leadership under which it was written.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.batch.header.leader_epoch
    }

    /// The records in their order.
    ///
    /// The batch's checksum has been compared. Should a record be malformed all the same, the walk
    /// ends there and the batch is a failure of its partition whatever the handler says.
    #[must_use]
    pub fn records(&self) -> BatchRecords<'_> {
        BatchRecords { records: self.batch.records(), batch: &self.batch, from: self.from }
    }

    /// The records as values that can be kept and sent; each keeps the batch in memory.
    pub fn owned_records(&self) -> impl Iterator<Item = Record> + '_ {
        let (mut records, from) = (self.batch.records(), self.from);
        std::iter::from_fn(move || {
            loop {
                let Ok(at) = records.next_at()? else {
                    self.batch.mark_malformed();
                    return None;
                };
                let record = Record::new(Arc::clone(&self.batch), at);
                if from.offset() <= record.offset() {
                    return Some(record);
                }
            }
        })
    }

    /// The position after this batch.
    #[must_use]
    pub fn next_position(&self) -> Position {
        self.batch.header.next_position()
    }

    #[inline]
    pub(crate) fn leased(&self) -> Leased {
        self.batch.leased
    }
}

impl fmt::Debug for Batch {
    /// Place and sizes only: payloads are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .field("first_offset", &self.first_offset().0)
            .field("last_offset", &self.last_offset().0)
            .finish_non_exhaustive()
    }
}

/// The walk of [`Batch::records`].
#[derive(Debug)]
pub struct BatchRecords<'a> {
    records: Records<'a>,
    batch: &'a OpenBatch,
    from: Position,
}

impl<'a> Iterator for BatchRecords<'a> {
    type Item = RecordRef<'a>;

    // Inlined wherever it is called from: what a loop does not use of a record is then not read,
    // which is a seventh of the whole cost of a small one.
    #[inline(always)]
    fn next(&mut self) -> Option<RecordRef<'a>> {
        loop {
            match self.records.next()? {
                Ok(record) if self.from.offset() <= record.offset => return Some(record),
                Ok(_) => {}
                Err(_) => {
                    self.batch.mark_malformed();
                    return None;
                }
            }
        }
    }
}

impl fmt::Debug for OpenBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBatch").field("header", &self.header).finish_non_exhaustive()
    }
}
