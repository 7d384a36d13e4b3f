//! What does a batch say of itself? A view over the bytes of one v2 batch; nothing is copied.

use crc_fast::{CrcAlgorithm, checksum};

use super::codec::{Codec, Decompressor, Scratch};
use super::error::{BatchFault, HeaderField, RecordsError};
use super::record::Records;
use crate::types::{LeaderEpoch, Offset, Position};

/// Bytes in front of the records of a v2 batch.
pub const HEADER_LEN: usize = 61;

/// Bytes of base offset and length, which the length field does not count.
pub const PREFIX_LEN: usize = 12;

/// Where the bytes begin that the checksum covers: after base offset, length, epoch, magic, crc.
const CRC_FROM: usize = 21;

/// The smallest length field of a v2 batch.
const LEAST_LENGTH: i32 = 49;

/// The record format that this module reads.
pub const MAGIC: i8 = 2;

/// The flags of a batch: codec, timestamp type, transactional, control, delete horizon.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0b111;
    const LOG_APPEND_TIME: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;
    const DELETE_HORIZON: i16 = 1 << 6;

    /// The codec bits, 0 to 7; [`Codec::from_id`] knows 0 to 4.
    #[must_use]
    pub const fn codec_id(self) -> u8 {
        let [low, _] = (self.0 & Self::CODEC).to_le_bytes();
        low
    }

    #[inline]
    fn codec(self) -> Result<Codec, BatchFault> {
        let found = self.codec_id();
        Codec::from_id(found).ok_or(BatchFault::UnknownCodec { found })
    }

    /// Whether the broker stamped the batch when it appended it (`LogAppendTime`).
    #[must_use]
    pub const fn is_log_append_time(self) -> bool {
        self.0 & Self::LOG_APPEND_TIME != 0
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch carries a marker for clients and no records of users.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is the time after which the cleaner may drop tombstones
    /// (KIP-534). Record timestamps are then still relative to the base timestamp field.
    #[must_use]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The flags of a batch that a producer sends.
    #[must_use]
    pub const fn for_produce(codec: Codec, kind: ProduceKind) -> Self {
        let flag = match kind {
            ProduceKind::Plain => 0,
            ProduceKind::Transactional => Self::TRANSACTIONAL,
        };
        Self(flag | codec.id() as i16)
    }
}

/// Whether a produced batch belongs to a transaction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "one bit of the format")]
pub enum ProduceKind {
    /// Visible as soon as it is replicated.
    #[default]
    Plain,
    /// Visible to `read_committed` readers once its transaction is committed.
    Transactional,
}

/// The numbers in front of the records of a v2 batch, checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchHeader {
    /// The first offset; the record there may be gone by compaction.
    pub base_offset: Offset,
    /// Bytes of the whole batch, base offset and length included.
    pub size: usize,
    /// The leadership in which the batch was appended.
    pub leader_epoch: LeaderEpoch,
    /// The checksum that the header announces; see [`Batch::check_crc`].
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// The codec of the attributes.
    pub codec: Codec,
    /// The distance of the last offset from the first; never negative.
    pub last_offset_delta: i32,
    /// What the timestamps of records count from, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The latest timestamp of the batch, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// Who wrote it; -1 without idempotence.
    pub producer_id: i64,
    /// Which incarnation of the producer wrote it; -1 without idempotence.
    pub producer_epoch: i16,
    /// The sequence number of the first record; -1 without idempotence.
    pub base_sequence: i32,
    /// How many records the batch announces. Not to be used as an allocation size.
    pub count: u32,
}

impl BatchHeader {
    /// Reads the first [`HEADER_LEN`] bytes of a batch. The records need not be there yet.
    ///
    /// # Errors
    /// When there are fewer bytes, when it is no v2 batch, or when a number cannot be.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<Self, RecordsError> {
        let Some(raw) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(truncated(-1, HEADER_LEN, bytes.len()));
        };
        let raw = Raw::read(raw);
        raw.check().map_err(|fault| RecordsError::Batch { base_offset: raw.base_offset, fault })
    }

    /// The position after the last offset of this batch, whether its records are still there.
    #[inline]
    #[must_use]
    pub const fn next_position(&self) -> Position {
        Position(self.base_offset.0 + self.last_offset_delta as i64 + 1)
    }

    /// The last offset of this batch.
    #[inline]
    #[must_use]
    pub const fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0 + self.last_offset_delta as i64)
    }
}

/// The header fields as they stand in the bytes.
struct Raw {
    base_offset: i64,
    length: i32,
    leader_epoch: i32,
    magic: i8,
    crc: u32,
    attributes: i16,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    count: i32,
}

impl Raw {
    #[inline]
    #[rustfmt::skip]
    const fn read(b: &[u8; HEADER_LEN]) -> Self {
        Self {
            base_offset: i64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
            length: i32::from_be_bytes([b[8], b[9], b[10], b[11]]),
            leader_epoch: i32::from_be_bytes([b[12], b[13], b[14], b[15]]),
            magic: b[16].cast_signed(),
            crc: u32::from_be_bytes([b[17], b[18], b[19], b[20]]),
            attributes: i16::from_be_bytes([b[21], b[22]]),
            last_offset_delta: i32::from_be_bytes([b[23], b[24], b[25], b[26]]),
            base_timestamp: i64::from_be_bytes([b[27], b[28], b[29], b[30], b[31], b[32], b[33], b[34]]),
            max_timestamp: i64::from_be_bytes([b[35], b[36], b[37], b[38], b[39], b[40], b[41], b[42]]),
            producer_id: i64::from_be_bytes([b[43], b[44], b[45], b[46], b[47], b[48], b[49], b[50]]),
            producer_epoch: i16::from_be_bytes([b[51], b[52]]),
            base_sequence: i32::from_be_bytes([b[53], b[54], b[55], b[56]]),
            count: i32::from_be_bytes([b[57], b[58], b[59], b[60]]),
        }
    }

    #[inline]
    fn check(&self) -> Result<BatchHeader, BatchFault> {
        let attributes = Attributes(self.attributes);
        Ok(BatchHeader {
            base_offset: Offset(self.base_offset),
            size: self.size()?,
            leader_epoch: LeaderEpoch(self.leader_epoch),
            crc: self.crc,
            attributes,
            codec: attributes.codec()?,
            last_offset_delta: self.last_offset_delta()?,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            count: u32::try_from(self.count)
                .map_err(|_| header_fault(HeaderField::Count, self.count.into()))?,
        })
    }

    #[inline]
    fn size(&self) -> Result<usize, BatchFault> {
        if self.magic != MAGIC {
            return Err(BatchFault::Magic { found: self.magic });
        }
        match usize::try_from(self.length) {
            Ok(length) if self.length >= LEAST_LENGTH => Ok(length + PREFIX_LEN),
            _ => Err(BatchFault::Length { found: self.length, least: LEAST_LENGTH }),
        }
    }

    #[inline]
    fn last_offset_delta(&self) -> Result<i32, BatchFault> {
        let delta = self.last_offset_delta;
        if self.base_offset < 0 || self.base_offset > i64::MAX - i64::from(i32::MAX) - 1 {
            return Err(header_fault(HeaderField::BaseOffset, self.base_offset));
        }
        if delta < 0 {
            return Err(header_fault(HeaderField::LastOffsetDelta, delta.into()));
        }
        Ok(delta)
    }
}

/// One v2 batch: its header, and all of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Cuts the first batch off `bytes`: the batch, and what follows it.
    ///
    /// # Errors
    /// When the bytes do not begin with a whole v2 batch.
    #[inline]
    pub fn split_first(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RecordsError> {
        let header = BatchHeader::read(bytes)?;
        let Some((bytes, rest)) = bytes.split_at_checked(header.size) else {
            return Err(truncated(header.base_offset.0, header.size, bytes.len()));
        };
        Ok((Self { header, bytes }, rest))
    }

    /// The numbers in front of the records.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, packed as [`BatchHeader::codec`] says.
    #[inline]
    #[must_use]
    pub fn section(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// Compares the checksum (CRC-32C over everything after it) with the header's.
    ///
    /// # Errors
    /// [`BatchFault::Crc`] when they differ.
    #[inline]
    pub fn check_crc(&self) -> Result<(), RecordsError> {
        let found = crc_of(self.bytes);
        if found == self.header.crc {
            return Ok(());
        }
        let fault = BatchFault::Crc { expected: self.header.crc, found };
        Err(RecordsError::Batch { base_offset: self.header.base_offset.0, fault })
    }

    /// The records, unpacked: those of the batch itself if it has no codec, else into `scratch`.
    ///
    /// # Errors
    /// When the codec was not built in, when the data is corrupt, or when it unpacks to more than
    /// `limit` bytes; `scratch` never grows beyond that.
    #[inline]
    pub fn unpack<'b>(
        &self,
        decompressor: &mut Decompressor,
        limit: usize,
        scratch: &'b mut Scratch,
    ) -> Result<&'b [u8], RecordsError>
    where
        'a: 'b,
    {
        if self.header.codec == Codec::None {
            return Ok(self.section());
        }
        let base_offset = self.header.base_offset.0;
        decompressor
            .decompress(self.header.codec, self.section(), limit, scratch)
            .map_err(|fault| RecordsError::Codec { base_offset, fault })?;
        Ok(scratch.as_slice())
    }

    /// A walk over the records, if they are not packed; else [`Self::unpack`] them and use
    /// [`Records::new`].
    #[inline]
    #[must_use]
    pub fn records(&self) -> Option<Records<'a>> {
        (self.header.codec == Codec::None).then(|| Records::new(&self.header, self.section()))
    }
}

/// The batches of a stretch of bytes, one after the other. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// The batches in `bytes`, which must hold whole batches only.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, RecordsError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let first = Batch::split_first(self.rest);
        self.rest = first.as_ref().map_or(&[], |(_, rest)| rest);
        Some(first.map(|(batch, _)| batch))
    }
}

/// The checksum of a whole batch's bytes, as it must stand in its header.
pub(super) fn crc_of(batch: &[u8]) -> u32 {
    let covered = batch.get(CRC_FROM..).unwrap_or_default();
    // The algorithm has 32 bits, so nothing is cut off.
    u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, covered)).unwrap_or(u32::MAX)
}

fn truncated(base_offset: i64, needed: usize, found: usize) -> RecordsError {
    let fault = BatchFault::Truncated { needed: needed as u64, found: found as u64 };
    RecordsError::Batch { base_offset, fault }
}

fn header_fault(field: HeaderField, found: i64) -> BatchFault {
    BatchFault::Header { field, found }
}

#[cfg(test)]
mod tests;
