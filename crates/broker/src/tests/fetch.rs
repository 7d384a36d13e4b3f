//! What do consumers get, when, and how much?

use super::talk::{Talk, batch, fetch_request, read, t0, told, values};
use crate::{BatchBuilder, BrokerId, ErrorCode, Marker, Options, TopicPartition};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_response::FetchResponse;

fn waiting(tps: &[(TopicPartition, i64)], millis: i32) -> FetchRequest {
    fetch_request(tps).with_max_wait_ms(millis).with_session_epoch(-1)
}

/// The answer to a fetch that was sent before.
fn late(talk: &mut Talk, correlation: i32) -> Option<FetchResponse> {
    talk.answer().map(|answer| read::<FetchRequest>(11, correlation, answer))
}

#[test]
fn a_fetch_waits_for_data_and_is_woken_by_it() {
    let mut talk = Talk::start();
    let asked = talk.send(11, &waiting(&[(t0(), 0)], 500));
    assert_eq!(talk.answer(), None);
    talk.wait(100);
    assert_eq!(talk.answer(), None);
    talk.cluster.append(&t0(), &batch(&["a"], None)).unwrap();
    let answer = late(&mut talk, asked).expect("woken by the append");
    assert_eq!(values(&answer.responses[0].partitions[0]), ["a"]);
    assert_eq!(talk.cluster.poll_timeout(), None);
}

#[test]
fn a_fetch_that_waits_in_vain_answers_at_its_time() {
    let mut talk = Talk::start();
    let asked = talk.send(11, &waiting(&[(t0(), 0)], 500));
    assert_eq!(talk.cluster.poll_timeout(), Some(std::time::Duration::from_millis(500)));
    talk.wait(499);
    assert_eq!(talk.answer(), None);
    talk.wait(1);
    let answer = late(&mut talk, asked).expect("at its time");
    assert!(values(&answer.responses[0].partitions[0]).is_empty());
}

#[test]
fn a_fetch_waits_until_min_bytes_are_there() {
    let mut talk = Talk::start();
    let one = batch(&["a"], None);
    let enough = i32::try_from(one.len()).unwrap() * 2;
    let asked = talk.send(11, &waiting(&[(t0(), 0)], 500).with_min_bytes(enough));
    talk.cluster.append(&t0(), &one).unwrap();
    assert_eq!(talk.answer(), None);
    talk.cluster.append(&t0(), &one).unwrap();
    let answer = late(&mut talk, asked).expect("enough");
    assert_eq!(values(&answer.responses[0].partitions[0]).len(), 2);
}

#[test]
fn requests_behind_a_waiting_fetch_are_answered_after_it_in_order() {
    let mut talk = Talk::start();
    let first = talk.send(11, &waiting(&[(t0(), 0)], 500));
    let second = talk.send(11, &waiting(&[(t0(), 0)], 0));
    assert_eq!(talk.answer(), None);
    talk.wait(500);
    assert!(late(&mut talk, first).is_some());
    assert!(late(&mut talk, second).is_some());
}

#[test]
fn the_first_batch_comes_whole_and_later_ones_may_be_cut() {
    let mut talk = Talk::start();
    let long = "x".repeat(5_000);
    for _ in 0..3 {
        talk.produce(&t0(), &[&long]);
    }
    let size = batch(&[&long], None).len();
    let got = |talk: &mut Talk, most: usize| {
        let mut request = waiting(&[(t0(), 1)], 0);
        request.topics[0].partitions[0].partition_max_bytes = i32::try_from(most).unwrap();
        let answer = talk.ask(11, &request);
        answer.responses[0].partitions[0].records.clone().unwrap_or_default().len()
    };
    assert_eq!(got(&mut talk, 1), size);
    assert_eq!(got(&mut talk, size), size);
    assert_eq!(got(&mut talk, size + 100), size + 100);
    assert_eq!(got(&mut talk, 10 * size), 2 * size);
}

#[test]
fn max_bytes_hold_for_the_whole_answer_and_one_batch_always_comes() {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t", 3).unwrap();
    let tps: Vec<_> = (0..3).map(|index| (TopicPartition::new("t", index), 0)).collect();
    for (tp, _) in &tps {
        talk.produce(tp, &["x".repeat(1_000).as_str()]);
    }
    let answer = talk.ask(11, &waiting(&tps, 0).with_max_bytes(10));
    let counts: Vec<_> = told(&answer).into_iter().map(|(_, _, values)| values.len()).collect();
    assert_eq!(counts, [1, 0, 0]);
}

#[test]
fn a_fetch_inside_a_batch_gets_the_whole_batch() {
    let mut talk = Talk::start();
    talk.produce(&t0(), &["a", "b", "c"]);
    assert_eq!(talk.values(&t0(), 1), ["a", "b", "c"]);
}

#[test]
fn offsets_outside_the_log_are_out_of_range() {
    let mut talk = Talk::start();
    talk.produce(&t0(), &["a"]);
    talk.produce(&t0(), &["b"]);
    talk.cluster.delete_records(&t0(), 1).unwrap();
    let code = |talk: &mut Talk, offset| ErrorCode(talk.fetch(&t0(), offset).error_code);
    assert_eq!(code(&mut talk, 0), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(code(&mut talk, 1), ErrorCode::NONE);
    assert_eq!(code(&mut talk, 2), ErrorCode::NONE);
    assert_eq!(code(&mut talk, 3), ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn records_past_the_high_watermark_are_not_shown() {
    let mut talk = Talk::start();
    talk.produce(&t0(), &["a"]);
    talk.cluster.hold_high_watermark(&t0(), Some(1)).unwrap();
    talk.produce(&t0(), &["b"]);
    assert_eq!(talk.values(&t0(), 0), ["a"]);
    assert_eq!(talk.fetch(&t0(), 0).high_watermark, 1);
    let asked = talk.send(11, &waiting(&[(t0(), 1)], 500));
    assert_eq!(talk.answer(), None);
    talk.cluster.hold_high_watermark(&t0(), None).unwrap();
    assert!(late(&mut talk, asked).is_some());
}

#[test]
fn leader_epochs_are_compared() {
    let mut talk = Talk::with(Options::default().nodes(2));
    talk.cluster.create_topic("t", 1).unwrap();
    talk.cluster.move_leader(&t0(), BrokerId(1)).unwrap();
    assert_eq!(talk.cluster.leader(&t0()), Some((BrokerId(1), 1)));
    let code = |talk: &mut Talk, epoch| {
        let mut request = waiting(&[(t0(), 0)], 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        ErrorCode(talk.ask(11, &request).responses[0].partitions[0].error_code)
    };
    assert_eq!(code(&mut talk, 0), ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!(code(&mut talk, 1), ErrorCode::NONE);
    assert_eq!(code(&mut talk, 2), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(code(&mut talk, -1), ErrorCode::NONE);
}

#[test]
fn a_leader_that_moves_away_is_told_at_once_with_its_address() {
    let mut talk = Talk::with(Options::default().nodes(2));
    talk.cluster.create_topic("t", 1).unwrap();
    let request = talk.by_id(fetch_request(&[(t0(), 0)]).with_max_wait_ms(500));
    let asked = talk.send(16, &request.with_session_epoch(-1));
    assert_eq!(talk.answer(), None);
    talk.cluster.move_leader(&t0(), BrokerId(2)).unwrap();
    let answer = read::<FetchRequest>(16, asked, talk.answer().expect("at once"));
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(ErrorCode(partition.error_code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(partition.current_leader.leader_id.0, 2);
    assert_eq!(partition.current_leader.leader_epoch, 1);
    assert_eq!(answer.node_endpoints[0].host.to_string(), "broker-2");
}

#[test]
fn a_log_that_was_cut_tells_where_it_parted() {
    let mut talk = Talk::start();
    talk.produce(&t0(), &["a"]);
    talk.produce(&t0(), &["b"]);
    talk.cluster.truncate(&t0(), 1).unwrap();
    talk.produce(&t0(), &["c"]);
    let mut request = waiting(&[(t0(), 2)], 500);
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let answer = talk.ask(12, &request);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    assert_eq!((partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset), (0, 1));
    assert!(values(partition).is_empty());
}

#[test]
fn open_transactions_hide_what_follows_from_readers_of_committed_records() {
    let mut talk = Talk::start();
    let open = BatchBuilder::at_time(0).producer(9, 0, 0).transactional();
    talk.cluster.append(&t0(), &open.record(Some(b"k"), Some(b"maybe")).build()).unwrap();
    talk.produce(&t0(), &["plain"]);
    let committed = waiting(&[(t0(), 0)], 0).with_isolation_level(1);
    let answer = talk.ask(11, &committed);
    assert!(values(&answer.responses[0].partitions[0]).is_empty());
    assert_eq!(answer.responses[0].partitions[0].last_stable_offset, 0);
    assert_eq!(talk.values(&t0(), 0), ["maybe", "plain"]);
    talk.cluster.append(&t0(), &BatchBuilder::marker(1, (9, 0), Marker::Abort)).unwrap();
    let answer = talk.ask(11, &committed);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.last_stable_offset, 3);
    let aborted = partition.aborted_transactions.as_ref().unwrap();
    assert_eq!((aborted.len(), aborted[0].producer_id.0, aborted[0].first_offset), (1, 9, 0));
}

#[test]
fn a_topic_that_does_not_exist_is_an_error_by_name_and_by_id() {
    let mut talk = Talk::start();
    let code = talk.fetch(&TopicPartition::new("nope", 0), 0).error_code;
    assert_eq!(ErrorCode(code), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let by_id = talk.by_id(waiting(&[(t0(), 0)], 500));
    let asked = talk.send(13, &by_id);
    assert_eq!(talk.answer(), None);
    talk.cluster.delete_topic("t").unwrap();
    let answer = read::<FetchRequest>(13, asked, talk.answer().expect("woken by the deletion"));
    let code = answer.responses[0].partitions[0].error_code;
    assert_eq!(ErrorCode(code), ErrorCode::UNKNOWN_TOPIC_ID);
}
