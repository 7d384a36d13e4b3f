//! What is in a record batch? Its own slow and obvious reader, so that a mistake of the client's
//! fast one shows as a difference.

mod inflate;
mod read;
mod write;

use bytes::{BufMut, Bytes, BytesMut};
use forebay_protocol::wire::Str;

use crate::code::ErrorCode;

pub use read::Record;
pub(crate) use read::{places, walk, walk_body};
pub use write::{BatchBuilder, Marker};

/// How many bytes stand before the records of a batch.
pub(crate) const HEAD: usize = 61;
/// How many bytes stand before what the batch's length field counts.
pub(crate) const LENGTH_ENDS: usize = 12;
/// Where the bytes begin that the checksum covers.
const COVERED: usize = 21;

pub(crate) const COMPRESSION: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// The fields in front of the records of a batch of format v2, by Kafka's names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Head {
    /// The offset of the first record that the batch once had.
    pub base_offset: i64,
    /// How many bytes follow this field.
    pub batch_length: i32,
    /// Under which leader epoch it was appended.
    pub partition_leader_epoch: i32,
    /// The format; 2.
    pub magic: i8,
    /// CRC-32C of all that follows it.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// The last record's offset less the first's.
    pub last_offset_delta: i32,
    /// The time of the first record, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The largest time of a record, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// Who wrote it; -1 without idempotence.
    pub producer_id: i64,
    /// In which of the producer's epochs.
    pub producer_epoch: i16,
    /// The sequence number of the first record.
    pub base_sequence: i32,
    /// How many records there are.
    pub record_count: i32,
}

impl Head {
    /// Reads the head of a batch, when there are enough bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        Some(Self {
            base_offset: i64::from_be_bytes(at(head, 0)?),
            batch_length: i32::from_be_bytes(at(head, 8)?),
            partition_leader_epoch: i32::from_be_bytes(at(head, 12)?),
            magic: i8::from_be_bytes(at(head, 16)?),
            crc: u32::from_be_bytes(at(head, 17)?),
            attributes: i16::from_be_bytes(at(head, 21)?),
            last_offset_delta: i32::from_be_bytes(at(head, 23)?),
            base_timestamp: i64::from_be_bytes(at(head, 27)?),
            max_timestamp: i64::from_be_bytes(at(head, 35)?),
            producer_id: i64::from_be_bytes(at(head, 43)?),
            producer_epoch: i16::from_be_bytes(at(head, 51)?),
            base_sequence: i32::from_be_bytes(at(head, 53)?),
            record_count: i32::from_be_bytes(at(head, 57)?),
        })
    }

    /// The head as bytes.
    pub(crate) fn write(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(HEAD);
        out.put_i64(self.base_offset);
        out.put_i32(self.batch_length);
        out.put_i32(self.partition_leader_epoch);
        out.put_i8(self.magic);
        out.put_u32(self.crc);
        out.put_i16(self.attributes);
        out.put_i32(self.last_offset_delta);
        out.put_i64(self.base_timestamp);
        out.put_i64(self.max_timestamp);
        out.put_i64(self.producer_id);
        out.put_i16(self.producer_epoch);
        out.put_i32(self.base_sequence);
        out.put_i32(self.record_count);
        out
    }

    /// The whole batch's size in bytes, from its length field.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        usize::try_from(self.batch_length).ok()?.checked_add(LENGTH_ENDS)
    }

    /// The offset of its last record.
    #[must_use]
    pub const fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_offset_delta as i64)
    }

    /// The number of its codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    #[must_use]
    pub const fn codec(&self) -> i16 {
        self.attributes & COMPRESSION
    }

    /// Whether the broker's clock stamped its records.
    #[must_use]
    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether it belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether it is a marker of a broker, not data.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The sequence number of its last record; sequences wrap to 0 after 2^31 - 1.
    pub(crate) const fn last_sequence(&self) -> i32 {
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }
}

/// Why a batch was refused: the code to answer with, and a sentence for whoever wrote it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {why}")]
#[non_exhaustive]
pub struct Refusal {
    /// What the answer carries.
    pub code: ErrorCode,
    /// What was wrong, what was expected.
    pub why: String,
    /// Whether the log refused, after the bytes were found in order: Kafka tells its start then.
    pub(crate) by: By,
    /// Which records of the batch were wrong, counted from 0.
    pub(crate) records: Vec<i32>,
}

/// Who refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// The bytes are not even one batch of format v2.
    Shape,
    Node,
    Log,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, why: impl Into<String>) -> Self {
        Self { code, why: why.into(), by: By::Node, records: Vec::new() }
    }

    /// What answers say of something that was done or refused: a code, and why.
    pub(crate) fn outcome(done: Result<(), Self>) -> (i16, Option<Str>) {
        match done {
            Ok(()) => (0, None),
            Err(refusal) => (refusal.code.0, Some(refusal.why.into())),
        }
    }

    fn by_shape(mut self) -> Self {
        self.by = By::Shape;
        self
    }

    pub(crate) fn by_log(mut self) -> Self {
        self.by = By::Log;
        self
    }
}

/// What a topic asks of the batches written to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The largest batch, in bytes.
    pub(crate) max_message_bytes: usize,
    /// Whether every record needs a key.
    pub(crate) keys: Keys,
    /// Whether a batch may leave offsets out.
    pub(crate) holes: Holes,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holes {
    Refused,
    /// As 0.11 did.
    Allowed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keys {
    Optional,
    Required,
}

/// Checks what a producer sent for one partition: exactly one batch of format v2, whole, with a
/// right checksum and with records that are what its head says.
pub(crate) fn check(bytes: &Bytes, rules: Rules) -> Result<Head, Refusal> {
    let invalid = |why: &str| Refusal::new(ErrorCode::INVALID_RECORD, why).by_shape();
    if bytes.get(16).is_some_and(|magic| *magic < 2) {
        return Err(invalid("the batch has an old format: Produce v3 and later carry format v2"));
    }
    let head = Head::read(bytes).ok_or_else(|| {
        let why = format!("{} bytes are no batch: the head alone takes {HEAD}", bytes.len());
        invalid(&why)
    })?;
    if head.magic != 2 {
        return Err(invalid("the batch's magic is not 2"));
    }
    if head.size() != Some(bytes.len()) {
        return Err(invalid("the records are not exactly one batch: its length says otherwise"));
    }
    if bytes.len() > rules.max_message_bytes {
        let why = format!("the batch takes {} bytes, {} at most", bytes.len(), {
            rules.max_message_bytes
        });
        return Err(Refusal::new(ErrorCode::MESSAGE_TOO_LARGE, why));
    }
    check_sum(bytes, &head)?;
    if head.is_control() {
        let why = "clients may not write control batches";
        return Err(Refusal::new(ErrorCode::INVALID_RECORD, why));
    }
    check_counts(&head, rules.holes).map_err(Refusal::by_log)?;
    check_records(bytes, &head, rules).map_err(Refusal::by_log)?;
    Ok(head)
}

/// Compares the checksum with the bytes.
pub(crate) fn check_sum(bytes: &[u8], head: &Head) -> Result<(), Refusal> {
    let sum = checksum(bytes.get(COVERED..).unwrap_or_default());
    if sum == head.crc {
        return Ok(());
    }
    let why = format!("the batch's checksum is {sum:#010x}, its head says {:#010x}", head.crc);
    Err(Refusal::new(ErrorCode::CORRUPT_MESSAGE, why))
}

fn check_counts(head: &Head, holes: Holes) -> Result<(), Refusal> {
    let invalid = |why: &str| Err(Refusal::new(ErrorCode::INVALID_RECORD, why));
    if head.record_count <= 0 {
        return invalid("the batch has no records");
    }
    let is_dense = head.last_offset_delta == head.record_count.saturating_sub(1);
    if holes == Holes::Refused && !is_dense {
        return invalid(
            "a producer's batch has no holes: its last offset delta is its count less 1",
        );
    }
    if head.producer_id >= 0 && (head.producer_epoch < 0 || head.base_sequence < 0) {
        return invalid("a batch with a producer id needs an epoch and a sequence number");
    }
    if head.is_transactional() && head.producer_id < 0 {
        return invalid("a transactional batch needs a producer id");
    }
    Ok(())
}

fn check_records(bytes: &Bytes, head: &Head, rules: Rules) -> Result<(), Refusal> {
    let mut next = 0;
    let mut out_of_order = false;
    let mut keyless = Vec::new();
    walk(bytes, head, |record| {
        out_of_order |= rules.holes == Holes::Refused && record.offset_delta != next;
        if rules.keys == Keys::Required && record.key.is_none() {
            keyless.push(next);
        }
        next += 1;
    })?;
    let invalid = |why: &str| Refusal::new(ErrorCode::INVALID_RECORD, why);
    if out_of_order {
        return Err(invalid("the records' offset deltas do not count up from 0"));
    }
    if !keyless.is_empty() {
        let refusal = invalid("a compacted topic takes no record without a key");
        return Err(Refusal { records: keyless, ..refusal });
    }
    Ok(())
}

/// CRC-32C.
pub(crate) fn checksum(covered: &[u8]) -> u32 {
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, covered);
    u32::try_from(sum & u64::from(u32::MAX)).unwrap_or_default()
}

/// The checksum of a batch whose head may have changed: over the head's covered part and the rest.
pub(crate) fn checksum_of(head: &[u8], rest: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(head.get(COVERED..).unwrap_or_default());
    digest.update(rest);
    u32::try_from(digest.finalize() & u64::from(u32::MAX)).unwrap_or_default()
}

/// The `N` bytes at `from`.
fn at<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
