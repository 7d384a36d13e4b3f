//! A run on its worker: batch after batch is checked, unpacked and walked.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use forebay_core::run::{Ended, Job};
use forebay_protocol::records::batch::{Batch as BatchView, BatchHeader};
use forebay_protocol::records::codec::{Codec, Decompressor};
use forebay_protocol::records::error::{BatchFault, RecordsError};
use forebay_protocol::records::legacy::{LegacyReader, is_legacy};
use forebay_protocol::records::record::Mark;
use forebay_protocol::types::{Offset, Position};

use crate::budget::{Budget, Lease};
use crate::consumer::lease::Leased;
use crate::consumer::record::{Batch, Data, Inflated, OpenBatch, Partition, Pool, Record};
use crate::net::chunk::copy_out;

/// What a handler works on, and how it is taken off a batch.
pub(crate) trait Unit: Sized {
    /// Gives the units of a batch from where `walk` is, one by one, until `start` breaks. Says
    /// whether the batch is at its end.
    ///
    /// The loop is in here so that what a walk needs stays in registers from record to record.
    fn each(
        walk: &mut Walk,
        from: Position,
        start: impl FnMut(Taken<Self>) -> ControlFlow<()>,
    ) -> Result<bool, RecordsError>;
}

/// A unit and the offsets it stands for.
pub(crate) struct Taken<U> {
    pub(crate) unit: U,
    pub(crate) first: Offset,
    /// What comes after it.
    pub(crate) next: Position,
}

/// A place in an open batch.
pub(crate) struct Walk {
    pub(super) batch: Arc<OpenBatch>,
    mark: Option<Mark>,
    /// Units before this were started by a walk that could not leave a mark.
    skip: Position,
}

impl Unit for Record {
    #[inline]
    fn each(
        walk: &mut Walk,
        from: Position,
        mut start: impl FnMut(Taken<Self>) -> ControlFlow<()>,
    ) -> Result<bool, RecordsError> {
        let mut records = walk.batch.records();
        if let Some(mark) = walk.mark {
            records.resume(mark);
        }
        let (base, from) = (walk.batch.header.base_offset.0, from.max(walk.skip));
        while let Some(at) = records.next_at() {
            let at = at?;
            let first = Offset(base + i64::from(at.offset_delta()));
            if first < from.offset() {
                continue;
            }
            let unit = Self::new(Arc::clone(&walk.batch), at);
            if start(Taken { unit, first, next: first.next() }).is_break() {
                walk.mark = Some(records.mark());
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Unit for Batch {
    fn each(
        walk: &mut Walk,
        from: Position,
        mut start: impl FnMut(Taken<Self>) -> ControlFlow<()>,
    ) -> Result<bool, RecordsError> {
        if walk.mark.is_some() {
            return Ok(true);
        }
        walk.mark = Some(walk.batch.records().mark());
        let unit = Self::new(Arc::clone(&walk.batch), from);
        let (first, next) = (unit.first_offset(), unit.next_position());
        Ok(start(Taken { unit, first, next }).is_continue())
    }
}

/// One job in work.
pub(super) struct OpenRun {
    /// Never used twice in one worker.
    pub(super) number: u64,
    pub(super) job: Job,
    pub(super) leased: Leased,
    /// Whole batches that were not opened yet.
    rest: Bytes,
    walk: Option<Walk>,
    /// First position that was not started yet.
    pub(super) next: Position,
    /// Units that run or wait to be tried again.
    pub(super) in_flight: usize,
    /// Nothing more will start: the end was reached, or the partition was let go of.
    pub(super) is_exhausted: bool,
    /// Why it ended before its end, and where.
    pub(super) cut: Option<(Position, Ended)>,
    /// What was told of it last.
    pub(super) told: Position,
    /// How often in a row it was looked at while nothing of it had started; stays at [`STILL`].
    stood: u8,
    /// Where it stood at the last look.
    stood_at: Position,
}

/// Looks after which a job that has not moved stands still.
const STILL: u8 = 2;

/// What opening batches takes: contexts, buffers and the budget.
pub(super) struct Opener {
    decompressor: Decompressor,
    legacy: LegacyReader,
    pool: Pool,
    budget: Budget,
    /// Most bytes that one batch may unpack to.
    inflated_max: usize,
}

/// Why a run gives no further unit.
pub(super) enum Blocked {
    /// There is none.
    Exhausted,
    /// No room to unpack the next batch as long as others are in work.
    NoRoom,
    /// The batch is not what it says.
    Bad { base: Offset, last: Offset, error: RecordsError },
}

/// Old messages as batches; their bytes go back to the budget with the last record.
struct Upgraded {
    bytes: Vec<u8>,
    _lease: Lease,
}

impl AsRef<[u8]> for Upgraded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Opener {
    pub(super) fn new(budget: Budget) -> Self {
        let inflated_max = (budget.total() / 2).min(64 << 20);
        let (decompressor, legacy) = (Decompressor::new(), LegacyReader::new());
        Self { decompressor, legacy, pool: Pool::default(), budget, inflated_max }
    }

    /// Makes messages older than batches into batches; what is not converted yet follows them.
    fn upgrade(&mut self, messages: &[u8]) -> Result<Bytes, RecordsError> {
        let mut bytes = Vec::new();
        let limit = self.inflated_max;
        let read = self.legacy.convert(messages, &mut self.decompressor, limit, &mut bytes)?;
        bytes.extend_from_slice(messages.get(read..).unwrap_or_default());
        let lease = self.budget.overdraw(bytes.capacity());
        Ok(Bytes::from_owner(Upgraded { bytes, _lease: lease }))
    }

    /// Checks and unpacks the batch that `view` shows in `bytes`.
    fn open(
        &mut self,
        view: &BatchView<'_>,
        bytes: Bytes,
        partition: Arc<Partition>,
        leased: Leased,
    ) -> Result<OpenBatch, RecordsError> {
        view.check_crc()?;
        let header = *view.header();
        let data = match header.codec {
            Codec::None => Data::Plain(bytes),
            Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => {
                Data::Inflated(self.inflate(&header, view.section())?)
            }
        };
        Ok(OpenBatch { partition, leased, header, data, is_malformed: false.into() })
    }

    fn inflate(&mut self, header: &BatchHeader, section: &[u8]) -> Result<Inflated, RecordsError> {
        let mut scratch = self.pool.take();
        let unpacked =
            self.decompressor.decompress(header.codec, section, self.inflated_max, &mut scratch);
        let lease = self.budget.overdraw(scratch.capacity());
        match unpacked {
            Ok(()) => Ok(Inflated::new(scratch, self.pool.clone(), lease)),
            Err(fault) => Err(RecordsError::Codec { base_offset: header.base_offset.0, fault }),
        }
    }
}

impl OpenRun {
    pub(super) fn new(number: u64, job: Job, leased: Leased) -> Self {
        let (rest, next) = (job.run.bytes.clone(), job.run.from);
        Self {
            number,
            job,
            leased,
            rest,
            walk: None,
            next,
            in_flight: 0,
            is_exhausted: false,
            cut: None,
            told: next,
            stood: 0,
            stood_at: next,
        }
    }

    /// A job that stands still is copied out of the chunk that it pins for others, once. What its
    /// handlers have already still pins it, until they end.
    pub(super) fn copy_out_still(&mut self, budget: &Budget) {
        if self.stood == STILL {
            return;
        }
        let has_moved = std::mem::replace(&mut self.stood_at, self.next) != self.next;
        self.stood = if has_moved { 0 } else { self.stood + 1 };
        if self.stood == STILL && !is_legacy(&self.job.run.bytes) {
            match copy_out(&self.job.run.bytes, budget) {
                Some(copy) => self.move_to(copy),
                // There is no need or no room yet: it is looked at again.
                None => self.stood -= 1,
            }
        }
    }

    fn move_to(&mut self, copy: Bytes) {
        let rest_at = copy.len().saturating_sub(self.rest.len());
        self.rest = copy.slice(rest_at..);
        if let Some(walk) = self.walk.as_mut()
            && let Data::Plain(bytes) = &walk.batch.data
        {
            // The batch in work is the last that was taken off the rest.
            let batch_at = rest_at.saturating_sub(bytes.len());
            walk.batch = Arc::new(walk.batch.with_data(Data::Plain(copy.slice(batch_at..rest_at))));
        }
        self.job.run.bytes = copy;
    }

    /// Gives the next units to `start`, until it breaks.
    #[inline]
    pub(super) fn each<U: Unit>(
        &mut self,
        opener: &mut Opener,
        partition: &Arc<Partition>,
        mut start: impl FnMut(Taken<U>, &Arc<OpenBatch>) -> ControlFlow<()>,
    ) -> Result<(), Blocked> {
        loop {
            if let Some(walk) = self.walk.as_mut() {
                let (next, batch) = (&mut self.next, Arc::clone(&walk.batch));
                let walked = U::each(walk, self.job.run.from, |taken| {
                    *next = taken.next;
                    start(taken, &batch)
                });
                match walked {
                    Ok(true) => {
                        self.next = batch.header.next_position();
                        self.walk = None;
                    }
                    Ok(false) => return Ok(()),
                    Err(error) => return Err(bad(&batch.header, error)),
                }
            }
            self.open_next(opener, partition)?;
        }
    }

    /// After a walk was left by a panic: the next one begins behind what was started. Gives the
    /// batch that it is in.
    pub(super) fn skip_started(&mut self) -> Option<Arc<OpenBatch>> {
        let walk = self.walk.as_mut()?;
        walk.skip = self.next;
        Some(Arc::clone(&walk.batch))
    }

    fn open_next(
        &mut self,
        opener: &mut Opener,
        partition: &Arc<Partition>,
    ) -> Result<(), Blocked> {
        if self.rest.is_empty() {
            self.is_exhausted = true;
            return Err(Blocked::Exhausted);
        }
        if is_legacy(&self.rest) {
            self.rest = opener.upgrade(&self.rest).map_err(|error| self.bad(error))?;
        }
        let bytes = self.rest.clone();
        let (view, _) = BatchView::split_first(&bytes).map_err(|error| self.bad(error))?;
        let is_over = opener.budget.total() < opener.budget.used();
        if view.header().codec != Codec::None && is_over && 0 < self.in_flight {
            return Err(Blocked::NoRoom);
        }
        let size = view.bytes().len();
        let batch = opener
            .open(&view, bytes.slice(..size), Arc::clone(partition), self.leased)
            .map_err(|error| bad(view.header(), error))?;
        self.rest = self.rest.slice(size..);
        self.walk = Some(Walk { batch: Arc::new(batch), mark: None, skip: Position(0) });
        Ok(())
    }

    /// The unit that begins at `first` once more, for another try.
    pub(super) fn retake<U: Unit>(
        &self,
        first: Offset,
        opener: &mut Opener,
        partition: &Arc<Partition>,
    ) -> Option<(U, Arc<OpenBatch>)> {
        let mut again = Self::new(self.number, self.job.clone(), self.leased);
        again.job.run.from = Position(first.0);
        while let Ok(header) = BatchHeader::read(&again.rest) {
            if first < header.next_position().offset() {
                break;
            }
            if again.rest.len() < header.size {
                return None;
            }
            again.rest = again.rest.slice(header.size..);
        }
        let mut found = None;
        let walked = again.each::<U>(opener, partition, |taken, batch| {
            found = (taken.first == first).then(|| (taken.unit, Arc::clone(batch)));
            ControlFlow::Break(())
        });
        walked.ok().and(found)
    }

    fn bad(&self, error: RecordsError) -> Blocked {
        let header = BatchHeader::read(&self.rest).ok();
        let last = header.map_or_else(|| self.next.offset(), |header| header.last_offset());
        Blocked::Bad { base: self.next.offset(), last, error }
    }
}

fn bad(header: &BatchHeader, error: RecordsError) -> Blocked {
    Blocked::Bad { base: header.base_offset, last: header.last_offset(), error }
}

/// Whether fetching the batch again may cure it: its bytes are not what was sent.
pub(super) const fn may_be_cured(error: &RecordsError) -> bool {
    matches!(error, RecordsError::Batch { fault: BatchFault::Crc { .. }, .. })
}
