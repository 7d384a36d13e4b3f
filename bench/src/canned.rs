//! Which batches does the replay broker hold, ready to be sent at any offset?

use clap::Args;
use crc_fast::crc32_iscsi;

use crate::cell::Cell;
use crate::error::Error;
use crate::values::Values;
use forebay_protocol::records::codec::{Codec, Compressor, Levels};

/// Bytes in front of a batch that its CRC does not cover and a broker may write: base offset,
/// length, leader epoch.
pub(crate) const HEAD: usize = 16;
/// About so many bytes of values lie ready, so that codecs and caches see variety.
const VARIETY: usize = 8 << 20;

/// When all batches begin: milliseconds since 1970.
const START: i64 = 1_700_000_000_000;
/// So many records share a millisecond.
const STEP: i32 = 16;

/// What one topic holds.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Shape {
    /// Bytes of each value.
    #[arg(long, default_value_t = 100)]
    pub(crate) record_size: usize,
    /// Bytes of each key; 0 leaves keys null.
    #[arg(long, default_value_t = 0)]
    pub(crate) key_size: usize,
    /// Headers of each record, 8 bytes each.
    #[arg(long, default_value_t = 0)]
    pub(crate) headers: usize,
    /// Records in one batch.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) records_per_batch: i32,
    /// Codec of every batch.
    #[arg(long, default_value = "none", value_parser = codec)]
    pub(crate) codec: Codec,
    /// Records that each partition pretends to hold.
    #[arg(long, default_value_t = 3_000_000)]
    pub(crate) records_per_partition: i64,
}

fn codec(name: &str) -> Result<Codec, String> {
    let known = Codec::ALL.into_iter().find(|codec| codec.name() == name);
    known.ok_or_else(|| "one of none, gzip, snappy, lz4, zstd".to_owned())
}

impl Shape {
    /// What a cell's topic holds: whole batches, so rather too much than too little.
    pub(crate) fn of(cell: &Cell) -> Self {
        let partitions = u64::try_from(cell.partitions).unwrap_or(1).max(1);
        let share = cell.records.div_ceil(partitions).cast_signed();
        Self {
            record_size: cell.record_size,
            key_size: 0,
            headers: 0,
            records_per_batch: cell.records_per_batch,
            codec: cell.codec,
            records_per_partition: share + i64::from(cell.records_per_batch) - 1,
        }
    }
}

/// A log without beginning: batches of one record count, repeated for ever.
#[derive(Debug)]
pub(crate) struct Canned {
    batches: Vec<Vec<u8>>,
    per_batch: i64,
    end: i64,
}

impl Canned {
    /// Makes the batches; the same bytes in every run.
    pub(crate) fn new(shape: &Shape) -> Result<Self, Error> {
        let per_batch = usize::try_from(shape.records_per_batch).unwrap_or(0).max(1);
        let count = (VARIETY / (per_batch * (shape.record_size + 10))).clamp(4, 512);
        let mut values = Values::new();
        let batches =
            (0..count).map(|_| batch(shape, &mut values)).collect::<Result<Vec<_>, _>>()?;
        let per_batch = i64::from(shape.records_per_batch.max(1));
        let end = shape.records_per_partition / per_batch * per_batch;
        Ok(Self { batches, per_batch, end })
    }

    /// The offset after the last record of every partition.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Bytes of a batch on average.
    pub(crate) fn mean_size(&self) -> usize {
        self.batches.iter().map(Vec::len).sum::<usize>() / self.batches.len().max(1)
    }

    /// The base offset of the batch that holds `offset`.
    pub(crate) fn base_of(&self, offset: i64) -> i64 {
        offset.max(0) / self.per_batch * self.per_batch
    }

    /// The base offset of the batch after the one at `base`.
    pub(crate) fn after(&self, base: i64) -> i64 {
        base + self.per_batch
    }

    /// The batch at `base` as it lies ready, its head unpatched; `None` from the end on.
    pub(crate) fn at(&self, base: i64) -> Option<&[u8]> {
        if base >= self.end {
            return None;
        }
        let index = usize::try_from(base / self.per_batch).ok()? % self.batches.len();
        self.batches.get(index).map(Vec::as_slice)
    }
}

/// One batch at base offset 0, by the format's description.
fn batch(shape: &Shape, values: &mut Values) -> Result<Vec<u8>, Error> {
    let count = shape.records_per_batch;
    let mut records = Vec::new();
    for delta in 0..count {
        let record = record(shape, values, delta);
        put_varint(&mut records, signed(record.len()));
        records.extend_from_slice(&record);
    }
    let mut body = Vec::new();
    Compressor::new(Levels::default())
        .compress(shape.codec, &records, &mut body)
        .map_err(|_| Error::Usage("the codec was not built in or refuses its level"))?;
    let length = i32::try_from(49 + body.len())
        .map_err(|_| Error::Usage("a batch would pass 2 GiB; take fewer or smaller records"))?;
    let mut covered = Vec::with_capacity(body.len() + 40);
    covered.extend_from_slice(&[0, shape.codec.id()]);
    covered.extend_from_slice(&(count - 1).to_be_bytes());
    covered.extend_from_slice(&START.to_be_bytes());
    covered.extend_from_slice(&(START + i64::from((count - 1) / STEP)).to_be_bytes());
    // No producer id, epoch and sequence.
    covered.extend_from_slice(&[0xff; 14]);
    covered.extend_from_slice(&count.to_be_bytes());
    covered.extend_from_slice(&body);
    let mut batch = Vec::with_capacity(covered.len() + 21);
    batch.extend_from_slice(&0_i64.to_be_bytes());
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(&0_i32.to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc32_iscsi(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    Ok(batch)
}

fn record(shape: &Shape, values: &mut Values, delta: i32) -> Vec<u8> {
    let mut record = vec![0];
    put_varint(&mut record, i64::from(delta / STEP));
    put_varint(&mut record, i64::from(delta));
    if shape.key_size == 0 {
        put_varint(&mut record, -1);
    } else {
        put_varint(&mut record, signed(shape.key_size));
        record.extend_from_slice(&values.next(shape.key_size));
    }
    put_varint(&mut record, signed(shape.record_size));
    record.extend_from_slice(&values.next(shape.record_size));
    put_varint(&mut record, signed(shape.headers));
    for header in 0..shape.headers {
        let name = format!("header-{header}");
        put_varint(&mut record, signed(name.len()));
        record.extend_from_slice(name.as_bytes());
        put_varint(&mut record, 8);
        record.extend_from_slice(&values.next(8));
    }
    record
}

fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}
