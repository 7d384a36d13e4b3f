//! The slow reader against batches that another implementation packed.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::{BatchBuilder, Head, check_sum, places, walk};

/// A batch of two records in the given codec, with headers that repeat.
fn packed(compression: Compression) -> Bytes {
    let record = |offset: i64| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 3,
        producer_id: 5,
        producer_epoch: 1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: i32::try_from(offset).unwrap(),
        timestamp: 100 + offset,
        key: (offset == 0).then(|| Bytes::from_static(b"key")),
        value: Some(vec![b'v'; 100_000].into()),
        headers: [("h".to_owned().into(), None)].into_iter().collect(),
    };
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut out, &[record(0), record(1)], &options).unwrap();
    out.freeze()
}

#[test]
fn an_uncompressed_batch_reads_as_it_was_written() {
    let bytes = packed(Compression::None);
    let head = Head::read(&bytes).unwrap();
    assert_eq!((head.record_count, head.producer_id, head.max_timestamp), (2, 5, 101));
    assert_eq!(head.size(), Some(bytes.len()));
    check_sum(&bytes, &head).unwrap();
    let mut seen = Vec::new();
    walk(&bytes, &head, |record| {
        seen.push((
            record.key.map(<[u8]>::len),
            record.value.map(<[u8]>::len),
            record.headers.len(),
        ));
    })
    .unwrap();
    assert_eq!(seen, [(Some(3), Some(100_000), 1), (None, Some(100_000), 1)]);
    assert_eq!(places(&bytes, &head).unwrap(), [(0, 100), (1, 101)]);
    assert_eq!(head.write().as_ref(), &bytes[..61]);
}

#[test]
fn batches_of_our_own_making_have_right_checksums_and_holes() {
    let batch =
        BatchBuilder::at_time(5).record(None, None).hole(3).record(Some(b"k"), None).build();
    let head = Head::read(&batch).unwrap();
    check_sum(&batch, &head).unwrap();
    assert_eq!((head.record_count, head.last_offset_delta), (2, 4));
    assert_eq!(places(&batch, &head).unwrap(), [(0, 5), (4, 5)]);
}

#[test]
fn records_that_lie_about_their_lengths_are_refused() {
    let bytes = BatchBuilder::at_time(0).record(Some(b"key"), Some(b"value")).build();
    let head = Head::read(&bytes).unwrap();
    for at in super::HEAD..bytes.len() {
        for value in [0x00, 0x7f, 0x80, 0xff] {
            let mut bad = BytesMut::from(bytes.as_ref());
            bad[at] = value;
            // Whether it is refused depends on the byte; it must not panic or read past the end.
            drop(walk(&bad, &head, |record| assert!(record.key.map_or(0, <[u8]>::len) < 20)));
        }
    }
    let cut = &bytes[..bytes.len() - 1];
    assert!(walk(cut, &head, |_| ()).is_err());
}
