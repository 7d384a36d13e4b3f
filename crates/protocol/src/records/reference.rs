//! What should a batch decode to? The slow, obvious decoder that the fast one is compared with.
//!
//! Written from the format's description, with wide numbers and copies everywhere.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    reason = "slow and obvious, for tests"
)]

/// A record with everything copied out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PlainRecord {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// The records of an unpacked v2 batch, or what is wrong with it.
pub(super) fn decode(batch: &[u8]) -> Result<Vec<PlainRecord>, &'static str> {
    let mut input = Input { bytes: batch.to_vec(), at: 0 };
    let base_offset = input.number(8)?;
    let length = input.number(4)?;
    input.number(4)?;
    let magic = input.number(1)?;
    input.number(4)?;
    let attributes = input.number(2)?;
    let last_delta = input.number(4)?;
    let base_timestamp = input.number(8)?;
    let max_timestamp = input.number(8)?;
    input.take(14)?;
    let count = input.number(4)?;
    if magic != 2 || attributes & 7 != 0 || length + 12 != batch.len() as i128 {
        return Err("not a whole, unpacked v2 batch");
    }
    if base_offset < 0 || last_delta < 0 || count < 0 {
        return Err("negative");
    }
    let mut records = Vec::new();
    let mut lowest = 0;
    for _ in 0..count {
        let size = input.varint(5)?;
        let size = usize::try_from(size).map_err(|_| "negative record")?;
        let mut record = Input { bytes: input.take(size)?, at: 0 };
        record.take(1)?;
        let timestamp_delta = record.varint(10)?;
        let offset_delta = record.varint(5)?;
        if offset_delta < lowest || offset_delta > last_delta {
            return Err("offset");
        }
        lowest = offset_delta + 1;
        let key = record.part()?;
        let value = record.part()?;
        let mut headers = Vec::new();
        let header_count = record.varint(5)?;
        if header_count < 0 {
            return Err("negative headers");
        }
        for _ in 0..header_count {
            headers.push((record.part()?.ok_or("null header key")?, record.part()?));
        }
        if record.at != record.bytes.len() {
            return Err("record goes on");
        }
        let timestamp =
            if attributes & 8 == 0 { base_timestamp + timestamp_delta } else { max_timestamp };
        records.push(PlainRecord {
            offset: i64::try_from(base_offset + offset_delta).map_err(|_| "offset")?,
            timestamp: i64::try_from(timestamp).map_err(|_| "timestamp")?,
            key,
            value,
            headers,
        });
    }
    if input.at != input.bytes.len() {
        return Err("batch goes on");
    }
    Ok(records)
}

struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl Input {
    fn take(&mut self, count: usize) -> Result<Vec<u8>, &'static str> {
        if count > self.bytes.len() - self.at {
            return Err("ends early");
        }
        self.at += count;
        Ok(self.bytes[self.at - count..self.at].to_vec())
    }

    /// A signed number of `width` bytes, the most significant first.
    fn number(&mut self, width: usize) -> Result<i128, &'static str> {
        let bytes = self.take(width)?;
        let value = bytes.iter().fold(0_i128, |value, byte| value << 8 | i128::from(*byte));
        let sign = 1_i128 << (8 * width - 1);
        Ok(if value >= sign { value - 2 * sign } else { value })
    }

    /// A zigzag varint of at most `longest` bytes that fits 32 or 64 bits.
    fn varint(&mut self, longest: usize) -> Result<i128, &'static str> {
        let mut value = 0_u128;
        for at in 0..longest {
            let byte = self.take(1)?[0];
            value |= u128::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                let bits = if longest == 5 { 32 } else { 64 };
                if value >> bits != 0 {
                    return Err("varint too wide");
                }
                let half = i128::try_from(value >> 1).map_err(|_| "wide")?;
                return Ok(if value & 1 == 0 { half } else { -half - 1 });
            }
        }
        Err("varint too long")
    }

    fn part(&mut self) -> Result<Option<Vec<u8>>, &'static str> {
        match self.varint(5)? {
            -1 => Ok(None),
            size => self.take(usize::try_from(size).map_err(|_| "negative")?).map(Some),
        }
    }
}
