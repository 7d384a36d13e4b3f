//! Do all answers that tell addresses tell ours?

use forebay_protocol::messages::fetch_response::NodeEndpoint;
use forebay_protocol::messages::find_coordinator_response::Coordinator;
use forebay_protocol::messages::metadata_response::MetadataResponseBroker;

use super::*;

fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.add(("kafka-1", 9092), 40_001);
    routes
}

fn rewritten<R: Request>(answer: &R::Response, version: i16) -> Option<R::Response> {
    let whole = response::encode::<R>(answer, version, 7).unwrap();
    let what = Answering { api: R::API, version, number: 7 };
    let changed = routes().rewrite(what, &whole.slice(4..))?;
    let len = i32::from_be_bytes(changed[..4].try_into().unwrap());
    assert_eq!(usize::try_from(len).unwrap() + 4, changed.len());
    Some(response::decode::<R>(changed.slice(4..), version, 7).unwrap())
}

#[test]
fn a_broker_that_is_known_gets_our_address_in_every_version_and_others_keep_theirs() {
    let broker = |host: &'static str, port| MetadataResponseBroker {
        host: Str::from_static(host),
        port,
        ..Default::default()
    };
    for version in 0..=13 {
        let brokers = vec![broker("kafka-1", 9092), broker("kafka-2", 9092)];
        let answer = m::MetadataResponse { brokers, ..Default::default() };
        let brokers = rewritten::<m::MetadataRequest>(&answer, version).unwrap().brokers;
        let at: Vec<_> = brokers.iter().map(|it| (it.host.as_str(), it.port)).collect();
        assert_eq!(at, [("127.0.0.1", 40_001), ("kafka-2", 9092)], "version {version}");
    }
}

#[test]
fn coordinators_get_our_address_in_the_old_form_and_in_the_new() {
    let old = m::FindCoordinatorResponse {
        host: Str::from_static("kafka-1"),
        port: 9092,
        ..Default::default()
    };
    let new = Coordinator { host: Str::from_static("kafka-1"), port: 9092, ..Default::default() };
    let new = m::FindCoordinatorResponse { coordinators: vec![new], ..Default::default() };
    assert_eq!(rewritten::<m::FindCoordinatorRequest>(&old, 2).unwrap().port, 40_001);
    let found = rewritten::<m::FindCoordinatorRequest>(&new, 6).unwrap();
    assert_eq!(found.coordinators[0].port, 40_001);
}

#[test]
fn where_a_new_leader_is_in_an_answer_to_fetch_is_told_as_our_address() {
    let at = NodeEndpoint { host: Str::from_static("kafka-1"), port: 9092, ..Default::default() };
    let answer = m::FetchResponse { node_endpoints: vec![at], ..Default::default() };
    let found = rewritten::<m::FetchRequest>(&answer, 17).unwrap();
    assert_eq!(found.node_endpoints[0].port, 40_001);
    assert_eq!(rewritten::<m::FetchRequest>(&m::FetchResponse::default(), 17), None);
}

#[test]
fn versions_that_the_proxy_cannot_read_are_not_offered() {
    use forebay_protocol::messages::api_versions_response::ApiVersion;
    let most = ApiKey::Metadata.api().max;
    let offered = |max_version| ApiVersion { api_key: 3, min_version: 0, max_version };
    let answer = m::ApiVersionsResponse { api_keys: vec![offered(most + 1)], ..Default::default() };
    let found = rewritten::<m::ApiVersionsRequest>(&answer, 3).unwrap();
    assert_eq!(found.api_keys, [offered(most)]);
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    let what = Answering { api: ApiKey::Metadata, version: 12, number: 7 };
    assert_eq!(routes().rewrite(what, &Bytes::from_static(b"\x00\x00\x00\x07\x00\xff\xff")), None);
}
