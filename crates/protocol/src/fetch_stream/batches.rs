//! Which whole batches stand at the front of a records section?
//!
//! A broker cuts a section at its size limit, so the last batch may be a part only. Topics that
//! were written by clients before 0.11 hold messages of the formats v0 and v1 instead of batches;
//! they pass through with their count unknown.

use bytes::{Bytes, BytesMut};

use super::head::PartialBatch;
use crate::records::batch::{self, BatchHeader, PREFIX_LEN};
use crate::records::error::{BatchFault, HeaderField, RecordsError};
use crate::types::{Offset, Position};

/// Bytes up to and including the magic byte, which stands at the same place in all formats.
const MAGIC_END: usize = 17;

/// Bytes of a message's offset, length, checksum, magic, attributes, key and value lengths.
const LEAST_V0: i32 = 14;

/// As in v0, and a timestamp.
const LEAST_V1: i32 = 22;

/// The header of a v2 batch without offset and length.
const LEAST_V2: i32 = 49;

/// Whole batches of one partition, neighbours in the log, as bytes taken off the buffer.
#[derive(Clone, Debug)]
pub struct CutBatches {
    /// The batches.
    pub bytes: Bytes,
    /// The first offset of the first batch; for a v0 or v1 message the offset it carries, which
    /// is the last one when it is a compressed wrapper.
    pub base_offset: Offset,
    /// The position after the last batch.
    pub next: Position,
    /// How many records the headers announce; none when there are v0 or v1 messages.
    pub count: Option<u64>,
}

/// What one batch of a [`CutBatches`] says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchHead {
    /// Where the batch begins in the bytes.
    pub start: usize,
    /// Bytes of the batch.
    pub size: usize,
    /// The position after it.
    pub next: Position,
    /// Its format, and the header of a v2 batch.
    pub format: Format,
}

impl BatchHead {
    /// Where the batch stands in the bytes.
    #[must_use]
    pub const fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.size
    }

    /// The first offset, as in [`CutBatches::base_offset`].
    #[must_use]
    pub const fn base_offset(&self) -> Offset {
        match &self.format {
            Format::Batch(header) => header.base_offset,
            Format::Message { offset, .. } => *offset,
        }
    }

    /// How many records the header announces.
    #[must_use]
    pub const fn count(&self) -> Option<u32> {
        match &self.format {
            Format::Batch(header) => Some(header.count),
            Format::Message { .. } => None,
        }
    }
}

/// The format of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a third format would be read by nobody who ignores it")]
pub enum Format {
    /// A v2 batch.
    Batch(BatchHeader),
    /// A message of the formats v0 and v1, which may wrap others.
    Message {
        /// The magic byte, 0 or 1.
        magic: i8,
        /// Its offset; the last one when it is a compressed wrapper.
        offset: Offset,
    },
}

/// Why no batch was cut.
#[derive(Debug)]
pub(super) enum Halt {
    /// More bytes must be in the buffer.
    Need(usize),
    /// A header cannot be read.
    Corrupt(RecordsError),
}

/// The records section of one partition, as far as it has not been taken yet.
#[derive(Debug, Default)]
pub(super) struct Section {
    left: usize,
    skipping: bool,
    partial: Option<PartialBatch>,
    /// The lowest offset that the next batch may begin with.
    floor: i64,
}

impl Section {
    pub(super) const fn new(left: usize) -> Self {
        Self { left, skipping: false, partial: None, floor: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.left == 0
    }

    pub(super) const fn is_skipping(&self) -> bool {
        self.skipping
    }

    pub(super) const fn skip(&mut self) {
        self.skipping = true;
    }

    pub(super) const fn partial(&self) -> Option<PartialBatch> {
        self.partial
    }

    /// How many of `available` bytes are to be thrown away.
    pub(super) fn skip_some(&mut self, available: usize) -> usize {
        let skipped = self.left.min(available);
        self.left -= skipped;
        skipped
    }

    /// Takes all whole batches off the front of `buf`. `None` means: skip what is left.
    pub(super) fn cut(
        &mut self,
        buf: &mut BytesMut,
        heads: &mut Vec<BatchHead>,
    ) -> Result<Option<CutBatches>, Halt> {
        if self.skipping {
            return Err(Halt::Need(1));
        }
        let halt = self.scan(buf, heads);
        let (Some(first), Some(last)) = (heads.first(), heads.last()) else {
            return self.stop(halt);
        };
        let base_offset = first.base_offset();
        let next = last.next;
        let bytes = last.start + last.size;
        let count = heads.iter().map(|head| head.count().map(u64::from)).sum();
        self.left -= bytes;
        Ok(Some(CutBatches { bytes: buf.split_to(bytes).freeze(), base_offset, next, count }))
    }

    /// Nothing was cut: remembers why, if it is for good.
    fn stop(&mut self, halt: Stopped) -> Result<Option<CutBatches>, Halt> {
        match halt {
            Stopped::Empty => Ok(None),
            Stopped::Need(at_least) => Err(Halt::Need(at_least)),
            Stopped::Partial(partial) => {
                self.partial = Some(partial);
                self.skip();
                Ok(None)
            }
            Stopped::Corrupt(error) => {
                self.skip();
                Err(Halt::Corrupt(error))
            }
        }
    }

    /// Notes the heads of all whole batches in `buf`, and says what ended them.
    fn scan(&mut self, buf: &[u8], heads: &mut Vec<BatchHead>) -> Stopped {
        let mut start = 0;
        loop {
            let left = self.left - start;
            let bytes = buf.get(start..).unwrap_or_default();
            match read_head(bytes, left, start, self.floor) {
                Ok(head) => {
                    start += head.size;
                    self.floor = head.next.0;
                    heads.push(head);
                }
                Err(stopped) => return stopped,
            }
        }
    }
}

/// What ended the whole batches of a buffer.
enum Stopped {
    Empty,
    Need(usize),
    Partial(PartialBatch),
    Corrupt(RecordsError),
}

/// The head of the batch at the front of `bytes`, if all of it is there; `left` is what the
/// section still has.
#[inline]
fn read_head(bytes: &[u8], left: usize, start: usize, floor: i64) -> Result<BatchHead, Stopped> {
    if left < MAGIC_END {
        return Err(if left == 0 {
            Stopped::Empty
        } else {
            Stopped::Partial(PartialBatch::UNKNOWN)
        });
    }
    let Some(front) = bytes.first_chunk::<MAGIC_END>() else {
        return Err(Stopped::Need(start + MAGIC_END));
    };
    let front = Front::read(front);
    let size = front.size().map_err(|fault| front.corrupt(fault))?;
    if size > left {
        let base_offset = Some(Offset(front.offset));
        return Err(Stopped::Partial(PartialBatch { base_offset, size: Some(size) }));
    }
    if bytes.len() < size {
        return Err(Stopped::Need(start + size));
    }
    if front.offset < floor {
        return Err(front.corrupt(BatchFault::NotForward { expected: floor }));
    }
    let (next, format) = front.format(bytes)?;
    Ok(BatchHead { start, size, next, format })
}

/// What all formats have in common: offset, length and magic byte.
struct Front {
    offset: i64,
    length: i32,
    magic: i8,
}

impl Front {
    #[inline]
    const fn read(front: &[u8; MAGIC_END]) -> Self {
        let [o0, o1, o2, o3, o4, o5, o6, o7, l0, l1, l2, l3, _, _, _, _, magic] = *front;
        Self {
            offset: i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
            length: i32::from_be_bytes([l0, l1, l2, l3]),
            magic: magic.cast_signed(),
        }
    }

    #[inline]
    fn size(&self) -> Result<usize, BatchFault> {
        let least = match self.magic {
            2 => LEAST_V2,
            1 => LEAST_V1,
            0 => LEAST_V0,
            found => return Err(BatchFault::Magic { found }),
        };
        match usize::try_from(self.length) {
            Ok(length) if self.length >= least => Ok(length + PREFIX_LEN),
            _ => Err(BatchFault::Length { found: self.length, least }),
        }
    }

    #[inline]
    fn format(&self, bytes: &[u8]) -> Result<(Position, Format), Stopped> {
        if self.magic == batch::MAGIC {
            let header = BatchHeader::read(bytes).map_err(Stopped::Corrupt)?;
            return Ok((header.next_position(), Format::Batch(header)));
        }
        let offset = Offset(self.offset);
        if self.offset == i64::MAX {
            let fault = BatchFault::Header { field: HeaderField::BaseOffset, found: self.offset };
            return Err(self.corrupt(fault));
        }
        Ok((offset.next(), Format::Message { magic: self.magic, offset }))
    }

    #[cold]
    const fn corrupt(&self, fault: BatchFault) -> Stopped {
        Stopped::Corrupt(RecordsError::Batch { base_offset: self.offset, fault })
    }
}
