//! The walk against batches written by another implementation.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

use crate::records::batch::Batch;
use crate::records::error::{Fault, Field, RecordsError};
use crate::records::reference::{self, PlainRecord};

fn record(offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 3,
        producer_id: 7,
        producer_epoch: 1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: offset as i32,
        timestamp: 1_700_000_000_000 + offset,
        key: key.map(Bytes::copy_from_slice),
        value: value.map(Bytes::copy_from_slice),
        headers: Default::default(),
    }
}

fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, records, &options).expect("encode");
    bytes.to_vec()
}

fn sample() -> Vec<Record> {
    let long = vec![b'x'; 20_000];
    let mut with_headers = record(103, Some(b"k"), Some(&long));
    with_headers.headers.insert("trace".to_owned().into(), Some(Bytes::from_static(b"abc")));
    with_headers.headers.insert("none".to_owned().into(), None);
    vec![
        record(100, None, Some(b"first")),
        record(101, Some(b"key"), None),
        record(102, Some(b""), Some(b"")),
        with_headers,
    ]
}

#[test]
fn records_of_another_encoder_are_read_as_written() {
    let written = sample();
    let bytes = encode(&written);
    let (batch, rest) = Batch::split_first(&bytes).expect("batch");
    assert!(rest.is_empty());
    batch.check_crc().expect("crc");
    assert_eq!(batch.header().next_position().0, 104);
    assert_eq!(batch.header().count, 4);

    let read: Vec<_> =
        batch.records().expect("plain").map(|record| record.expect("good")).collect();
    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(&written) {
        assert_eq!(read.offset.0, written.offset);
        assert_eq!(read.timestamp, written.timestamp);
        assert_eq!(read.key, written.key.as_deref());
        assert_eq!(read.value, written.value.as_deref());
        assert_eq!(read.headers.len(), written.headers.len());
        for (read, (name, value)) in read.headers.iter().zip(&written.headers) {
            let read = read.expect("header");
            assert_eq!(read.name(), Some(name.as_str()));
            assert_eq!(read.value, value.as_deref());
        }
    }
}

#[test]
fn a_place_reads_what_the_walk_borrows() {
    let bytes = encode(&sample());
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    let mut walk = batch.records().expect("plain");
    for record in batch.records().expect("plain") {
        let record = record.expect("good");
        let at = walk.next_at().expect("as many").expect("good");
        let again = at.read(batch.header(), batch.section()).expect("a record");
        assert_eq!((again.offset, again.timestamp), (record.offset, record.timestamp));
        assert_eq!((again.key, again.value), (record.key, record.value));
        assert_eq!(i64::from(at.offset_delta()) + 100, record.offset.0);
        let headers = again.headers.iter().map(Result::unwrap);
        assert!(headers.eq(record.headers.iter().map(Result::unwrap)));
    }
    assert!(walk.next_at().is_none());
}

#[test]
fn a_place_in_another_section_is_none_or_another_record() {
    let bytes = encode(&sample());
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    let mut walk = batch.records().expect("plain");
    let last = std::iter::from_fn(|| walk.next_at()).last().expect("some").expect("good");
    assert!(last.read(batch.header(), &[]).is_none());
    assert!(last.read(batch.header(), &batch.section()[..5]).is_none());
}

#[test]
fn a_count_that_is_too_high_or_too_low_is_an_error() {
    let mut bytes = encode(&sample());
    bytes[60] = 5;
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    let last = batch.records().expect("plain").last().expect("something");
    let missing = RecordsError::Record {
        base_offset: 100,
        ordinal: 4,
        field: Field::End,
        fault: Fault::Missing,
    };
    assert_eq!(last.expect_err("too few"), missing);

    bytes[60] = 3;
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    let all: Vec<_> = batch.records().expect("plain").collect();
    assert_eq!(all.len(), 4, "three records and the error");
    let trailing = RecordsError::Record {
        base_offset: 100,
        ordinal: 3,
        field: Field::End,
        fault: Fault::Trailing,
    };
    assert_eq!(all[3].expect_err("too many"), trailing);
}

#[test]
fn gaps_between_offsets_are_kept_and_steps_back_are_errors() {
    let gaps = [record(100, None, None), record(105, None, None), record(109, None, None)];
    let bytes = encode(&gaps);
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    let offsets: Vec<_> =
        batch.records().expect("plain").map(|record| record.expect("good").offset.0).collect();
    assert_eq!(offsets, [100, 105, 109]);

    // The offset delta of the last record: length, attributes, timestamp, offset, ...
    let mut back = bytes.clone();
    let at = back.len() - 4;
    assert_eq!(back[at], 18, "zigzag of 9");
    back[at] = 10;
    let (batch, _) = Batch::split_first(&back).expect("batch");
    let last = batch.records().expect("plain").last().expect("something");
    assert!(matches!(
        last.expect_err("no step"),
        RecordsError::Record { ordinal: 2, field: Field::Offset, fault: Fault::NotForward, .. }
    ));
    back[at] = 20;
    let (batch, _) = Batch::split_first(&back).expect("batch");
    let last = batch.records().expect("plain").last().expect("something");
    assert!(matches!(
        last.expect_err("beyond the batch"),
        RecordsError::Record { ordinal: 2, field: Field::Offset, fault: Fault::OutOfRange, .. }
    ));
}

/// What the fast walk makes of a batch, in the slow one's words.
fn fast(bytes: &[u8]) -> Option<Vec<PlainRecord>> {
    let (batch, rest) = Batch::split_first(bytes).ok()?;
    let records = batch.records().filter(|_| rest.is_empty())?;
    records
        .map(|record| {
            let record = record.ok()?;
            let headers = record.headers.iter().map(|header| {
                let header = header.ok()?;
                Some((header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
            });
            Some(PlainRecord {
                offset: record.offset.0,
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: headers.collect::<Option<_>>()?,
            })
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_fast_walk_and_the_slow_decoder_agree_on_broken_batches(
        flips in prop::collection::vec((any::<prop::sample::Index>(), edge()), 0..6),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        log_append in any::<bool>(),
    ) {
        let mut bytes = encode(&[
            record(100, None, Some(b"first")),
            record(101, Some(b"key"), None),
            record(105, Some(b""), Some(b"")),
            with_headers(),
        ]);
        if log_append {
            bytes[22] |= 8;
        }
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        prop_assert_eq!(fast(&bytes), reference::decode(&bytes).ok());
    }
}

/// Bytes that mean something: varint edges, small numbers, or anything.
fn edge() -> impl Strategy<Value = u8> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(0x7f),
        Just(0x80),
        Just(0xff),
        0_u8..20,
        any::<u8>()
    ]
}

fn with_headers() -> Record {
    let mut record = record(106, Some(b"k"), Some(b"with headers"));
    record.headers.insert("trace".to_owned().into(), Some(Bytes::from_static(b"abc")));
    record.headers.insert("none".to_owned().into(), None);
    record
}

#[test]
fn a_walk_goes_on_where_another_was_marked() {
    let bytes = encode(&sample());
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    let all: Vec<_> = batch.records().expect("plain").map(|it| it.expect("good").offset).collect();
    for skipped in 0..=all.len() {
        let mut first = batch.records().expect("plain");
        assert_eq!(first.by_ref().take(skipped).count(), skipped);
        let mut second = batch.records().expect("plain");
        second.resume(first.mark());
        assert_eq!(second.announced() as usize, all.len() - skipped);
        assert!(second.map(|it| it.expect("good").offset).eq(all.iter().copied().skip(skipped)));
    }
}
