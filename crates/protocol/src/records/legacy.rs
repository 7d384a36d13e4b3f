//! What did clients before 0.11 write? Messages of the formats v0 and v1, read and made into v2.
//!
//! ```text
//! offset i64   size i32   crc u32   magic i8   attributes i8   [timestamp i64]   key   value
//! ```
//!
//! A packed message wraps others in its value. Inside a v0 wrapper offsets are absolute, inside a
//! v1 wrapper they count from 0 and the wrapper has the last one. Such data is old and rare, so it
//! is checked, unpacked and written anew as v2 batches: nobody behind this module knows of it.

use crc_fast::{CrcAlgorithm, checksum};

use super::batch::{Attributes, HEADER_LEN};
use super::builder::{Deltas, NewRecord, Summary, body_len, put_crc, put_record};
use super::codec::{Codec, CodecError, Decompressor, Scratch};
use super::error::{BatchFault, Fault, Field, HeaderField, RecordsError};

/// Attribute bits 0 to 2.
const CODEC: u8 = 0b111;

/// Attribute bit 3, in v1.
const LOG_APPEND_TIME: u8 = 1 << 3;

/// Size field of the smallest message: checksum, magic, attributes, two lengths.
const LEAST: i32 = 14;

/// Where the magic byte stands, in all formats.
const MAGIC_AT: usize = 16;

/// As much as is converted at once, in bytes: work for a while, and little to keep.
const ENOUGH: usize = 256 << 10;

/// Whether `bytes` begin with a message of the formats v0 and v1, which
/// [`LegacyReader::convert`] reads, and not with a batch.
#[must_use]
pub fn is_legacy(bytes: &[u8]) -> bool {
    matches!(bytes.get(MAGIC_AT), Some(0 | 1))
}

/// One message as it stands in the bytes, its checksum verified.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    offset: i64,
    magic: i8,
    attributes: u8,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

/// Makes messages of the formats v0 and v1 into v2 batches.
///
/// Keeps the buffers that it needs. One per worker, made when the first such message is met.
#[derive(Debug, Default)]
pub struct LegacyReader {
    scratch: Scratch,
}

impl LegacyReader {
    /// A reader without buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads messages off the front of `bytes` and appends them to `out` as plain v2 batches with
    /// valid checksums; yields how many of the bytes were read.
    ///
    /// Stops at the end of the bytes, at a v2 batch, in front of a message that cannot be read,
    /// or when `out` has more than 256 KiB: call again with the rest then. No message is unpacked
    /// to more than `limit` bytes.
    ///
    /// # Errors
    /// When the first message cannot be read; `out` is as it was then.
    pub fn convert(
        &mut self,
        bytes: &[u8],
        decompressor: &mut Decompressor,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, RecordsError> {
        let mut writer = Writer { out, open: None, floor: 0 };
        let mut rest = bytes;
        while is_legacy(rest) && writer.out.len() <= ENOUGH {
            let place = writer.place();
            match self.convert_one(rest, decompressor, limit, &mut writer) {
                Ok(after) => rest = after,
                Err(error) => {
                    writer.go_back(place);
                    if rest.len() == bytes.len() {
                        return Err(error);
                    }
                    break;
                }
            }
        }
        writer.close();
        Ok(bytes.len() - rest.len())
    }

    /// Converts the first message of `bytes`; yields what follows it.
    fn convert_one<'a>(
        &mut self,
        bytes: &'a [u8],
        decompressor: &mut Decompressor,
        limit: usize,
        writer: &mut Writer<'_>,
    ) -> Result<&'a [u8], RecordsError> {
        let mut rest = bytes;
        let message = Message::take(&mut rest)?;
        let codec = message.codec()?;
        if codec == Codec::None {
            writer.put(&message)?;
            return Ok(rest);
        }
        let packed = message.value.unwrap_or_default();
        decompressor
            .decompress_message(codec, packed, limit, &mut self.scratch)
            .map_err(|fault| message.codec_error(fault))?;
        message.unwrap(self.scratch.as_slice(), writer)?;
        Ok(rest)
    }
}

impl<'a> Message<'a> {
    /// Takes the first message off `rest`.
    fn take(rest: &mut &'a [u8]) -> Result<Self, RecordsError> {
        let mut reader = Reader { offset: -1, rest };
        let offset = i64::from_be_bytes(reader.array()?);
        reader.offset = offset;
        let size = i32::from_be_bytes(reader.array()?);
        let body = match usize::try_from(size) {
            Ok(bytes) if size >= LEAST => reader.bytes(bytes)?,
            _ => return Err(batch_error(offset, BatchFault::Length { found: size, least: LEAST })),
        };
        let after = reader.rest;
        let message = Self::read(Reader { offset, rest: body })?;
        *rest = after;
        Ok(message)
    }

    fn read(mut body: Reader<'a>) -> Result<Self, RecordsError> {
        let offset = body.offset;
        let expected = u32::from_be_bytes(body.array()?);
        let found = crc32(body.rest);
        if expected != found {
            return Err(batch_error(offset, BatchFault::Crc { expected, found }));
        }
        let [magic] = body.array()?;
        let magic = magic.cast_signed();
        let [attributes] = body.array()?;
        let timestamp = match magic {
            0 => -1,
            1 => i64::from_be_bytes(body.array()?),
            found => return Err(batch_error(offset, BatchFault::Magic { found })),
        };
        if !(0..i64::MAX).contains(&offset) {
            let fault = BatchFault::Header { field: HeaderField::BaseOffset, found: offset };
            return Err(batch_error(offset, fault));
        }
        let key = body.part(Field::Key)?;
        let value = body.part(Field::Value)?;
        if !body.rest.is_empty() {
            return Err(record_error(offset, Field::End, Fault::Trailing));
        }
        Ok(Self { offset, magic, attributes, timestamp, key, value })
    }

    fn codec(&self) -> Result<Codec, RecordsError> {
        let found = self.attributes & CODEC;
        Codec::from_id(found)
            .filter(|codec| *codec != Codec::Zstd)
            .ok_or_else(|| batch_error(self.offset, BatchFault::UnknownCodec { found }))
    }

    const fn append_time(&self) -> Option<i64> {
        if self.magic == 1 && self.attributes & LOG_APPEND_TIME != 0 {
            Some(self.timestamp)
        } else {
            None
        }
    }

    /// Writes what a packed message wraps.
    fn unwrap(&self, inner: &[u8], writer: &mut Writer<'_>) -> Result<(), RecordsError> {
        let mut last = None;
        self.each(inner, |message| {
            last = Some(message.offset);
            Ok(())
        })?;
        let Some(last) = last else {
            return Err(record_error(self.offset, Field::Value, Fault::Missing));
        };
        // In v1 the wrapper has the offset of the last message it holds.
        let shift = if self.magic == 1 { self.offset.checked_sub(last) } else { Some(0) };
        let shift = shift.filter(|shift| *shift >= 0);
        let shift =
            shift.ok_or_else(|| record_error(self.offset, Field::Offset, Fault::OutOfRange))?;
        self.each(inner, |mut message| {
            // Only the last is known to fit; one above it is refused when it is written.
            message.offset = message.offset.saturating_add(shift);
            if let Some(time) = self.append_time() {
                message.timestamp = time;
                message.attributes |= LOG_APPEND_TIME;
            }
            writer.put(&message)
        })
    }

    fn each(
        &self,
        inner: &[u8],
        mut visit: impl FnMut(Message<'_>) -> Result<(), RecordsError>,
    ) -> Result<(), RecordsError> {
        let mut rest = inner;
        while !rest.is_empty() {
            let message = Message::take(&mut rest)?;
            if message.magic != self.magic || message.attributes & CODEC != 0 {
                return Err(batch_error(self.offset, BatchFault::Nested));
            }
            visit(message)?;
        }
        Ok(())
    }

    const fn codec_error(&self, fault: CodecError) -> RecordsError {
        RecordsError::Codec { base_offset: self.offset, fault }
    }
}

/// Reads numbers and bytes off the front of a message.
struct Reader<'a> {
    offset: i64,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, needed: usize) -> Result<&'a [u8], RecordsError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(needed) else {
            let found = self.rest.len() as u64;
            let fault = BatchFault::Truncated { needed: needed as u64, found };
            return Err(batch_error(self.offset, fault));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordsError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// A length and that many bytes; -1 is none.
    fn part(&mut self, field: Field) -> Result<Option<&'a [u8]>, RecordsError> {
        let length = i32::from_be_bytes(self.array()?);
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length)
            .map_err(|_| record_error(self.offset, field, Fault::OutOfRange))?;
        self.bytes(length).map(Some)
    }
}

/// Writes v2 batches of messages that belong together.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    open: Option<Open>,
    /// The lowest offset that the next message may have.
    floor: i64,
}

/// The batch that is being written.
#[derive(Clone, Copy)]
struct Open {
    start: usize,
    base_offset: i64,
    last_delta: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    append_time: Option<i64>,
    count: u32,
}

impl Open {
    /// Where the message stands in this batch, if it can.
    fn deltas(&self, message: &Message<'_>) -> Option<Deltas> {
        let offset = message.offset.checked_sub(self.base_offset)?;
        let offset = u32::try_from(i32::try_from(offset).ok()?).ok()?;
        let timestamp = message.timestamp.checked_sub(self.base_timestamp)?;
        (self.append_time == message.append_time()).then_some(Deltas { timestamp, offset })
    }
}

/// What a writer had written at some time.
struct Place {
    len: usize,
    open: Option<Open>,
    floor: i64,
}

impl Writer<'_> {
    fn place(&self) -> Place {
        Place { len: self.out.len(), open: self.open, floor: self.floor }
    }

    /// Forgets what was written since, of a message that turned out to be broken half-way.
    fn go_back(&mut self, place: Place) {
        self.out.truncate(place.len);
        self.open = place.open;
        self.floor = place.floor;
    }

    fn put(&mut self, message: &Message<'_>) -> Result<(), RecordsError> {
        if message.offset < self.floor {
            return Err(record_error(message.offset, Field::Offset, Fault::NotForward));
        }
        if message.offset == i64::MAX {
            return Err(record_error(message.offset, Field::Offset, Fault::OutOfRange));
        }
        self.floor = message.offset + 1;
        let deltas = self.open.as_ref().and_then(|open| open.deltas(message));
        let deltas = deltas.unwrap_or_else(|| {
            self.close();
            Deltas { timestamp: 0, offset: 0 }
        });
        let (start, out) = (self.out.len(), &mut *self.out);
        let open = self.open.get_or_insert_with(|| {
            out.resize(start + HEADER_LEN, 0);
            Open {
                start,
                base_offset: message.offset,
                last_delta: 0,
                base_timestamp: message.timestamp,
                max_timestamp: message.timestamp,
                append_time: message.append_time(),
                count: 0,
            }
        });
        let record = NewRecord {
            timestamp: message.timestamp,
            key: message.key,
            value: message.value,
            headers: &[],
        };
        put_record(out, &record, deltas, body_len(&record, deltas));
        open.last_delta = deltas.offset;
        open.max_timestamp = open.max_timestamp.max(message.timestamp);
        open.count += 1;
        Ok(())
    }

    /// Finishes the open batch.
    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let time_flag = if open.append_time.is_some() { i16::from(LOG_APPEND_TIME) } else { 0 };
        let summary = Summary {
            base_offset: open.base_offset,
            attributes: Attributes(time_flag),
            last_offset_delta: open.last_delta,
            base_timestamp: open.base_timestamp,
            max_timestamp: open.max_timestamp,
            count: open.count,
        };
        if let Some(batch) = self.out.get_mut(open.start..) {
            summary.write(batch);
            put_crc(batch);
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32IsoHdlc, bytes)).unwrap_or(u32::MAX)
}

const fn batch_error(base_offset: i64, fault: BatchFault) -> RecordsError {
    RecordsError::Batch { base_offset, fault }
}

const fn record_error(base_offset: i64, field: Field, fault: Fault) -> RecordsError {
    RecordsError::Record { base_offset, ordinal: 0, field, fault }
}

#[cfg(test)]
mod tests;
