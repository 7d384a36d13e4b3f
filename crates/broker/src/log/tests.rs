//! What a log keeps when its ends move.

use bytes::Bytes;

use super::{FirstBatch, Limit, Log};
use crate::batch::{self, BatchBuilder, Head};

fn batch(records: usize, size: usize) -> Bytes {
    let value = vec![b'x'; size];
    (0..records).fold(BatchBuilder::at_time(0), |batch, _| batch.record(None, Some(&value))).build()
}

fn log(sizes: &[(usize, usize)]) -> Log {
    let mut log = Log::default();
    log.begin_epoch(0);
    for (records, size) in sizes {
        let bytes = batch(*records, *size);
        log.append(&bytes, Head::read(&bytes).unwrap(), (0, None)).unwrap();
    }
    log
}

#[test]
fn batches_come_back_byte_for_byte_but_for_offset_and_epoch() {
    let log = log(&[(2, 10), (1, 9_000)]);
    let kept: Vec<_> = log.batches(0).collect();
    for (kept, (records, size)) in kept.iter().zip([(2, 10), (1, 9_000)]) {
        let sent = batch(records, size);
        assert_eq!((&kept[8..12], &kept[16..]), (&sent[8..12], &sent[16..]));
    }
    assert_eq!(Head::read(&kept[1]).unwrap().base_offset, 2);
}

#[test]
fn truncation_drops_whole_batches_and_deletion_keeps_the_one_in_use() {
    let mut log = log(&[(2, 10), (3, 10), (1, 10)]);
    let one_less = log.bytes();
    log.truncate(4);
    assert_eq!((log.end(), log.batches(0).count()), (2, 1));
    assert!(log.bytes() < one_less);
    log.delete_before(1);
    assert_eq!((log.start(), log.batches(0).count()), (1, 1));
    log.delete_before(99);
    assert_eq!((log.start(), log.end(), log.bytes()), (2, 2, 0));
}

#[test]
fn truncation_forgets_sequences_and_transactions() {
    let mut log = Log::default();
    let open =
        BatchBuilder::at_time(0).producer(7, 0, 0).transactional().record(None, None).build();
    let head = Head::read(&open).unwrap();
    log.produce(&open, head, (0, None)).unwrap();
    assert_eq!(log.last_stable_offset(), 0);
    log.truncate(0);
    assert_eq!((log.last_stable_offset(), log.end()), (0, 0));
    assert_eq!(log.produce(&open, head, (1, None)).unwrap().base_offset, 0);
    assert_eq!(log.end(), 1);
}

#[test]
fn a_read_stops_at_its_bound_and_its_limit() {
    let log = log(&[(1, 10), (1, 10), (1, 9_000)]);
    let size = batch(1, 10).len();
    let whole = |bytes| Limit { bytes, first: FirstBatch::Whole };
    assert_eq!(log.read(0, 3, whole(0)).len, size);
    assert_eq!(log.read(0, 1, whole(1 << 20)).len, size);
    assert_eq!(log.read(0, 2, whole(size + 5)).len, size + 5);
    assert_eq!(log.read(0, 3, whole(2 * size + 100)).len, 2 * size + 100);
    let limited = Limit { bytes: size - 1, first: FirstBatch::Limited };
    assert_eq!(log.read(0, 3, limited).len, 0);
    assert_eq!(log.read(3, 3, whole(1 << 20)).len, 0);
}

/// The offsets of all records, and the number of empty batches.
fn offsets(log: &Log) -> (Vec<i64>, usize) {
    let (mut offsets, mut empty) = (Vec::new(), 0);
    for bytes in log.batches(0) {
        let head = Head::read(&bytes).unwrap();
        batch::check_sum(&bytes, &head).unwrap();
        let places = batch::places(&bytes, &head).unwrap();
        empty += usize::from(places.is_empty());
        offsets.extend(places.into_iter().map(|(offset, _)| offset));
    }
    (offsets, empty)
}

#[test]
fn compaction_leaves_the_last_of_each_key_with_holes_and_an_empty_batch() {
    let keyed = |keys: &[&str]| {
        let add = |batch: BatchBuilder, key: &&str| batch.record(Some(key.as_bytes()), Some(b"v"));
        keys.iter().fold(BatchBuilder::at_time(9), add)
    };
    let mut log = Log::default();
    log.begin_epoch(0);
    for bytes in [
        keyed(&["a", "b", "c"]).build(),
        keyed(&["a"]).build(),
        keyed(&["b"]).producer(5, 0, 0).build(),
        keyed(&["b", "b"]).build(),
    ] {
        log.append(&bytes, Head::read(&bytes).unwrap(), (0, None)).unwrap();
    }
    log.compact().unwrap();
    // "c", the last "a", nothing of producer 5 but its batch, and the newest batch untouched.
    assert_eq!(offsets(&log), (vec![2, 3, 5, 6], 1));
    assert_eq!((log.start(), log.end()), (0, 7));
    let first = Head::read(&log.batches(0).next().unwrap()).unwrap();
    assert_eq!((first.base_offset, first.last_offset_delta, first.record_count), (0, 2, 1));
    log.compact().unwrap();
    assert_eq!(offsets(&log), (vec![2, 3, 5, 6], 1));
}
