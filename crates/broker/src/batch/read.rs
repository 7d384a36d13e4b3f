//! Walks the records of one batch, checking every length against the bytes that are there.

use bytes::Bytes;

use super::{HEAD, Head, Refusal, inflate};
use crate::code::ErrorCode;

/// One record as it stands in its batch.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Its offset less the batch's base offset.
    pub offset_delta: i32,
    /// Its time less the batch's base timestamp, in milliseconds.
    pub timestamp_delta: i64,
    /// The key, when there is one.
    pub key: Option<&'a [u8]>,
    /// The value; a tombstone has none.
    pub value: Option<&'a [u8]>,
    /// Names and values, in order, duplicates kept.
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// All of it as it stands in the batch, its length in front.
    pub raw: &'a [u8],
}

/// Shows every record of a whole batch to `see`.
pub(crate) fn walk(batch: &[u8], head: &Head, see: impl FnMut(Record<'_>)) -> Result<(), Refusal> {
    walk_body(batch.get(HEAD..).unwrap_or_default(), head, see)
}

/// The same with the bytes behind the head.
pub(crate) fn walk_body(
    body: &[u8],
    head: &Head,
    mut see: impl FnMut(Record<'_>),
) -> Result<(), Refusal> {
    let inflated;
    let mut rest = match head.codec() {
        0 => body,
        codec => {
            inflated = inflate::inflate(codec, body)?;
            inflated.as_slice()
        }
    };
    for _ in 0..head.record_count {
        let (record, after) = record(rest).ok_or_else(malformed)?;
        see(record);
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(malformed()) }
}

/// Reads the records of a whole batch as `(offset, timestamp)`, in order.
pub(crate) fn places(batch: &Bytes, head: &Head) -> Result<Vec<(i64, i64)>, Refusal> {
    let mut places = Vec::new();
    walk(batch, head, |record| {
        let time = if head.is_log_append_time() {
            head.max_timestamp
        } else {
            head.base_timestamp.saturating_add(record.timestamp_delta)
        };
        places.push((head.base_offset.saturating_add(record.offset_delta.into()), time));
    })?;
    Ok(places)
}

fn malformed() -> Refusal {
    Refusal::new(ErrorCode::INVALID_RECORD, "the batch's bytes are not the records it announces")
}

/// The record at the front, and what comes after it.
fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (len, own) = varint(bytes)?;
    let (own, after) = own.split_at_checked(usize::try_from(len).ok()?)?;
    let raw = bytes.get(..bytes.len().checked_sub(after.len())?)?;
    let (_attributes, own) = own.split_first()?;
    let (timestamp_delta, own) = varint(own)?;
    let (offset_delta, own) = varint(own)?;
    let (key, own) = field(own)?;
    let (value, own) = field(own)?;
    let headers = headers(own)?;
    let offset_delta = i32::try_from(offset_delta).ok()?;
    Some((Record { offset_delta, timestamp_delta, key, value, headers, raw }, after))
}

type Headers<'a> = Vec<(&'a [u8], Option<&'a [u8]>)>;

fn headers(bytes: &[u8]) -> Option<Headers<'_>> {
    let (count, mut bytes) = varint(bytes)?;
    let count = usize::try_from(count).ok().filter(|count| *count <= bytes.len())?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let (name, rest) = field(bytes)?;
        let (value, rest) = field(rest)?;
        headers.push((name?, value));
        bytes = rest;
    }
    bytes.is_empty().then_some(headers)
}

/// Bytes with their length in front; -1 is null.
fn field(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (len, bytes) = varint(bytes)?;
    if len == -1 {
        return Some((None, bytes));
    }
    let (own, after) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
    Some((Some(own), after))
}

/// A zigzagged number of at most 64 bits.
fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(index).ok()? * 7)?;
        if byte & 0x80 == 0 {
            let number = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}
