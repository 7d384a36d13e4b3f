//! What is accepted from producers, and what is not?

use bytes::{Bytes, BytesMut};

use super::talk::{Talk, batch, produce_request, t0, text};
use crate::{BatchBuilder, ErrorCode, Options, Output};

fn refused(talk: &mut Talk, records: Bytes) -> ErrorCode {
    let before = talk.cluster.high_watermark(&t0());
    let answer = talk.try_produce(&t0(), records);
    assert_eq!(talk.cluster.high_watermark(&t0()), before);
    assert!(answer.error_message.is_some());
    ErrorCode(answer.error_code)
}

#[test]
fn offsets_count_up_over_batches() {
    let mut talk = Talk::start();
    assert_eq!(talk.produce(&t0(), &["a", "b"]), 0);
    assert_eq!(talk.produce(&t0(), &["c"]), 2);
    assert_eq!(talk.cluster.high_watermark(&t0()), Some(3));
    assert_eq!(talk.values(&t0(), 2), ["c"]);
}

#[test]
fn every_flipped_bit_of_a_batch_is_noticed() {
    let whole = batch(&["a", "b"], None);
    for bit in 0..whole.len() * 8 {
        // The base offset and the leader epoch are the broker's to write, and not covered.
        if (0..64).contains(&bit) || (96..128).contains(&bit) {
            continue;
        }
        let mut talk = Talk::start();
        let mut bytes = BytesMut::from(whole.as_ref());
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&mut talk, bytes.freeze());
    }
}

#[test]
fn batches_that_are_not_one_whole_batch_of_format_2_are_refused() {
    let mut talk = Talk::start();
    let whole = batch(&["a"], None);
    assert_eq!(refused(&mut talk, Bytes::new()), ErrorCode::INVALID_RECORD);
    let two = [whole.as_ref(), whole.as_ref()].concat();
    assert_eq!(refused(&mut talk, two.into()), ErrorCode::INVALID_RECORD);
    let mut old = BytesMut::from(whole.as_ref());
    old[16] = 1;
    assert_eq!(refused(&mut talk, old.freeze()), ErrorCode::INVALID_RECORD);
    let empty = BatchBuilder::at_time(0).build();
    assert_eq!(refused(&mut talk, empty), ErrorCode::INVALID_RECORD);
    let hole = BatchBuilder::at_time(0).record(None, None).hole(2).record(None, None).build();
    assert_eq!(refused(&mut talk, hole), ErrorCode::INVALID_RECORD);
    let control = BatchBuilder::marker(0, (1, 0), crate::Marker::Abort);
    let unnamed = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    assert_eq!(refused(&mut talk, control.clone()), unnamed);
    let named = produce_request(&t0(), control, -1).with_transactional_id(Some(text("x").into()));
    let code = talk.ask(9, &named).responses[0].partition_responses[0].error_code;
    assert_eq!(ErrorCode(code), ErrorCode::INVALID_RECORD);
}

#[test]
fn a_batch_over_the_topics_limit_is_too_large() {
    let mut talk = Talk::start();
    talk.cluster.configure_topic("t", "max.message.bytes", "200").unwrap();
    let long = batch(&["x".repeat(200).as_str()], None);
    assert_eq!(refused(&mut talk, long), ErrorCode::MESSAGE_TOO_LARGE);
    talk.produce(&t0(), &["short"]);
}

#[test]
fn a_compacted_topic_wants_keys() {
    let mut talk = Talk::start();
    talk.cluster.configure_topic("t", "cleanup.policy", "compact").unwrap();
    let keyless = BatchBuilder::at_time(0).record(None, Some(b"v")).build();
    assert_eq!(refused(&mut talk, keyless), ErrorCode::INVALID_RECORD);
    talk.produce(&t0(), &["with a key"]);
}

#[test]
fn what_does_not_fit_into_memory_is_refused_and_nothing_is_dropped() {
    let mut talk = Talk::with(Options::default().memory(20_000));
    talk.cluster.create_topic("t", 1).unwrap();
    let value = "x".repeat(1_000);
    let mut kept = 0;
    while talk.try_produce(&t0(), batch(&[&value], None)).error_code == 0 {
        kept += 1;
    }
    assert!((12..20).contains(&kept), "{kept}");
    assert_eq!(refused(&mut talk, batch(&[&value], None)), ErrorCode::POLICY_VIOLATION);
    assert_eq!(talk.values(&t0(), 0).len(), kept);
    talk.cluster.delete_records(&t0(), 5).unwrap();
    talk.produce(&t0(), &[&value]);
    talk.cluster.delete_topic("t").unwrap();
    assert_eq!(talk.cluster.memory_used(), 0);
}

#[test]
fn the_same_batch_again_gets_its_first_offset_and_is_kept_once() {
    let mut talk = Talk::start();
    for sequence in 0..5 {
        let answer = talk.try_produce(&t0(), batch(&["v"], Some((7, 0, sequence))));
        assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(sequence)));
    }
    for sequence in 0..5 {
        let again = talk.try_produce(&t0(), batch(&["v"], Some((7, 0, sequence))));
        assert_eq!((again.error_code, again.base_offset), (0, i64::from(sequence)));
    }
    assert_eq!(talk.cluster.high_watermark(&t0()), Some(5));
    // A sixth pushes the first out of what is remembered.
    assert_eq!(talk.try_produce(&t0(), batch(&["v"], Some((7, 0, 5)))).error_code, 0);
    let forgotten = refused(&mut talk, batch(&["v"], Some((7, 0, 0))));
    assert_eq!(forgotten, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn sequences_and_epochs_must_be_in_order() {
    let mut talk = Talk::start();
    assert_eq!(talk.try_produce(&t0(), batch(&["a", "b"], Some((7, 1, 0)))).error_code, 0);
    let gap = refused(&mut talk, batch(&["d"], Some((7, 1, 3))));
    assert_eq!(gap, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let old = refused(&mut talk, batch(&["c"], Some((7, 0, 2))));
    assert_eq!(old, ErrorCode::INVALID_PRODUCER_EPOCH);
    let late_start = refused(&mut talk, batch(&["c"], Some((7, 2, 2))));
    assert_eq!(late_start, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(talk.try_produce(&t0(), batch(&["c"], Some((7, 2, 0)))).error_code, 0);
    // A producer of which nothing is known may begin anywhere.
    assert_eq!(talk.try_produce(&t0(), batch(&["x"], Some((8, 0, 40)))).error_code, 0);
}

#[test]
fn sequences_wrap_to_zero() {
    let mut talk = Talk::start();
    let last = batch(&["a"], Some((7, 0, i32::MAX)));
    assert_eq!(talk.try_produce(&t0(), last).error_code, 0);
    assert_eq!(talk.try_produce(&t0(), batch(&["b"], Some((7, 0, 0)))).error_code, 0);
}

#[test]
fn acks_zero_gets_no_answer_and_the_next_request_is_served() {
    let mut talk = Talk::start();
    talk.send(9, &produce_request(&t0(), batch(&["a"], None), 0));
    let done = Output::Done { connection: talk.connection };
    assert_eq!(talk.cluster.poll_output(), Some(done));
    assert_eq!(talk.values(&t0(), 0), ["a"]);
    let answer = talk.ask(9, &produce_request(&t0(), batch(&["b"], None), 2));
    let code = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(ErrorCode(code), ErrorCode::INVALID_REQUIRED_ACKS);
}

#[test]
fn log_append_time_is_the_brokers_clock_and_the_checksum_holds() {
    let mut talk = Talk::with(Options::default().wall_clock(5_000_000));
    talk.cluster.create_topic("t", 1).unwrap();
    talk.cluster.configure_topic("t", "message.timestamp.type", "LogAppendTime").unwrap();
    talk.wait(250);
    let answer = talk.try_produce(&t0(), batch(&["a"], None));
    assert_eq!(answer.log_append_time_ms, 5_000_250);
    // kafka-protocol checks the checksum when it decodes.
    assert_eq!(talk.values(&t0(), 0), ["a"]);
}
