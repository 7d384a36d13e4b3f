//! One batch: is it whole, and what do its records hold?

use crc_fast::crc32_iscsi;

use forebay_protocol::records::codec::{Codec, Decompressor, Scratch};

/// Bytes of a batch in front of its records.
pub(super) const HEADER: usize = 61;
/// Where the CRC lies, and where the bytes start that it covers.
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;
/// No batch here unpacks to more.
const UNPACKED: usize = 64 << 20;

/// What has been walked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Records.
    pub(crate) records: u64,
    /// Bytes of their values.
    pub(crate) value_bytes: u64,
    /// Sum of the first byte of each value.
    pub(crate) checksum: u64,
    /// Bytes of the batches they came in.
    pub(crate) batch_bytes: u64,
}

/// Fields of a batch's header, read where they are needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a>(&'a [u8; HEADER]);

impl<'a> Header<'a> {
    fn field<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
    }

    /// Base offset of the batch that starts with these bytes.
    pub(super) fn base(prefix: &[u8; 12]) -> i64 {
        prefix.first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes))
    }

    /// Bytes of the whole batch that starts with these bytes; `None` below zero.
    pub(super) fn whole_len(prefix: &[u8; 12]) -> Option<usize> {
        let length = i32::from_be_bytes(*prefix.last_chunk()?);
        usize::try_from(length).ok()?.checked_add(12).filter(|len| *len >= HEADER)
    }
}

/// Checks, inflates and walks batches, and counts what it saw.
pub(super) struct Walker {
    decompressor: Decompressor,
    scratch: Scratch,
    pub(super) tally: Tally,
}

impl Walker {
    pub(super) fn new() -> Self {
        Self {
            decompressor: Decompressor::new(),
            scratch: Scratch::default(),
            tally: Tally::default(),
        }
    }

    /// Walks one whole batch; the offset after it, or `None` if it is broken.
    pub(super) fn batch(&mut self, batch: &[u8]) -> Option<i64> {
        let (header, body) = batch.split_first_chunk::<HEADER>()?;
        let header = Header(header);
        let crc = u32::from_be_bytes(header.field(CRC_AT));
        if crc32_iscsi(batch.get(CRC_FROM..)?) != crc {
            return None;
        }
        let [_, attributes] = header.field(21);
        let records = match Codec::from_id(attributes & 7)? {
            Codec::None => body,
            codec @ (Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd) => {
                let into = &mut self.scratch;
                self.decompressor.decompress(codec, body, UNPACKED, into).ok()?;
                into.as_slice()
            }
        };
        let count = i32::from_be_bytes(header.field(57));
        // Control batches mark the ends of transactions and hold nothing for consumers.
        if attributes & 0x20 == 0 {
            walk(records, count, &mut self.tally)?;
        }
        self.tally.batch_bytes += u64::try_from(batch.len()).ok()?;
        let last_delta = i32::from_be_bytes(header.field(23));
        Some(i64::from_be_bytes(header.field(0)) + i64::from(last_delta) + 1)
    }
}

/// Reads every field of every record, headers as one piece, and touches each value.
#[inline]
fn walk(mut records: &[u8], count: i32, tally: &mut Tally) -> Option<()> {
    for _ in 0..count {
        let len = varint(&mut records)?;
        let (mut record, rest) = records.split_at_checked(usize::try_from(len).ok()?)?;
        records = rest;
        // Attributes, timestamp delta, offset delta.
        record = record.get(1..)?;
        varint(&mut record)?;
        varint(&mut record)?;
        piece(&mut record)?;
        let value = piece(&mut record)?;
        tally.value_bytes += u64::try_from(value.len()).ok()?;
        tally.checksum += u64::from(value.first().copied().unwrap_or(0));
    }
    tally.records += u64::try_from(count).ok()?;
    Some(())
}

/// A key or value; a null one counts as empty.
#[inline]
fn piece<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = varint(from)?;
    let (piece, rest) = from.split_at_checked(usize::try_from(len).unwrap_or(0))?;
    *from = rest;
    Some(piece)
}

/// A zigzag varint. One and two bytes are nearly all there are, so they come first.
#[inline]
fn varint(from: &mut &[u8]) -> Option<i64> {
    match **from {
        [low, ref rest @ ..] if low < 0x80 => {
            *from = rest;
            Some(unzigzag(u64::from(low)))
        }
        [low, high, ref rest @ ..] if high < 0x80 => {
            *from = rest;
            Some(unzigzag(u64::from(low & 0x7f) | u64::from(high) << 7))
        }
        _ => long_varint(from),
    }
}

#[cold]
fn long_varint(from: &mut &[u8]) -> Option<i64> {
    let mut value = 0;
    for (index, byte) in from.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *from = from.get(index + 1..)?;
            return Some(unzigzag(value));
        }
    }
    None
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
