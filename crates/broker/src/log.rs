//! One partition's batches: where they begin and end, what may be read, who wrote them.

mod compact;
mod epochs;
mod producers;
mod retain;
mod transactions;

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::batch::{self, HEAD, Head, Refusal};
use crate::code::ErrorCode;

pub(crate) use epochs::EndOffset;
use epochs::Epochs;
use producers::{Producers, Verdict};
pub(crate) use retain::Retention;
use transactions::Transactions;

/// What keeping a batch costs beside its bytes, roughly.
const OVERHEAD: usize = 160;
/// Batches up to this size are copied, so that a small one does not keep a large request alive.
const COPIED: usize = 4096;

/// A partition's log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    batches: VecDeque<Stored>,
    start: i64,
    end: i64,
    /// Where a test holds the high watermark, when it does.
    held: Option<i64>,
    bytes: usize,
    epochs: Epochs,
    producers: Producers,
    transactions: Transactions,
}

/// A batch as it is kept: the head with this broker's offset and epoch in it, and the rest.
#[derive(Debug)]
struct Stored {
    base: i64,
    last: i64,
    max_timestamp: i64,
    /// `None` for the formats before v2.
    fields: Option<Head>,
    head: Bytes,
    body: Bytes,
}

impl Stored {
    fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    fn whole(&self) -> Bytes {
        if self.body.is_empty() {
            return self.head.clone();
        }
        [self.head.as_ref(), self.body.as_ref()].concat().into()
    }
}

/// Where a batch landed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Appended {
    /// The offset of its first record.
    pub(crate) base_offset: i64,
    /// The broker's time that its records got, when the topic wants that; else -1.
    pub(crate) append_time: i64,
}

/// Bytes for a fetch answer, in order.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    pub(crate) parts: Vec<Bytes>,
    pub(crate) len: usize,
}

impl Slices {
    fn push(&mut self, bytes: &Bytes, most: usize) {
        let take = bytes.len().min(most);
        if take > 0 {
            self.parts.push(bytes.slice(..take));
            self.len += take;
        }
    }
}

/// How much a read may return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// So many bytes; the last batch may be cut there, as Kafka does.
    pub(crate) bytes: usize,
    /// Whether the first batch comes whole even if it is larger.
    pub(crate) first: FirstBatch,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FirstBatch {
    Whole,
    Limited,
}

impl Log {
    /// The first offset that is kept.
    pub(crate) const fn start(&self) -> i64 {
        self.start
    }

    /// The offset after the last record.
    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    /// Up to where consumers may read.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.held.map_or(self.end, |held| held.min(self.end))
    }

    /// Up to where consumers of committed records may read.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        let first_open = self.transactions.first_open().unwrap_or(i64::MAX);
        self.high_watermark().min(first_open)
    }

    /// How many bytes of memory it takes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    pub(crate) const fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// Keeps the high watermark where it is, or lets it go again.
    pub(crate) const fn hold_high_watermark(&mut self, at: Option<i64>) {
        self.held = at;
    }

    /// A new leadership begins at the end.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        self.epochs.begin(epoch, self.end);
    }

    /// Appends a checked batch of a producer, once.
    pub(crate) fn produce(
        &mut self,
        bytes: &Bytes,
        head: Head,
        (epoch, append_time): (i32, Option<i64>),
    ) -> Result<Appended, Refusal> {
        if let Verdict::Duplicate(appended) =
            self.producers.judge(&head).map_err(Refusal::by_log)?
        {
            return Ok(appended);
        }
        self.append(bytes, head, (epoch, append_time))
    }

    /// Appends a batch without asking who wrote it.
    pub(crate) fn append(
        &mut self,
        bytes: &Bytes,
        head: Head,
        (epoch, append_time): (i32, Option<i64>),
    ) -> Result<Appended, Refusal> {
        let mut fields = Head { base_offset: self.end, partition_leader_epoch: epoch, ..head };
        if let Some(time) = append_time {
            fields.attributes |= batch::LOG_APPEND_TIME;
            fields.max_timestamp = time;
        }
        let body = bytes.slice(HEAD.min(bytes.len())..);
        if append_time.is_some() {
            fields.crc = batch::checksum_of(&fields.write(), &body);
        }
        let appended = Appended { base_offset: self.end, append_time: append_time.unwrap_or(-1) };
        self.keep(fields, &body)?;
        Ok(appended)
    }

    /// Appends a batch at the offset it says, which may leave a hole before it.
    pub(crate) fn append_at_its_offset(
        &mut self,
        bytes: &Bytes,
        head: Head,
    ) -> Result<(), Refusal> {
        if head.base_offset < self.end {
            let why = format!("offset {} is before the log's end {}", head.base_offset, self.end);
            return Err(Refusal::new(ErrorCode::OFFSET_OUT_OF_RANGE, why));
        }
        self.keep(head, &bytes.slice(HEAD.min(bytes.len())..))
    }

    /// Appends a message set of the formats before v2, whose last record has this offset, as it
    /// is.
    pub(crate) fn append_legacy(&mut self, bytes: &Bytes, last_offset: i64) -> Result<(), Refusal> {
        if last_offset < self.end {
            let why = format!("offset {last_offset} is before the log's end {}", self.end);
            return Err(Refusal::new(ErrorCode::OFFSET_OUT_OF_RANGE, why));
        }
        let base = self.end;
        let (head, body) = (bytes.clone(), Bytes::new());
        let stored =
            Stored { base, last: last_offset, max_timestamp: -1, fields: None, head, body };
        self.push(stored);
        Ok(())
    }

    fn keep(&mut self, fields: Head, body: &Bytes) -> Result<(), Refusal> {
        let last = fields.last_offset();
        self.epochs.note(fields.partition_leader_epoch, fields.base_offset);
        self.producers.note(&fields);
        self.transactions.note(&fields, body)?;
        let mut head = fields.write();
        let mut rest = body.clone();
        if body.len() <= COPIED {
            head.put(std::mem::take(&mut rest));
        }
        let (base, max_timestamp) = (fields.base_offset, fields.max_timestamp);
        let head = head.freeze();
        self.push(Stored { base, last, max_timestamp, fields: Some(fields), head, body: rest });
        Ok(())
    }

    fn push(&mut self, stored: Stored) {
        self.bytes += stored.len() + OVERHEAD;
        self.end = stored.last.saturating_add(1);
        self.batches.push_back(stored);
    }

    /// What a consumer at `position` gets of the batches before `bound`.
    pub(crate) fn read(&self, position: i64, bound: i64, limit: Limit) -> Slices {
        let mut slices = Slices::default();
        let from = self.batches.partition_point(|stored| stored.last < position);
        let readable = self.batches.range(from..).take_while(|stored| stored.base < bound);
        for (index, stored) in readable.enumerate() {
            let mut room = limit.bytes.saturating_sub(slices.len);
            if index == 0 && stored.len() > room {
                if limit.first == FirstBatch::Limited {
                    break;
                }
                room = stored.len();
            }
            if room == 0 {
                break;
            }
            slices.push(&stored.head, room);
            slices.push(&stored.body, room.saturating_sub(stored.head.len()));
        }
        slices
    }

    /// The whole batches from `position` on, one by one.
    pub(crate) fn batches(&self, position: i64) -> impl Iterator<Item = Bytes> + '_ {
        let from = self.batches.partition_point(|stored| stored.last < position);
        self.batches.range(from..).map(Stored::whole)
    }

    /// Drops what is before `offset`; batches go only as a whole, the start moves exactly.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        self.start = self.start.max(offset.min(self.end));
        while self.batches.front().is_some_and(|stored| stored.last < self.start) {
            if let Some(gone) = self.batches.pop_front() {
                self.bytes = self.bytes.saturating_sub(gone.len() + OVERHEAD);
            }
        }
        self.epochs.start_at(self.start);
    }

    /// Drops what is at `offset` and after it, as an unclean election does.
    pub(crate) fn truncate(&mut self, offset: i64) {
        let offset = offset.clamp(self.start, self.end);
        while self.batches.back().is_some_and(|stored| stored.last >= offset) {
            if let Some(gone) = self.batches.pop_back() {
                self.bytes = self.bytes.saturating_sub(gone.len() + OVERHEAD);
            }
        }
        self.end = self.batches.back().map_or(self.start, |stored| stored.last.saturating_add(1));
        self.epochs.truncate(self.end);
        self.replay();
    }

    /// Learns producers and transactions again from what is left.
    fn replay(&mut self) {
        self.producers = Producers::default();
        self.transactions = Transactions::default();
        for stored in &self.batches {
            let Some(fields) = &stored.fields else { continue };
            self.producers.note(fields);
            let whole = stored.whole();
            let body = whole.slice(HEAD.min(whole.len())..);
            // What was appended once was readable then.
            drop(self.transactions.note(fields, &body));
        }
    }

    /// Whether a producer's sequence numbers are known.
    pub(crate) fn knows_producer(&self, id: i64) -> bool {
        self.producers.knows(id)
    }

    /// Forgets all producers, as brokers did when their last records were deleted.
    pub(crate) fn forget_producers(&mut self) {
        self.producers = Producers::default();
    }

    /// The first record before `bound` whose time is `time` or later: its offset, its time, its
    /// epoch.
    pub(crate) fn first_at(&self, time: i64, bound: i64) -> Option<(i64, i64, i32)> {
        let mut candidates = self.batches.iter().filter(|stored| stored.max_timestamp >= time);
        candidates.find_map(|stored| {
            let fields = stored.fields?;
            let places = self.places(stored)?;
            let hit = places
                .into_iter()
                .find(|(offset, at)| *at >= time && *offset >= self.start && *offset < bound)?;
            Some((hit.0, hit.1, fields.partition_leader_epoch))
        })
    }

    /// The record with the largest time before `bound`: its offset, its time, its epoch.
    pub(crate) fn latest_time(&self, bound: i64) -> Option<(i64, i64, i32)> {
        let readable = self.batches.iter().filter(|stored| stored.base < bound);
        let newest = readable.max_by_key(|stored| (stored.max_timestamp, -stored.base))?;
        let fields = newest.fields?;
        let places = self.places(newest)?;
        let hit = places.into_iter().find(|(_, at)| *at == newest.max_timestamp)?;
        Some((hit.0, hit.1, fields.partition_leader_epoch))
    }

    #[allow(clippy::unused_self, reason = "reads a batch of this log")]
    fn places(&self, stored: &Stored) -> Option<Vec<(i64, i64)>> {
        batch::places(&stored.whole(), stored.fields.as_ref()?).ok()
    }

    /// Changes one byte of the batch that holds `offset`, so that its checksum is wrong.
    pub(crate) fn corrupt(&mut self, offset: i64) -> bool {
        let at = self.batches.partition_point(|stored| stored.last < offset);
        let Some(stored) = self.batches.get_mut(at) else { return false };
        let mut bytes = BytesMut::from(stored.whole().as_ref());
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 0x55;
        }
        stored.head = bytes.freeze();
        stored.body = Bytes::new();
        true
    }
}

#[cfg(test)]
mod tests;
