//! Writes batches for tests: plain, without hurry, field by field.

use bytes::{BufMut, Bytes, BytesMut};

use super::{CONTROL, HEAD, Head, LENGTH_ENDS, TRANSACTIONAL, checksum_of};

/// The end of a transaction, as a control batch says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Marker {
    /// What was written in the transaction does not count.
    Abort,
    /// It counts.
    Commit,
}

/// Collects records and makes one uncompressed batch of format v2 of them.
///
/// ```
/// use forebay_broker::{BatchBuilder, Head};
///
/// let batch = BatchBuilder::at_time(1_700_000_000_000).record(Some(b"key"), Some(b"value")).build();
/// assert_eq!(Head::read(&batch).map(|head| head.record_count), Some(1));
/// ```
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    head: Head,
    records: BytesMut,
    next_delta: i32,
}

impl BatchBuilder {
    /// An empty batch whose first record has this time, in milliseconds since 1970.
    #[must_use]
    pub fn at_time(base_timestamp: i64) -> Self {
        let head = Head {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp,
            max_timestamp: base_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        Self { head, records: BytesMut::new(), next_delta: 0 }
    }

    /// The offset of the first record; a broker that appends the batch gives it another.
    #[must_use]
    pub const fn base_offset(mut self, offset: i64) -> Self {
        self.head.base_offset = offset;
        self
    }

    /// Written by this producer, in this epoch, from this sequence number on.
    #[must_use]
    pub const fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.head.producer_id = id;
        self.head.producer_epoch = epoch;
        self.head.base_sequence = base_sequence;
        self
    }

    /// Part of a transaction.
    #[must_use]
    pub const fn transactional(mut self) -> Self {
        self.head.attributes |= TRANSACTIONAL;
        self
    }

    /// Adds a record with the batch's base timestamp and no headers.
    #[must_use]
    pub fn record(self, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.record_at(0, key, value)
    }

    /// Adds a record whose time is so many milliseconds after the base timestamp.
    #[must_use]
    pub fn record_at(mut self, delta: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let mut own = BytesMut::new();
        own.put_i8(0);
        put_varint(&mut own, delta);
        put_varint(&mut own, self.next_delta.into());
        put_field(&mut own, key);
        put_field(&mut own, value);
        put_varint(&mut own, 0);
        put_varint(&mut self.records, i64::try_from(own.len()).unwrap_or(i64::MAX));
        self.records.put(own);
        self.head.record_count += 1;
        self.head.last_offset_delta = self.next_delta;
        let time = self.head.base_timestamp.saturating_add(delta);
        self.head.max_timestamp = self.head.max_timestamp.max(time);
        self.next_delta += 1;
        self
    }

    /// Leaves out so many offsets before the next record, as compaction does.
    #[must_use]
    pub const fn hole(mut self, offsets: i32) -> Self {
        self.next_delta = self.next_delta.saturating_add(offsets);
        self.head.last_offset_delta = self.next_delta.saturating_sub(1);
        self
    }

    /// The end of a producer's transaction.
    #[must_use]
    pub fn marker(time: i64, (id, epoch): (i64, i16), marker: Marker) -> Bytes {
        let kind = match marker {
            Marker::Abort => 0u16,
            Marker::Commit => 1,
        };
        let mut key = BytesMut::new();
        key.put_u16(0);
        key.put_u16(kind);
        let mut batch = Self::at_time(time).producer(id, epoch, -1).transactional();
        batch.head.attributes |= CONTROL;
        batch.record(Some(&key), Some(&[0; 6])).build()
    }

    /// The batch as bytes.
    #[must_use]
    pub fn build(mut self) -> Bytes {
        let length = HEAD - LENGTH_ENDS + self.records.len();
        self.head.batch_length = i32::try_from(length).unwrap_or(i32::MAX);
        self.head.crc = checksum_of(&self.head.write(), &self.records);
        let mut batch = self.head.write();
        batch.put(self.records);
        batch.freeze()
    }
}

fn put_field(out: &mut BytesMut, field: Option<&[u8]>) {
    let Some(field) = field else {
        return put_varint(out, -1);
    };
    put_varint(out, i64::try_from(field.len()).unwrap_or(i64::MAX));
    out.put_slice(field);
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while bits >= 0x80 {
        out.put_u8(u8::try_from(bits & 0x7f).unwrap_or_default() | 0x80);
        bits >>= 7;
    }
    out.put_u8(u8::try_from(bits).unwrap_or_default());
}
