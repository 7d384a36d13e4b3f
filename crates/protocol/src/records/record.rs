//! What does a record say? A walk over the records of a v2 batch that borrows all it yields.
//!
//! ```text
//! length  attributes  timestamp delta  offset delta  key  value  headers
//! varint  i8          varlong          varint        varint length + bytes, -1 = null
//! ```
//!
//! This is the hot loop of a consumer: no allocation, no copy, headers only when asked for.

use super::batch::BatchHeader;
use super::error::{Fault, Field, RecordsError};
use super::header::Headers;
use super::varint::{take_signed, take_signed_long};
use crate::types::Offset;

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Milliseconds since 1970; when the broker appended the batch if the topic says so.
    pub timestamp: i64,
    /// The key; `None` when it has none.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, read when asked for.
    pub headers: Headers<'a>,
}

/// Where a record stands: one word in place of three slices, for records that outlive a borrow.
///
/// An owned record is a shared batch and this, two words in all: they travel through futures in
/// registers, where a larger one would be written and read back in pieces of different sizes, which
/// processors do not forward from store to load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordAt(u64);

impl RecordAt {
    #[inline(always)]
    fn new(start: usize, offset_delta: i32) -> Self {
        Self(u64::from(small(start)) << 32 | u64::from(offset_delta.cast_unsigned()))
    }

    /// Distance from the batch's base offset.
    #[inline]
    #[must_use]
    pub const fn offset_delta(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// Bytes from the start of the section to the record.
    #[inline]
    const fn start(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// The record itself, from the header and section that the walk had. `None` when they are
    /// others and have no record there.
    #[inline]
    #[must_use]
    pub fn read<'a>(self, header: &BatchHeader, section: &'a [u8]) -> Option<RecordRef<'a>> {
        let record = Parsed::take(&mut section.get(self.start()..)?).ok()?;
        let (base, mask) = timestamps(header);
        Some(RecordRef {
            offset: Offset(header.base_offset.0.saturating_add(i64::from(self.offset_delta()))),
            timestamp: base.saturating_add(record.timestamp & mask),
            key: record.key,
            value: record.value,
            headers: record.headers,
        })
    }
}

/// What timestamps count from, and the bits of a delta that count: none of them when the broker
/// stamped the batch.
#[inline]
const fn timestamps(header: &BatchHeader) -> (i64, i64) {
    if header.attributes.is_log_append_time() {
        (header.max_timestamp, 0)
    } else {
        (header.base_timestamp, -1)
    }
}

/// A walk over the records of one batch.
///
/// Yields as many records as the header announces, or an error: one too many, one too few and
/// bytes left over are all errors. After an error there is nothing more. Gaps between offsets are
/// what compaction leaves and are no error; an offset that does not move forward is.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: u32,
    next_delta: u32,
    batch: Origin,
}

/// A place in a walk, to go on from later without keeping the borrow.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// Bytes from here to the end of the section.
    rest: usize,
    left: u32,
    next_delta: u32,
}

/// What the deltas of records count from.
#[derive(Clone, Copy, Debug)]
struct Origin {
    base_offset: i64,
    /// What timestamps count from, or the timestamp of all records when the broker stamped them.
    base_timestamp: i64,
    /// All bits when timestamps count, none when the broker stamped the batch.
    timestamp_mask: i64,
    last_delta: u32,
    count: u32,
    /// Bytes of the whole section.
    section: usize,
}

impl<'a> Records<'a> {
    /// The records in `section`: the unpacked bytes behind the header.
    #[inline]
    #[must_use]
    pub fn new(header: &BatchHeader, section: &'a [u8]) -> Self {
        let (base_timestamp, timestamp_mask) = timestamps(header);
        let batch = Origin {
            base_offset: header.base_offset.0,
            base_timestamp,
            timestamp_mask,
            last_delta: header.last_offset_delta.cast_unsigned(),
            count: header.count,
            section: section.len(),
        };
        Self { rest: section, left: header.count, next_delta: 0, batch }
    }

    /// Where the walk is.
    #[inline]
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark { rest: self.rest.len(), left: self.left, next_delta: self.next_delta }
    }

    /// Goes on where another walk over the same section was.
    #[inline]
    pub fn resume(&mut self, mark: Mark) {
        let skipped = self.rest.len().saturating_sub(mark.rest);
        self.rest = self.rest.get(skipped..).unwrap_or_default();
        self.left = mark.left;
        self.next_delta = mark.next_delta;
    }

    /// How many records have not been yielded yet, by the header's word.
    #[inline]
    #[must_use]
    pub const fn announced(&self) -> u32 {
        self.left
    }

    /// The next record, checked as the iterator checks it, as the place where it stands.
    ///
    /// # Errors
    /// As the iterator.
    #[inline(always)]
    pub fn next_at(&mut self) -> Option<Result<RecordAt, RecordsError>> {
        let start = self.batch.section - self.rest.len();
        Some(self.step()?.map(|record| RecordAt::new(start, record.offset_delta)))
    }

    #[inline(always)]
    fn step(&mut self) -> Option<Result<Parsed<'a>, RecordsError>> {
        if self.left == 0 {
            return self.finish();
        }
        let parsed = Parsed::take(&mut self.rest).and_then(|record| self.rebase(record));
        match parsed {
            Ok(record) => {
                self.left -= 1;
                Some(Ok(record))
            }
            Err((field, fault)) => Some(Err(self.fail(field, fault))),
        }
    }

    /// Checks the offset's delta and makes the timestamp's a timestamp.
    #[inline(always)]
    fn rebase(&mut self, mut record: Parsed<'a>) -> Result<Parsed<'a>, Broken> {
        self.check_offset(record.offset_delta).map_err(|fault| (Field::Offset, fault))?;
        let delta = record.timestamp & self.batch.timestamp_mask;
        let timestamp = self.batch.base_timestamp.checked_add(delta);
        record.timestamp = timestamp.ok_or((Field::Timestamp, Fault::OutOfRange))?;
        Ok(record)
    }

    #[inline(always)]
    fn check_offset(&mut self, delta: i32) -> Result<(), Fault> {
        let delta = delta.cast_unsigned();
        if delta > self.batch.last_delta {
            return Err(Fault::OutOfRange);
        }
        if delta < self.next_delta {
            return Err(Fault::NotForward);
        }
        self.next_delta = delta + 1;
        Ok(())
    }

    #[inline]
    fn finish<T>(&mut self) -> Option<Result<T, RecordsError>> {
        if self.rest.is_empty() { None } else { Some(Err(self.fail(Field::End, Fault::Trailing))) }
    }

    /// Ends the walk. What is slow gets values, so that the walk itself can live in registers.
    #[inline(always)]
    fn fail(&mut self, field: Field, fault: Fault) -> RecordsError {
        let exhausted = self.rest.is_empty() && field == Field::Length;
        let (field, fault) = if exhausted { (Field::End, Fault::Missing) } else { (field, fault) };
        let ordinal = self.batch.count - self.left;
        self.left = 0;
        self.rest = &[];
        broken(self.batch.base_offset, ordinal, field, fault)
    }
}

#[cold]
#[inline(never)]
const fn broken(base_offset: i64, ordinal: u32, field: Field, fault: Fault) -> RecordsError {
    RecordsError::Record { base_offset, ordinal, field, fault }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordRef<'a>, RecordsError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.step()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(RecordRef {
            offset: Offset(self.batch.base_offset + i64::from(record.offset_delta)),
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
        }))
    }
}

/// A record as parsed, before the batch's base is added to its deltas.
///
/// What is not used by the caller costs nothing: all of it is inlined.
struct Parsed<'a> {
    /// As it stands in the record, a delta, until it is rebased.
    timestamp: i64,
    offset_delta: i32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Headers<'a>,
}

type Broken = (Field, Fault);

impl<'a> Parsed<'a> {
    #[inline(always)]
    fn take(rest: &mut &'a [u8]) -> Result<Self, Broken> {
        let body = take_part(rest, Field::Length)?.ok_or((Field::Length, Fault::OutOfRange))?;
        let (_attributes, mut body) =
            body.split_first().ok_or((Field::Attributes, Fault::Overrun))?;
        let timestamp = take_signed_long(&mut body).ok_or((Field::Timestamp, Fault::Overrun))?;
        let offset_delta = take_signed(&mut body).ok_or((Field::Offset, Fault::Overrun))?;
        let key = take_part(&mut body, Field::Key)?;
        let value = take_part(&mut body, Field::Value)?;
        let headers = Headers::open(body).map_err(|fault| (Field::Headers, fault))?;
        Ok(Self { timestamp, offset_delta, key, value, headers })
    }
}

/// Places inside a section come from 32-bit numbers, so they fit.
#[inline(always)]
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Takes a length and that many bytes; -1 is none.
#[inline(always)]
fn take_part<'a>(rest: &mut &'a [u8], field: Field) -> Result<Option<&'a [u8]>, Broken> {
    let length = take_signed(rest).ok_or((field, Fault::Overrun))?;
    match usize::try_from(length) {
        Ok(length) => match rest.split_at_checked(length) {
            Some((part, tail)) => {
                *rest = tail;
                Ok(Some(part))
            }
            None => Err((field, Fault::Overrun)),
        },
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err((field, Fault::OutOfRange)),
    }
}

#[cfg(test)]
mod tests;
