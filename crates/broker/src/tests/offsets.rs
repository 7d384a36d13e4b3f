//! Offsets by time, ends of epochs, starts of logs.

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};

use super::talk::{Talk, t0, topic_name};
use crate::BatchBuilder;

fn at(talk: &mut Talk, time: i64) -> (i64, i64, i32) {
    at_isolation(talk, time, 0)
}

fn at_isolation(talk: &mut Talk, time: i64, isolation: i8) -> (i64, i64, i32) {
    let partition =
        ListOffsetsPartition::default().with_timestamp(time).with_current_leader_epoch(-1);
    let topic =
        ListOffsetsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    let request =
        ListOffsetsRequest::default().with_isolation_level(isolation).with_topics(vec![topic]);
    let answer = talk.ask(8, &request);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.offset, partition.timestamp, partition.leader_epoch)
}

/// Records at 100, 200, 300 in one batch and at 250, 400 in the next.
fn two_batches() -> Talk {
    let mut talk = Talk::start();
    let value = Some(b"v".as_slice());
    let first = BatchBuilder::at_time(100)
        .record_at(0, None, value)
        .record_at(100, None, value)
        .record_at(200, None, value);
    let second = BatchBuilder::at_time(250).record_at(0, None, value).record_at(150, None, value);
    talk.cluster.append(&t0(), &first.build()).unwrap();
    talk.cluster.append(&t0(), &second.build()).unwrap();
    talk
}

#[test]
fn a_time_finds_the_first_record_at_or_after_it_inside_its_batch() {
    let mut talk = two_batches();
    assert_eq!(at(&mut talk, 0), (0, 100, 0));
    assert_eq!(at(&mut talk, 101), (1, 200, 0));
    assert_eq!(at(&mut talk, 200), (1, 200, 0));
    assert_eq!(at(&mut talk, 201), (2, 300, 0));
    assert_eq!(at(&mut talk, 301), (4, 400, 0));
    assert_eq!(at(&mut talk, 401), (-1, -1, -1));
}

#[test]
fn earliest_latest_and_the_largest_time() {
    let mut talk = two_batches();
    assert_eq!(at(&mut talk, -1), (5, -1, 0));
    assert_eq!(at(&mut talk, -2), (0, -1, 0));
    assert_eq!(at(&mut talk, -3), (4, 400, 0));
    talk.cluster.delete_records(&t0(), 1).unwrap();
    assert_eq!(at(&mut talk, -2), (1, -1, 0));
    assert_eq!(at(&mut talk, -4), (1, -1, 0));
    assert_eq!(at(&mut talk, 0), (1, 200, 0));
}

#[test]
fn the_latest_offset_stops_at_an_open_transaction_for_committed_reads() {
    let mut talk = two_batches();
    let open = BatchBuilder::at_time(500).producer(9, 0, 0).transactional();
    talk.cluster.append(&t0(), &open.record(None, Some(b"v")).build()).unwrap();
    assert_eq!(at_isolation(&mut talk, -1, 0).0, 6);
    assert_eq!(at_isolation(&mut talk, -1, 1).0, 5);
}

fn end_of(talk: &mut Talk, epoch: i32) -> (i32, i64) {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(-1)
        .with_leader_epoch(epoch);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(topic_name("t"))
        .with_partitions(vec![partition]);
    let request = OffsetForLeaderEpochRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![topic]);
    let answer = talk.ask(3, &request);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.leader_epoch, partition.end_offset)
}

#[test]
fn ends_of_epochs_follow_kip_101() {
    let mut talk = Talk::start();
    let node = crate::BrokerId(1);
    talk.produce(&t0(), &["a", "b"]);
    // Epoch 1 writes nothing and leaves no trace, epoch 2 writes one record.
    talk.cluster.move_leader(&t0(), node).unwrap();
    talk.cluster.move_leader(&t0(), node).unwrap();
    talk.produce(&t0(), &["c"]);
    assert_eq!(end_of(&mut talk, 0), (0, 2));
    assert_eq!(end_of(&mut talk, 1), (0, 2));
    assert_eq!(end_of(&mut talk, 2), (2, 3));
    assert_eq!(end_of(&mut talk, 3), (-1, -1));
    assert_eq!(end_of(&mut talk, -1), (-1, -1));
}

#[test]
fn holes_are_passed_over() {
    let mut talk = Talk::start();
    let value = Some(b"v".as_slice());
    let sparse = BatchBuilder::at_time(1).base_offset(3).record(None, value).hole(4).build();
    talk.cluster.append_at_its_offset(&t0(), &sparse).unwrap();
    assert_eq!(talk.cluster.high_watermark(&t0()), Some(8));
    assert_eq!(talk.values(&t0(), 0).len(), 1);
    assert_eq!(at(&mut talk, 1), (3, 1, -1));
    assert_eq!(talk.produce(&t0(), &["a"]), 8);
}
