//! What goes by age and by size, when it is told to, and how clients hear of it?

use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};

use super::talk::{Talk, t0, topic_name};
use crate::{BatchBuilder, ErrorCode, Options};

const NOW: i64 = 1_000_000;

/// Four batches of two records each, of these ages in milliseconds; the size of one.
fn aged(ages: [i64; 4]) -> (Talk, usize) {
    let mut talk = Talk::with(Options::default().wall_clock(NOW));
    talk.cluster.create_topic("t", 1).unwrap();
    let mut size = 0;
    for age in ages {
        let batch = BatchBuilder::at_time(NOW - age).record(None, Some(b"a"));
        let batch = batch.record(None, Some(b"b")).build();
        size = batch.len();
        talk.cluster.append(&t0(), &batch).unwrap();
    }
    (talk, size)
}

fn earliest(talk: &mut Talk) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-2);
    let topic =
        ListOffsetsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    talk.ask(5, &ListOffsetsRequest::default().with_topics(vec![topic])).topics[0].partitions[0]
        .offset
}

/// Where the log starts after retention with these settings.
fn start(talk: &mut Talk, settings: &[(&str, &str)]) -> i64 {
    for (key, value) in settings {
        talk.cluster.configure_topic("t", key, value).unwrap();
    }
    talk.cluster.apply_retention(&t0()).unwrap()
}

#[test]
fn what_is_too_old_goes_when_told_and_clients_hear_of_it() {
    let (mut talk, _) = aged([900, 600, 300, 0]);
    let used = talk.cluster.memory_used();
    talk.cluster.configure_topic("t", "retention.ms", "500").unwrap();
    assert_eq!((earliest(&mut talk), talk.values(&t0(), 0).len()), (0, 8));
    assert_eq!(talk.cluster.apply_retention(&t0()).unwrap(), 4);
    assert_eq!((earliest(&mut talk), talk.cluster.log_start(&t0())), (4, Some(4)));
    let missed = talk.fetch(&t0(), 3);
    assert_eq!(ErrorCode(missed.error_code), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(talk.fetch(&t0(), 4).log_start_offset, 4);
    assert_eq!(talk.values(&t0(), 4).len(), 4);
    assert!(talk.cluster.memory_used() < used);
    // Time goes on: the next is too old, too; the end stays where it is.
    talk.wait(10_000);
    assert_eq!(talk.cluster.apply_retention(&t0()).unwrap(), 8);
    assert_eq!(talk.cluster.high_watermark(&t0()), Some(8));
}

#[test]
fn a_young_batch_keeps_the_old_ones_behind_it() {
    let (mut talk, _) = aged([900, 0, 900, 900]);
    assert_eq!(start(&mut talk, &[("retention.ms", "500")]), 2);
}

#[test]
fn what_is_too_much_goes_as_whole_batches_while_enough_is_left() {
    let (mut talk, size) = aged([0, 0, 0, 0]);
    let mut keep = |bytes: usize| start(&mut talk, &[("retention.bytes", &bytes.to_string())]);
    assert_eq!(keep(4 * size), 0);
    assert_eq!(keep(3 * size + 1), 0);
    assert_eq!(keep(3 * size), 2);
    assert_eq!(keep(size), 6);
    assert_eq!(keep(0), 8);
}

#[test]
fn only_topics_that_delete_drop_and_never_what_may_not_be_read_yet() {
    let (mut talk, _) = aged([900, 900, 900, 900]);
    talk.cluster.hold_high_watermark(&t0(), Some(3)).unwrap();
    let age = ("retention.ms", "0");
    assert_eq!(start(&mut talk, &[age, ("cleanup.policy", "compact")]), 0);
    assert_eq!(start(&mut talk, &[("cleanup.policy", "compact,delete")]), 2);
    talk.cluster.hold_high_watermark(&t0(), None).unwrap();
    assert_eq!(start(&mut talk, &[("retention.ms", "-1")]), 2);
    assert_eq!(start(&mut talk, &[age]), 8);
    let nowhere = crate::TopicPartition::new("t", 9);
    let refused = talk.cluster.apply_retention(&nowhere).unwrap_err();
    assert_eq!(refused.code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}
