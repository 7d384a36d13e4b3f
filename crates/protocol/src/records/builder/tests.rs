//! What was built is read again, by our reader, by the slow one and by another implementation.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;
use proptest::prelude::*;

use super::*;
use crate::records::batch::Batch;
use crate::records::codec::{Decompressor, Scratch};
use crate::records::record::Records;
use crate::records::reference::{self, PlainRecord};

type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, Debug)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<OwnedHeader>,
}

fn owned() -> impl Strategy<Value = Owned> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let header = (bytes(), prop::option::of(bytes()));
    (
        -100_000_i64..100_000,
        prop::option::of(bytes()),
        prop::option::of(bytes()),
        prop::collection::vec(header, 0..4),
    )
        .prop_map(|(timestamp, key, value, headers)| Owned {
            timestamp: 1_700_000_000_000 + timestamp,
            key,
            value,
            headers,
        })
}

fn build(records: &[Owned], codec: Codec) -> SealedBatch {
    let mut builder = BatchBuilder::new(1 << 20);
    for (at, record) in records.iter().enumerate() {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        let size = builder.size();
        let new = NewRecord {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        };
        assert_eq!(builder.append(&new), Ok(at as u32));
        assert!(builder.size() > size);
    }
    let mut compressor = Compressor::default();
    builder.seal(codec, ProduceKind::Plain, &mut compressor).expect("built in").expect("records")
}

fn read(batch: &[u8]) -> Vec<PlainRecord> {
    let (batch, rest) = Batch::split_first(batch).expect("batch");
    assert!(rest.is_empty());
    batch.check_crc().expect("crc");
    let (mut decompressor, mut scratch) = (Decompressor::new(), Scratch::new());
    let section = batch.unpack(&mut decompressor, 1 << 20, &mut scratch).expect("unpacks");
    Records::new(batch.header(), section)
        .map(|record| {
            let record = record.expect("good");
            let headers = record.headers.iter().map(|header| {
                let header = header.expect("good");
                (header.key.to_vec(), header.value.map(<[u8]>::to_vec))
            });
            PlainRecord {
                offset: record.offset.0,
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: headers.collect(),
            }
        })
        .collect()
}

fn expected(records: &[Owned]) -> Vec<PlainRecord> {
    let records = records.iter().cloned().zip(0..);
    records
        .map(|(record, offset)| PlainRecord {
            offset,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_was_appended_is_read_again_in_every_codec(
        records in prop::collection::vec(owned(), 1..20),
    ) {
        for codec in Codec::ALL {
            let sealed = build(&records, codec);
            prop_assert_eq!(sealed.count() as usize, records.len());
            prop_assert_eq!(read(sealed.bytes()), expected(&records), "{}", codec);
        }
        let plain = build(&records, Codec::None);
        prop_assert_eq!(reference::decode(plain.bytes()), Ok(expected(&records)));
    }

    #[test]
    fn another_implementation_reads_what_was_built(
        records in prop::collection::vec(owned(), 1..20),
    ) {
        // It knows neither duplicate header names nor names that are not UTF-8.
        let records: Vec<_> =
            records.into_iter().map(|record| Owned { headers: Vec::new(), ..record }).collect();
        let mut sealed = build(&records, Codec::None);
        sealed.stamp(Producer { id: 4_000, epoch: 3, base_sequence: 17 });
        let mut bytes = Bytes::copy_from_slice(sealed.bytes());
        let theirs = RecordBatchDecoder::decode(&mut bytes).expect("theirs").records;
        prop_assert_eq!(theirs.len(), records.len());
        for (theirs, (ours, at)) in theirs.iter().zip(records.iter().zip(0..)) {
            prop_assert_eq!(theirs.timestamp, ours.timestamp);
            prop_assert_eq!(theirs.key.as_deref(), ours.key.as_deref());
            prop_assert_eq!(theirs.value.as_deref(), ours.value.as_deref());
            prop_assert_eq!(theirs.sequence, 17 + at);
            prop_assert_eq!(theirs.producer_id, 4_000);
        }
    }
}

#[test]
fn a_full_batch_refuses_the_next_record_and_is_sealed_as_it_was() {
    let value = [7; 40];
    let record = NewRecord { timestamp: 5, value: Some(&value), ..NewRecord::default() };
    let mut builder = BatchBuilder::new(160);
    assert_eq!(builder.append(&record), Ok(0));
    let size = builder.size();
    assert_eq!(builder.append(&record), Ok(1));
    let full = AppendError::Full { size: builder.size(), record: 47, limit: 160 };
    assert_eq!(builder.append(&record), Err(full));
    let mut compressor = Compressor::default();
    let sealed = builder.seal(Codec::None, ProduceKind::Plain, &mut compressor);
    let sealed = sealed.expect("plain").expect("records");
    assert_eq!((sealed.count(), sealed.bytes().len()), (2, size + 47));
    assert!(builder.is_empty());
    let empty = builder.seal(Codec::None, ProduceKind::Plain, &mut compressor);
    assert!(empty.expect("plain").is_none());
}

#[test]
fn the_first_record_may_be_larger_than_the_limit() {
    let value = vec![7; 1_000];
    let record = NewRecord { value: Some(&value), ..NewRecord::default() };
    let mut builder = BatchBuilder::new(150);
    assert_eq!(builder.append(&record), Ok(0));
    assert!(builder.append(&record).is_err());
}

#[test]
fn a_batch_can_be_stamped_again() {
    let record = NewRecord { value: Some(b"x"), ..NewRecord::default() };
    let mut builder = BatchBuilder::new(150);
    builder.append(&record).expect("room");
    let mut compressor = Compressor::default();
    let sealed = builder.seal(Codec::Lz4, ProduceKind::Transactional, &mut compressor);
    let mut sealed = sealed.expect("built in").expect("records");
    for epoch in [0, 1] {
        sealed.stamp(Producer { id: 9, epoch, base_sequence: 40 });
        let (batch, _) = Batch::split_first(sealed.bytes()).expect("batch");
        batch.check_crc().expect("crc");
        let header = batch.header();
        assert_eq!((header.producer_id, header.producer_epoch), (9, epoch));
        assert_eq!(header.base_sequence, 40);
        assert!(header.attributes.is_transactional());
        assert_eq!(header.codec, Codec::Lz4);
    }
}

#[test]
fn timestamps_too_far_apart_are_refused() {
    let mut builder = BatchBuilder::new(1_000);
    builder.append(&NewRecord { timestamp: -5, ..NewRecord::default() }).expect("room");
    let refused = builder.append(&NewRecord { timestamp: i64::MAX, ..NewRecord::default() });
    assert_eq!(refused, Err(AppendError::Timestamp { timestamp: i64::MAX, base: -5 }));
}

#[test]
fn sizes_are_known_before_at_every_edge_of_a_length() {
    for size in [0, 1, 54, 55, 56, 63, 64, 65, 8_190, 8_191, 8_192, 8_193, 1_048_575] {
        let value = vec![1; size];
        let record = NewRecord { value: Some(&value), ..NewRecord::default() };
        let deltas = Deltas { timestamp: 0, offset: 0 };
        let mut out = Vec::new();
        let body = body_len(&record, deltas);
        put_record(&mut out, &record, deltas, body);
        assert_eq!(out.len(), body + length_len(body), "{size}");
    }
}

#[test]
fn a_full_batch_takes_little_more_memory_than_its_limit() {
    for (limit, value) in [(16 << 10, 100), (128 << 10, 1000), (1000, 7)] {
        let mut builder = BatchBuilder::new(limit);
        let value = vec![b'v'; value];
        let record = NewRecord { value: Some(&value), ..NewRecord::default() };
        while builder.append(&record).is_ok() {}
        assert!(builder.size() + value.len() + 20 > limit);
        let capacity = builder.into_buffer().capacity();
        assert!(capacity <= limit + 2 * SLACK, "{capacity} for {limit}");
    }
}
