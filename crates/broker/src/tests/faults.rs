//! Does the fault script do what it says, as often as it says, and no more?

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiVersionsRequest, FindCoordinatorRequest, MetadataRequest};
use kafka_protocol::protocol::Request;

use super::talk::{Talk, batch, body, fetch_request, produce_request, read, t0, text};
use crate::{ApiKey, BrokerId, Effect, ErrorCode, Fault, Options, Output, TopicPartition};

fn metadata() -> MetadataRequest {
    MetadataRequest::default().with_topics(None)
}

#[test]
fn an_error_strikes_the_next_requests_of_its_api_and_nothing_is_done() {
    let mut talk = Talk::start();
    let fault = Fault::new(Effect::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    talk.cluster.script(fault.api(ApiKey::Produce).after(1).times(2));
    let codes: Vec<_> = (0..4)
        .map(|_| ErrorCode(talk.try_produce(&t0(), batch(&["a"], None)).error_code))
        .collect();
    let (ok, moved) = (ErrorCode::NONE, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(codes, [ok, moved, moved, ok]);
    assert_eq!(talk.cluster.high_watermark(&t0()), Some(2));
    assert_eq!(talk.cluster.script_pending(), 0);
}

#[test]
fn an_error_bound_to_a_partition_leaves_its_neighbours_alone() {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t", 2).unwrap();
    let other = TopicPartition::new("t", 1);
    let fault = Fault::new(Effect::Error(ErrorCode::UNKNOWN_LEADER_EPOCH));
    talk.cluster.script(fault.partition(other.clone()).times(u32::MAX));
    let answer = talk.ask(11, &fetch_request(&[(t0(), 0), (other, 0)]));
    let rows = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let codes: Vec<_> = rows.map(|row| ErrorCode(row.error_code)).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_LEADER_EPOCH]);
}

#[test]
fn a_fetch_error_stands_where_the_version_has_a_place_for_it() {
    let mut talk = Talk::start();
    let fault = Fault::new(Effect::Error(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    talk.cluster.script(fault.api(ApiKey::Fetch).times(2));
    let whole = talk.ask(11, &fetch_request(&[(t0(), 0)]));
    assert_eq!((whole.error_code, whole.responses.len()), (70, 0));
    let old = talk.ask(6, &fetch_request(&[(t0(), 0)]).with_session_epoch(-1));
    assert_eq!(old.responses[0].partitions[0].error_code, 70);
}

#[test]
fn a_late_answer_comes_at_its_time_and_was_done_at_once() {
    let mut talk = Talk::start();
    talk.cluster.script(Fault::new(Effect::Delay(Duration::from_secs(2))).api(ApiKey::Produce));
    talk.send(9, &produce_request(&t0(), batch(&["a"], None), -1));
    assert_eq!(talk.cluster.high_watermark(&t0()), Some(1));
    talk.wait(1_999);
    assert_eq!(talk.answer(), None);
    talk.wait(1);
    assert!(talk.answer().is_some());
}

#[test]
fn a_dropped_answer_was_done_and_the_next_request_is_answered() {
    let mut talk = Talk::start();
    talk.cluster.script(Fault::new(Effect::DropAnswer).api(ApiKey::Produce));
    talk.send(9, &produce_request(&t0(), batch(&["a"], None), -1));
    assert_eq!(talk.answer(), None);
    assert_eq!(talk.values(&t0(), 0), ["a"]);
}

/// What comes out after one Metadata request.
fn outputs(talk: &mut Talk) -> Vec<Output> {
    talk.send(5, &metadata());
    std::iter::from_fn(|| talk.cluster.poll_output()).collect()
}

#[test]
fn connections_close_before_or_after_the_deed() {
    for (effect, done) in [(Effect::Close, None), (Effect::DoAndClose, Some(1))] {
        let mut talk = Talk::start();
        talk.cluster.script(Fault::new(effect).api(ApiKey::Produce));
        talk.send(9, &produce_request(&t0(), batch(&["a"], None), -1));
        let close = Output::Close { connection: talk.connection, reason: None };
        let outputs: Vec<_> = std::iter::from_fn(|| talk.cluster.poll_output()).collect();
        assert_eq!(outputs.last(), Some(&close));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Send { .. })));
        assert_eq!(talk.cluster.high_watermark(&t0()), Some(done.unwrap_or(0)));
        assert_eq!(talk.cluster.connection_count(), 0);
    }
}

#[test]
fn a_cut_frame_ends_early_and_the_connection_closes() {
    let mut talk = Talk::start();
    talk.cluster.script(Fault::new(Effect::Cut(7)));
    let outputs = outputs(&mut talk);
    let [Output::Send { answer, .. }, Output::Close { .. }] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    assert_eq!(answer.to_bytes().len(), 7);
}

#[test]
fn an_answer_can_come_twice_or_under_a_wrong_number_or_be_garbage() {
    let mut talk = Talk::start();
    talk.cluster.script(Fault::new(Effect::Twice));
    assert!(matches!(outputs(&mut talk).as_slice(), [Output::Send { .. }, Output::Send { .. }]));
    talk.cluster.script(Fault::new(Effect::WrongCorrelationId));
    let wrong = outputs(&mut talk);
    let [Output::Send { answer, .. }] = wrong.as_slice() else { panic!("{wrong:?}") };
    assert_eq!(body(answer)[..4], 1_002i32.to_be_bytes());
    talk.cluster.script(Fault::new(Effect::Body(Bytes::from_static(b"odd"))));
    let odd = outputs(&mut talk);
    let [Output::Send { answer, .. }] = odd.as_slice() else { panic!("{odd:?}") };
    assert_eq!(body(answer), b"\0\0\0\x03odd".as_slice());
    talk.cluster.script(Fault::new(Effect::Garbage(Bytes::from_static(b"HTTP/1.1 400"))));
    let garbage = outputs(&mut talk);
    let [Output::Send { answer, .. }] = garbage.as_slice() else { panic!("{garbage:?}") };
    assert_eq!(answer.to_bytes(), "HTTP/1.1 400");
}

#[test]
fn throttling_is_told() {
    let mut talk = Talk::start();
    let fault = Fault::new(Effect::Throttle(Duration::from_millis(250)));
    talk.cluster.script(fault.times(3));
    assert_eq!(talk.ask(5, &metadata()).throttle_time_ms, 250);
    assert_eq!(talk.ask(11, &fetch_request(&[(t0(), 0)])).throttle_time_ms, 250);
    let produce = produce_request(&t0(), batch(&["a"], None), -1);
    assert_eq!(talk.ask(9, &produce).throttle_time_ms, 250);
    assert_eq!(talk.ask(5, &metadata()).throttle_time_ms, 0);
}

#[test]
fn faults_can_be_bound_to_a_node_or_a_client() {
    let mut talk = Talk::with(Options::default().nodes(2));
    talk.cluster.script(Fault::new(Effect::DropAnswer).node(BrokerId(2)));
    talk.cluster.script(Fault::new(Effect::DropAnswer).client_id("somebody else"));
    talk.ask(5, &metadata());
    talk.reconnect(2);
    talk.send(5, &metadata());
    assert_eq!(talk.answer(), None);
    assert_eq!(talk.cluster.script_pending(), 1);
    talk.cluster.clear_script();
    assert_eq!(talk.cluster.script_pending(), 0);
}

/// A fault without a partition reaches every API, wherever it has a place for a code.
#[test]
fn every_api_can_be_made_to_fail() {
    let mut talk = Talk::start();
    let fault = Fault::new(Effect::Error(ErrorCode::UNKNOWN_SERVER_ERROR));
    talk.cluster.script(fault.times(u32::MAX));
    assert_eq!(talk.ask(3, &ApiVersionsRequest::default()).error_code, -1);
    let find = FindCoordinatorRequest::default().with_key(text("g"));
    assert_eq!(talk.ask(3, &find).error_code, -1);
    assert_eq!(talk.ask(13, &metadata()).error_code, -1);
    assert_eq!(talk.fetch_error(), -1);
    assert_eq!(talk.try_produce(&t0(), batch(&["a"], None)).error_code, -1);
}

impl Talk {
    fn fetch_error(&mut self) -> i16 {
        self.ask(11, &fetch_request(&[(t0(), 0)])).error_code
    }
}

#[test]
fn requests_are_remembered_with_their_times() {
    let mut talk = Talk::start();
    talk.ask(5, &metadata());
    talk.wait(1_500);
    let id = talk.send(5, &metadata());
    let answer = talk.answer().unwrap();
    read::<MetadataRequest>(5, id, answer);
    let seen: Vec<_> = talk.cluster.requests().collect();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[1].at, seen[1].api), (Duration::from_millis(1_500), ApiKey::Metadata));
    assert_eq!((seen[1].version, seen[1].correlation_id), (5, id));
    assert_eq!(seen[1].client_id.as_deref(), Some("stranger"));
    assert_eq!(ApiKey::Metadata.code(), MetadataRequest::KEY);
    talk.cluster.clear_requests();
    assert_eq!(talk.cluster.requests().count(), 0);
}
