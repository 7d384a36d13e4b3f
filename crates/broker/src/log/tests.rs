//! What a log keeps when its ends move.

use bytes::Bytes;

use super::{FirstBatch, Limit, Log};
use crate::batch::{BatchBuilder, Head};

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
