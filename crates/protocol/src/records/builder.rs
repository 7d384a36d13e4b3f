//! How does a batch come to be? Records in, one sealed batch out, encoded as they come.
//!
//! A record is written once, straight into the batch, and its size is known before. Who wrote the
//! batch is stamped on it when it is sent, which may be again and under another epoch: only then
//! is the checksum made.

use bytes::Bytes;
use thiserror::Error;

use super::batch::{Attributes, HEADER_LEN, MAGIC, PREFIX_LEN, ProduceKind, crc_of};
use super::codec::{Codec, CodecError, Compressor};
use super::header::Header;
use super::varint::{Numbers, length_len, signed_len};

/// Where the checksum stands in a batch.
const CRC_AT: usize = 17;

/// Where producer id, epoch and base sequence stand in a batch.
const PRODUCER_AT: usize = 43;

/// No record, and no batch, may be larger: their lengths have 31 bits.
const MOST: usize = 0x7fff_ffff;

/// A record to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

/// Who writes a batch. [`Default`] is a producer without idempotence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Producer {
    /// The producer's id; -1 is none.
    pub id: i64,
    /// The incarnation of the producer; -1 is none.
    pub epoch: i16,
    /// The sequence number of the batch's first record; -1 is none.
    pub base_sequence: i32,
}

impl Default for Producer {
    fn default() -> Self {
        Self { id: -1, epoch: -1, base_sequence: -1 }
    }
}

/// A record was not taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AppendError {
    /// The batch is full. It is unchanged; the record belongs into the next one.
    #[error("the batch has {size} bytes, the record needs {record}, the limit is {limit}")]
    Full {
        /// Bytes of the batch so far.
        size: usize,
        /// Bytes of the record.
        record: usize,
        /// Bytes that a batch may have.
        limit: usize,
    },
    /// The record fits into no batch at all.
    #[error("a record of {record} bytes fits into no batch; the format ends at 2 GiB")]
    TooLarge {
        /// Bytes of the record.
        record: usize,
    },
    /// The timestamp is too far from that of the batch's first record.
    #[error("timestamp {timestamp} is too far from {base}, that of the batch's first record")]
    Timestamp {
        /// The record's timestamp, in milliseconds since 1970.
        timestamp: i64,
        /// The timestamp of the first record.
        base: i64,
    },
}

/// An open batch: records are appended until it is full or has waited long enough.
#[derive(Debug)]
pub struct BatchBuilder {
    /// Room for the header, and the records behind it.
    bytes: Vec<u8>,
    limit: usize,
    /// Bytes of the last batch, which the next one will probably have too.
    last_size: usize,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch that takes records up to `limit` bytes, its header included. The first
    /// record is taken whatever its size.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit: limit.min(MOST),
            last_size: 0,
            count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
        }
    }

    /// As [`Self::new`], writing into a buffer that was used before; what it holds is dropped.
    #[must_use]
    pub fn with_buffer(limit: usize, buffer: Vec<u8>) -> Self {
        Self { bytes: buffer, ..Self::new(limit) }
    }

    /// The buffer, to be used again; without room when the last batch took it along.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes that the batch has now, not packed, its header included.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.count == 0 { HEADER_LEN } else { self.bytes.len() }
    }

    /// How many records were appended.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether no record was appended yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends a record; yields its ordinal in the batch.
    ///
    /// # Errors
    /// When the batch is full, or the record cannot be in it. The batch is unchanged then.
    #[inline]
    pub fn append(&mut self, record: &NewRecord<'_>) -> Result<u32, AppendError> {
        let base = if self.count == 0 { record.timestamp } else { self.base_timestamp };
        let Some(timestamp_delta) = record.timestamp.checked_sub(base) else {
            return Err(AppendError::Timestamp { timestamp: record.timestamp, base });
        };
        let deltas = Deltas { timestamp: timestamp_delta, offset: self.count };
        let body = body_len(record, deltas);
        let size = length_len(body) + body;
        self.check_room(size)?;
        if self.count == 0 {
            self.begin(size);
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        if self.bytes.capacity() - self.bytes.len() < size + SLACK {
            self.grow(size + SLACK);
        }
        put_record(&mut self.bytes, record, deltas, body);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
        Ok(deltas.offset)
    }

    #[inline]
    fn check_room(&self, record: usize) -> Result<(), AppendError> {
        if self.size() + record <= self.limit {
            return Ok(());
        }
        if record > MOST - HEADER_LEN {
            return Err(AppendError::TooLarge { record });
        }
        if self.count == 0 {
            return Ok(());
        }
        Err(AppendError::Full { size: self.size(), record, limit: self.limit })
    }

    #[cold]
    fn begin(&mut self, record: usize) {
        self.bytes.clear();
        self.bytes.reserve(self.last_size.max(HEADER_LEN + record) + SLACK);
        self.bytes.resize(HEADER_LEN, 0);
    }

    /// Doubles the buffer, but not beyond what the batch may hold: a full one wastes nothing.
    #[cold]
    fn grow(&mut self, needed: usize) {
        let len = self.bytes.len();
        let most = self.limit.saturating_add(SLACK).saturating_sub(len);
        self.bytes.reserve_exact(len.min(most).max(needed));
    }

    /// Packs the records and closes the batch; the builder is empty again. `None` without records.
    ///
    /// # Errors
    /// When the codec was not built in. The builder keeps its records then.
    pub fn seal(
        &mut self,
        codec: Codec,
        kind: ProduceKind,
        compressor: &mut Compressor,
    ) -> Result<Option<SealedBatch>, CodecError> {
        let closed = self.close(codec, kind, compressor)?;
        Ok(closed.map(|closed| closed.stamp(Producer::default())))
    }

    /// As [`Self::seal`], for a batch whose writer is not known yet.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn close(
        &mut self,
        codec: Codec,
        kind: ProduceKind,
        compressor: &mut Compressor,
    ) -> Result<Option<ClosedBatch>, CodecError> {
        if self.count == 0 {
            return Ok(None);
        }
        self.last_size = self.bytes.len();
        let mut bytes = if codec == Codec::None {
            std::mem::take(&mut self.bytes)
        } else {
            self.pack(codec, compressor)?
        };
        let summary = Summary {
            base_offset: 0,
            attributes: Attributes::for_produce(codec, kind),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            count: self.count,
        };
        summary.write(&mut bytes);
        self.bytes.clear();
        self.count = 0;
        Ok(Some(ClosedBatch { bytes, summary }))
    }

    fn pack(&self, codec: Codec, compressor: &mut Compressor) -> Result<Vec<u8>, CodecError> {
        let records = self.bytes.get(HEADER_LEN..).unwrap_or_default();
        let body = compressor.pack(codec, records)?;
        let mut packed = Vec::with_capacity(HEADER_LEN + body.len());
        packed.resize(HEADER_LEN, 0);
        packed.extend_from_slice(body);
        Ok(packed)
    }
}

/// A batch that takes no more records and lacks its writer, and so its checksum.
#[derive(Clone, Debug)]
pub struct ClosedBatch {
    bytes: Vec<u8>,
    summary: Summary,
}

impl ClosedBatch {
    /// How many bytes it has.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many records are in it.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.summary.count
    }

    /// Says who sends the batch.
    #[must_use]
    pub fn stamp(self, producer: Producer) -> SealedBatch {
        let Self { bytes, summary } = self;
        let mut sealed = SealedBatch { bytes, summary };
        sealed.stamp(producer);
        sealed
    }
}

/// Writes another sender into a copy of a sealed batch.
#[must_use]
pub fn restamped(batch: &[u8], producer: Producer) -> Vec<u8> {
    let mut bytes = batch.to_vec();
    put_producer(&mut bytes, producer);
    bytes
}

/// A closed batch, ready to be sent.
#[derive(Clone, Debug)]
pub struct SealedBatch {
    bytes: Vec<u8>,
    summary: Summary,
}

impl SealedBatch {
    /// Writes who sends the batch, and the checksum over all of it. Can be done again.
    pub fn stamp(&mut self, producer: Producer) {
        put_producer(&mut self.bytes, producer);
    }

    /// All bytes of the batch, as they go into a Produce request.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As [`Self::bytes`], cheap to share; no more stamping then.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }

    /// How many records are in it.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.summary.count
    }

    /// The timestamp of its first record, in milliseconds since 1970.
    #[must_use]
    pub const fn base_timestamp(&self) -> i64 {
        self.summary.base_timestamp
    }

    /// Its latest timestamp, in milliseconds since 1970.
    #[must_use]
    pub const fn max_timestamp(&self) -> i64 {
        self.summary.max_timestamp
    }
}

/// What the header of a new batch says, but for its producer and its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) base_offset: i64,
    pub(super) attributes: Attributes,
    pub(super) last_offset_delta: u32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) count: u32,
}

impl Summary {
    /// Writes the header over the first [`HEADER_LEN`] bytes of a batch; the producer is none.
    pub(super) fn write(&self, batch: &mut [u8]) {
        let length = u32::try_from(batch.len().saturating_sub(PREFIX_LEN)).unwrap_or(u32::MAX);
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend_from_slice(&self.base_offset.to_be_bytes());
        header.extend_from_slice(&length.to_be_bytes());
        // The broker sets the leader epoch when it appends the batch.
        header.extend_from_slice(&(-1_i32).to_be_bytes());
        header.extend_from_slice(&MAGIC.to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&self.attributes.0.to_be_bytes());
        header.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        header.extend_from_slice(&self.base_timestamp.to_be_bytes());
        header.extend_from_slice(&self.max_timestamp.to_be_bytes());
        header.extend_from_slice(&[0xff; 14]);
        header.extend_from_slice(&self.count.to_be_bytes());
        put_at(batch, 0, &header);
    }
}

/// Writes who sends a batch, and the checksum over all of it.
fn put_producer(batch: &mut [u8], producer: Producer) {
    let mut fields = [0; 14];
    let (id, rest) = fields.split_at_mut(8);
    let (epoch, sequence) = rest.split_at_mut(2);
    id.copy_from_slice(&producer.id.to_be_bytes());
    epoch.copy_from_slice(&producer.epoch.to_be_bytes());
    sequence.copy_from_slice(&producer.base_sequence.to_be_bytes());
    put_at(batch, PRODUCER_AT, &fields);
    put_crc(batch);
}

/// Writes the checksum of a batch whose other bytes are final.
pub(super) fn put_crc(batch: &mut [u8]) {
    let crc = crc_of(batch);
    put_at(batch, CRC_AT, &crc.to_be_bytes());
}

fn put_at(batch: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = batch.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// What a record says relative to its batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deltas {
    pub(super) timestamp: i64,
    pub(super) offset: u32,
}

/// Bytes of a record behind its length.
#[inline]
pub(super) fn body_len(record: &NewRecord<'_>, deltas: Deltas) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|header| part_len(Some(header.key)) + part_len(header.value))
        .fold(0, usize::saturating_add);
    1 + signed_len(deltas.timestamp)
        + signed_len(deltas.offset.into())
        + part_len(record.key)
        + part_len(record.value)
        + length_len(record.headers.len())
        + headers
}

#[inline]
fn part_len(part: Option<&[u8]>) -> usize {
    part.map_or(1, |part| length_len(part.len()) + part.len())
}

/// Appends a record whose body has `body` bytes.
#[inline]
pub(super) fn put_record(out: &mut Vec<u8>, record: &NewRecord<'_>, deltas: Deltas, body: usize) {
    out.reserve(body + SLACK);
    let mut numbers = Numbers::new(out);
    numbers.length(body);
    numbers.byte(0);
    numbers.signed(deltas.timestamp);
    numbers.signed(deltas.offset.into());
    put_part(&mut numbers, record.key);
    put_part(&mut numbers, record.value);
    numbers.length(record.headers.len());
    for header in record.headers {
        put_part(&mut numbers, Some(header.key));
        put_part(&mut numbers, header.value);
    }
    numbers.flush();
}

/// More than the length of a record and the room that numbers are written into.
const SLACK: usize = 16;

#[inline(always)]
fn put_part(numbers: &mut Numbers<'_>, part: Option<&[u8]>) {
    match part {
        Some(part) => {
            numbers.length(part.len());
            numbers.bytes(part);
        }
        None => numbers.signed(-1),
    }
}

#[cfg(test)]
mod tests;
