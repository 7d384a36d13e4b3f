//! Message sets as old clients wrote them, plain and packed.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use proptest::prelude::*;

use super::*;
use crate::records::batch::Batches;
use crate::records::codec::Compressor;
use crate::records::reference::{self, PlainRecord};

fn message(magic: i8, attributes: u8, offset: i64, timestamp: i64, value: &[u8]) -> Vec<u8> {
    let mut body = vec![magic as u8, attributes];
    if magic == 1 {
        body.extend_from_slice(&timestamp.to_be_bytes());
    }
    body.extend_from_slice(&(-1_i32).to_be_bytes());
    body.extend_from_slice(&(value.len() as i32).to_be_bytes());
    body.extend_from_slice(value);
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    bytes.extend_from_slice(&crc32(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    Compressor::default().compress(codec, plain, &mut packed).expect("packs");
    packed
}

fn convert(bytes: &[u8]) -> Result<Vec<u8>, RecordsError> {
    let mut out = Vec::new();
    let read = LegacyReader::new().convert(bytes, &mut Decompressor::new(), 1 << 20, &mut out)?;
    assert_eq!(read, bytes.len());
    Ok(out)
}

fn records(bytes: &[u8]) -> Vec<PlainRecord> {
    let converted = convert(bytes).expect("converts");
    let mut records = Vec::new();
    for batch in Batches::new(&converted) {
        let batch = batch.expect("batch");
        batch.check_crc().expect("crc");
        records.extend(reference::decode(batch.bytes()).expect("reads"));
    }
    records
}

fn seen(bytes: &[u8]) -> Vec<(i64, i64, Vec<u8>)> {
    let records = records(bytes).into_iter();
    records.map(|record| (record.offset, record.timestamp, record.value.unwrap())).collect()
}

#[test]
fn keys_tombstones_and_far_offsets_are_kept() {
    // Key "k", no value, offset 3, v0.
    let mut first = vec![0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 15];
    let body = [0, 0, 0, 0, 0, 1, b'k', 0xff, 0xff, 0xff, 0xff];
    first.extend_from_slice(&crc32(&body).to_be_bytes());
    first.extend_from_slice(&body);
    let far = message(0, 0, 5_000_000_000, 0, b"far");
    let converted = convert(&[first, far].concat()).expect("converts");
    let batches: Vec<_> = Batches::new(&converted).map(|batch| batch.expect("batch")).collect();
    assert_eq!(batches.len(), 2, "the second offset is too far from the first");
    let tombstone = PlainRecord {
        offset: 3,
        timestamp: -1,
        key: Some(b"k".to_vec()),
        value: None,
        headers: Vec::new(),
    };
    assert_eq!(reference::decode(batches[0].bytes()), Ok(vec![tombstone]));
    let far = reference::decode(batches[1].bytes()).expect("reads");
    assert_eq!(far[0].offset, 5_000_000_000);
}

#[test]
fn a_v1_wrapper_has_the_last_offset_and_counts_from_zero_inside() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        // Compaction left a gap between the second and the third.
        let inner =
            [message(1, 0, 0, 50, b"a"), message(1, 0, 1, 40, b"b"), message(1, 0, 4, 60, b"c")];
        let wrapper = message(1, codec.id(), 104, 60, &pack(codec, &inner.concat()));
        let expected =
            [(100, 50, b"a".to_vec()), (101, 40, b"b".to_vec()), (104, 60, b"c".to_vec())];
        assert_eq!(seen(&wrapper), expected, "{codec}");
    }
}

#[test]
fn a_v0_wrapper_has_absolute_offsets_inside() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        let inner = [message(0, 0, 100, 0, b"a"), message(0, 0, 103, 0, b"b")].concat();
        let mut set = message(0, codec.id(), 103, 0, &pack(codec, &inner));
        set.extend(message(0, 0, 104, 0, b"plain"));
        let expected =
            [(100, -1, b"a".to_vec()), (103, -1, b"b".to_vec()), (104, -1, b"plain".to_vec())];
        assert_eq!(seen(&set), expected, "{codec}");
    }
}

#[test]
fn the_time_of_appending_stands_on_the_wrapper_and_counts_for_all() {
    let inner = [message(1, 0, 0, 50, b"a"), message(1, 0, 1, 40, b"b")].concat();
    let attributes = Codec::Gzip.id() | LOG_APPEND_TIME;
    let mut set = message(1, attributes, 11, 777, &pack(Codec::Gzip, &inner));
    set.extend(message(1, 0, 12, 30, b"c"));
    let converted = convert(&set).expect("converts");
    let flags: Vec<_> = Batches::new(&converted)
        .map(|batch| batch.expect("batch").header().attributes.is_log_append_time())
        .collect();
    assert_eq!(flags, [true, false]);
    let expected = [(10, 777, b"a".to_vec()), (11, 777, b"b".to_vec()), (12, 30, b"c".to_vec())];
    assert_eq!(seen(&set), expected);
}

#[test]
fn the_wrong_lz4_header_checksum_of_old_clients_is_accepted_here_only() {
    let inner = message(0, 0, 5, 0, b"a");
    let mut packed = pack(Codec::Lz4, &inner);
    packed[6] ^= 0x55;
    let wrapper = message(0, Codec::Lz4.id(), 5, 0, &packed);
    assert_eq!(seen(&wrapper), [(5, -1, b"a".to_vec())]);
    let mut out = Scratch::new();
    let strict = Decompressor::new().decompress(Codec::Lz4, &packed, 1_000, &mut out);
    assert!(matches!(strict, Err(CodecError::Corrupt { codec: Codec::Lz4, .. })));
}

#[test]
fn conversion_is_done_in_portions() {
    let set: Vec<u8> = (0..1_000).flat_map(|at| message(1, 0, at, at, &[1; 1_000])).collect();
    let (mut reader, mut decompressor) = (LegacyReader::new(), Decompressor::new());
    let (mut rest, mut rounds, mut count) = (&set[..], 0, 0);
    while !rest.is_empty() {
        let mut out = Vec::new();
        let read = reader.convert(rest, &mut decompressor, 1 << 20, &mut out).expect("converts");
        assert!(read > 0 && out.len() < ENOUGH + 1_200);
        let batches = Batches::new(&out);
        count += batches.map(|batch| batch.expect("batch").header().count).sum::<u32>();
        rest = &rest[read..];
        rounds += 1;
    }
    assert!((4..=5).contains(&rounds));
    assert_eq!(count, 1_000);
}

#[test]
fn what_stands_before_a_broken_message_or_a_batch_is_converted_first() {
    let good = message(1, 0, 7, 0, b"value");
    let mut broken = message(1, 0, 8, 0, b"value");
    *broken.last_mut().unwrap() ^= 1;
    // Its second message steps back, which shows only when the first was written.
    let inner = [message(0, 0, 9, 0, b"a"), message(0, 0, 9, 0, b"b")].concat();
    let steps_back = message(0, 1, 9, 0, &pack(Codec::Gzip, &inner));
    for bad in [broken, steps_back] {
        let set = [&good[..], &bad].concat();
        let (mut reader, mut decompressor) = (LegacyReader::new(), Decompressor::new());
        let mut out = Vec::new();
        let read = reader.convert(&set, &mut decompressor, 1_000, &mut out);
        assert_eq!(read, Ok(good.len()));
        let alone = convert(&good).expect("converts");
        assert_eq!(out, alone, "nothing of the broken message");
        assert!(reader.convert(&bad, &mut decompressor, 1_000, &mut out).is_err());
        assert_eq!(out, alone);
    }
    let batch = convert(&good).expect("converts");
    let set = [&good[..], &batch].concat();
    let mut out = Vec::new();
    let read = LegacyReader::new().convert(&set, &mut Decompressor::new(), 1_000, &mut out);
    assert_eq!(read, Ok(good.len()), "a log that was upgraded");
    assert!(is_legacy(&set) && !is_legacy(&set[good.len()..]));
}

#[test]
fn what_cannot_be_read_is_a_typed_error() {
    let fault = |bytes: &[u8]| match convert(bytes) {
        Err(RecordsError::Batch { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    let good = message(1, 0, 7, 0, b"value");
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert!(matches!(fault(&bad), BatchFault::Crc { .. }));
    assert!(matches!(fault(&good[..good.len() - 1]), BatchFault::Truncated { .. }));
    assert_eq!(fault(&message(1, 4, 7, 0, b"")), BatchFault::UnknownCodec { found: 4 });
    assert!(!is_legacy(&message(3, 0, 7, 0, b"")) && !is_legacy(&good[..16]));
    let nested = message(1, 1, 7, 0, &pack(Codec::Gzip, &message(0, 0, 0, 0, b"")));
    assert_eq!(fault(&nested), BatchFault::Nested);
    let back = pack(Codec::Gzip, &[message(0, 0, 7, 0, b""), message(0, 0, 7, 0, b"")].concat());
    assert!(matches!(
        convert(&message(0, 1, 7, 0, &back)),
        Err(RecordsError::Record { field: Field::Offset, fault: Fault::NotForward, .. })
    ));
    // The wrapper has the offset of the last; the first would come to lie beyond all offsets.
    let inner = [message(1, 0, i64::MAX - 1, 0, b""), message(1, 0, 5, 0, b"")].concat();
    assert!(matches!(
        convert(&message(1, 1, 1_000, 0, &pack(Codec::Gzip, &inner))),
        Err(RecordsError::Record { field: Field::Offset, fault: Fault::OutOfRange, .. })
    ));
    let bomb = pack(Codec::Gzip, &message(1, 0, 0, 0, &vec![0; 2 << 20]));
    assert!(matches!(
        convert(&message(1, 1, 7, 0, &bomb)),
        Err(RecordsError::Codec { base_offset: 7, fault: CodecError::TooLarge { .. } })
    ));
}

proptest! {
    #[test]
    fn broken_messages_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let inner = [message(1, 0, 0, 50, b"a"), message(1, 0, 1, 40, b"b")].concat();
        let mut set = message(1, 2, 11, 777, &pack(Codec::Snappy, &inner));
        set.extend(message(0, 0, 12, 30, b"c"));
        for (at, byte) in flips {
            let at = at.index(set.len());
            set[at] ^= byte;
        }
        let mut out = Vec::new();
        let read = LegacyReader::new().convert(&set, &mut Decompressor::new(), 1 << 20, &mut out);
        prop_assert!(Batches::new(&out).all(|batch| batch.is_ok()));
        prop_assert_eq!(out.is_empty(), read.unwrap_or(0) == 0);
    }
}
