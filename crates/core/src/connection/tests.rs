//! A connection as a talk in bytes.

use super::*;
use forebay_protocol::messages::api_versions_response::ApiVersion;
use forebay_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use forebay_protocol::wire::Message;
use forebay_protocol::{frame::FrameError, request};

#[derive(Debug, Eq, PartialEq)]
struct Ask(u32);

impl Call for Ask {
    fn api(&self) -> ApiKey {
        ApiKey::Metadata
    }

    fn encode(&self, version: i16, correlation: i32, client_id: &Str) -> Result<Vec<Bytes>, Fault> {
        let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
        Ok(request::encode_parts(&request, version, correlation, Some(client_id))?)
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

const TIMEOUT: Duration = Duration::from_secs(30);

fn config() -> Config {
    Config {
        client_id: Str::from_static("test"),
        setup_timeout: Duration::from_secs(10),
        max_idle: Duration::from_secs(180),
        receive_max_bytes: 1 << 20,
        max_in_flight: 3,
    }
}

fn outputs(connection: &mut Connection<Ask>) -> Vec<Output<Ask>> {
    std::iter::from_fn(|| connection.poll_output()).collect()
}

/// How many requests were written; nothing else may have been said.
fn written(connection: &mut Connection<Ask>) -> usize {
    let said = outputs(connection);
    assert!(said.iter().all(|output| matches!(output, Output::Write(_))), "{said:?}");
    said.len()
}

fn read(connection: &mut Connection<Ask>, now: Instant, bytes: &[u8]) {
    connection.room().extend_from_slice(bytes);
    connection.handle_read(now);
}

/// The answer of a broker that speaks Metadata from `min` to `max`.
fn versions(correlation: i32, version: i16, (min, max): (i16, i16)) -> Bytes {
    let row = ApiVersion { api_key: 3, min_version: min, max_version: max };
    let answer = ApiVersionsResponse { api_keys: vec![row], ..Default::default() };
    response::encode::<ApiVersionsRequest>(&answer, version, correlation).unwrap()
}

/// Any answer: the machine looks at the correlation id alone.
fn frame(correlation: i32) -> Vec<u8> {
    [&8_i32.to_be_bytes()[..], &correlation.to_be_bytes(), b"body"].concat()
}

fn ready() -> Connection<Ask> {
    let mut connection = Connection::new(config(), at(0));
    assert_eq!(written(&mut connection), 1);
    read(&mut connection, at(0), &versions(0, ApiVersionsRequest::MAX_VERSION, (0, 9)));
    assert!(matches!(outputs(&mut connection)[..], [Output::Ready(_)]));
    connection
}

fn closed_with(connection: &mut Connection<Ask>) -> Fault {
    match outputs(connection).pop() {
        Some(Output::Close(fault)) => fault,
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn a_broker_that_does_not_know_our_handshake_is_asked_again_in_version_0() {
    let mut connection = Connection::new(config(), at(0));
    outputs(&mut connection);
    let refusal = ApiVersionsResponse { error_code: 35, ..Default::default() };
    let refusal = response::encode::<ApiVersionsRequest>(&refusal, 0, 0).unwrap();
    read(&mut connection, at(1), &refusal);
    assert_eq!(written(&mut connection), 1);
    read(&mut connection, at(2), &versions(1, 0, (0, 4)));
    let said = outputs(&mut connection);
    let [Output::Ready(versions)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(versions.meet(ApiKey::Metadata, (0, i16::MAX)), Ok(4));
}

#[test]
fn a_refused_handshake_and_a_second_refusal_close() {
    for (first, second, code) in [(58, None, 58), (35, Some(35), 35)] {
        let mut connection = Connection::new(config(), at(0));
        let refuse = |code, correlation| {
            let refusal = ApiVersionsResponse { error_code: code, ..Default::default() };
            response::encode::<ApiVersionsRequest>(&refusal, 0, correlation).unwrap()
        };
        read(&mut connection, at(1), &refuse(first, 0));
        if let Some(second) = second {
            read(&mut connection, at(2), &refuse(second, 1));
        }
        let fault = closed_with(&mut connection);
        assert!(
            matches!(fault, Fault::Refused { code: found } if found == code)
                || matches!(fault, Fault::Malformed(_)),
            "{fault:?}"
        );
    }
}

#[test]
fn requests_wait_for_the_handshake_and_then_leave_up_to_the_limit() {
    let mut connection = Connection::new(config(), at(0));
    for number in 0..5 {
        connection.handle_call(at(0), Ask(number), TIMEOUT);
    }
    assert_eq!(written(&mut connection), 1, "the handshake alone");
    read(&mut connection, at(1), &versions(0, ApiVersionsRequest::MAX_VERSION, (0, 9)));
    let said = outputs(&mut connection);
    assert_eq!(said.len(), 1 + 3, "ready, and three of five");
    read(&mut connection, at(2), &frame(0));
    let said = outputs(&mut connection);
    assert!(
        matches!(&said[..], [Output::Answer { call: Ask(0), version: 9, .. }, Output::Write(_)]),
        "{said:?}"
    );
}

#[test]
fn an_answer_out_of_turn_closes_and_fails_what_was_sent() {
    let mut connection = ready();
    connection.handle_call(at(0), Ask(0), TIMEOUT);
    connection.handle_call(at(0), Ask(1), TIMEOUT);
    outputs(&mut connection);
    read(&mut connection, at(1), &frame(1));
    let fault = Fault::Correlation { expected: 0, found: 1 };
    assert_eq!(
        outputs(&mut connection),
        [
            Output::Fail { call: Ask(0), fault: fault.clone() },
            Output::Fail { call: Ask(1), fault: fault.clone() },
            Output::Close(fault),
        ]
    );
    connection.handle_call(at(2), Ask(2), TIMEOUT);
    assert_eq!(outputs(&mut connection), [Output::Return { call: Ask(2) }]);
}

#[test]
fn an_answer_that_nobody_asked_for_closes() {
    let mut connection = ready();
    read(&mut connection, at(1), &frame(0));
    assert_eq!(closed_with(&mut connection), Fault::Unasked);
}

#[test]
fn frames_that_cannot_be_and_other_protocols_close() {
    let negative = FrameError::Negative { len: -1 };
    let large = FrameError::TooLarge { len: 1 << 21, limit: 1 << 20 };
    for (bytes, expected) in [
        (&[0xff, 0xff, 0xff, 0xff][..], Some(negative)),
        (&[0, 0x20, 0, 0][..], Some(large)),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
        (&[0x15, 3, 3, 0, 2, 2, 10], None),
    ] {
        let mut connection = Connection::new(config(), at(0));
        read(&mut connection, at(1), bytes);
        match (closed_with(&mut connection), expected) {
            (Fault::Frame(found), Some(expected)) => assert_eq!(found, expected),
            (Fault::Frame(FrameError::NotKafka(_)), None) => {}
            (fault, _) => panic!("{fault:?}"),
        }
    }
}

#[test]
fn a_peer_that_never_answers_the_handshake_is_given_up() {
    let mut connection = Connection::new(config(), at(0));
    connection.handle_call(at(0), Ask(0), TIMEOUT);
    outputs(&mut connection);
    assert_eq!(connection.poll_timeout(at(0)), Some(at(10_000)));
    connection.handle_timeout(at(10_000));
    let fault = Fault::Setup { after: Duration::from_secs(10) };
    let said = outputs(&mut connection);
    assert_eq!(said, [Output::Return { call: Ask(0) }, Output::Close(fault)]);
}

#[test]
fn a_late_answer_closes_and_names_the_api() {
    let mut connection = ready();
    connection.handle_call(at(0), Ask(0), TIMEOUT);
    outputs(&mut connection);
    connection.handle_timeout(at(29_999));
    assert_eq!(outputs(&mut connection), []);
    connection.handle_timeout(at(30_000));
    assert_eq!(closed_with(&mut connection), Fault::Timeout { api: "Metadata", after: TIMEOUT });
}

#[test]
fn quiet_time_holds_requests_back_and_counts_for_no_deadline() {
    let mut connection = ready();
    connection.handle_call(at(0), Ask(0), TIMEOUT);
    outputs(&mut connection);
    connection.handle_throttle(at(1000), Duration::from_secs(20));
    connection.handle_call(at(1000), Ask(1), TIMEOUT);
    assert_eq!(written(&mut connection), 0);
    connection.handle_timeout(at(21_000));
    assert_eq!(written(&mut connection), 1);
    connection.handle_timeout(at(49_999));
    assert_eq!(outputs(&mut connection), [], "20 s of 50 do not count");
    connection.handle_timeout(at(50_000));
    assert!(matches!(closed_with(&mut connection), Fault::Timeout { .. }));
}

#[test]
fn an_idle_connection_is_closed_and_a_used_one_is_not() {
    let mut connection = ready();
    connection.handle_call(at(100_000), Ask(0), Duration::from_secs(600));
    outputs(&mut connection);
    connection.handle_timeout(at(180_000));
    assert_eq!(outputs(&mut connection), [], "an answer is awaited");
    read(&mut connection, at(200_000), &frame(0));
    outputs(&mut connection);
    connection.handle_timeout(at(379_999));
    assert_eq!(outputs(&mut connection), []);
    connection.handle_timeout(at(380_000));
    assert_eq!(closed_with(&mut connection), Fault::ClosedHere);
}

#[test]
fn an_api_that_the_broker_does_not_offer_fails_alone() {
    let mut connection = Connection::new(config(), at(0));
    read(&mut connection, at(0), &versions(0, ApiVersionsRequest::MAX_VERSION, (90, 99)));
    outputs(&mut connection);
    connection.handle_call(at(0), Ask(0), TIMEOUT);
    let said = outputs(&mut connection);
    assert!(
        matches!(&said[..], [Output::Fail { fault: Fault::Unsupported { .. }, .. }]),
        "{said:?}"
    );
    assert!(!connection.is_closed());
}

/// Bytes from nowhere, cut anywhere: never a panic, and never an answer to what was not asked.
#[test]
fn whatever_comes_the_connection_serves_or_closes() {
    let mut rng = crate::rng::Rng::from_seed(8);
    for _ in 0..2000 {
        let mut connection = ready();
        connection.handle_call(at(0), Ask(0), TIMEOUT);
        outputs(&mut connection);
        let len = rng.below(40);
        let mut bytes: Vec<u8> = (0..len).map(|_| rng.any().to_le_bytes()[0]).collect();
        if rng.below(2) == 0 {
            bytes.splice(0..0, frame(0));
        }
        for piece in bytes.chunks(1 + rng.below(9)) {
            read(&mut connection, at(1), piece);
        }
        let said = outputs(&mut connection);
        let answers = said.iter().filter(|output| matches!(output, Output::Answer { .. })).count();
        assert!(answers <= 1);
        if connection.is_closed() {
            assert!(matches!(said.last(), Some(Output::Close(_))));
        }
    }
}
