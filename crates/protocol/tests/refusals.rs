//! What cannot be said in a version is refused before it is sent, and not dropped in silence.

use forebay_protocol::api::Request;
use forebay_protocol::messages::fetch_request::{FetchTopic, ReplicaState};
use forebay_protocol::messages::{
    CreateTopicsRequest, FetchRequest, JoinGroupRequest, MetadataRequest,
};
use forebay_protocol::types::Uuid;
use forebay_protocol::wire::{EncodeProblem, Message, Str};

/// The field that is refused, and why.
#[cfg(test)]
fn refused<R: Request>(request: &R, version: i16) -> (&'static str, EncodeProblem) {
    let error = request.encoded_len(version).unwrap_err();
    assert_eq!((error.message, error.version), (R::NAME, version));
    (error.field, error.problem)
}

#[test]
fn a_field_that_the_version_lacks_is_refused_when_it_is_set() {
    let static_member =
        JoinGroupRequest { group_instance_id: Some("me".into()), ..Default::default() };
    let refusal = ("group_instance_id", EncodeProblem::NotInVersion);
    assert_eq!(refused(&static_member, 4), refusal);
    assert!(static_member.encoded_len(5).is_ok());
}

#[test]
fn a_tagged_field_that_the_version_lacks_is_refused_when_it_is_set() {
    let replica_state = ReplicaState { replica_id: 1, replica_epoch: 1 };
    let follower = FetchRequest { replica_state, ..Default::default() };
    assert_eq!(refused(&follower, 14), ("replica_state", EncodeProblem::NotInVersion));
    assert!(follower.encoded_len(15).is_ok());
}

#[test]
fn an_ignorable_field_that_the_version_lacks_is_left_out() {
    let rack = FetchRequest { rack_id: "rack".into(), ..Default::default() };
    let none = FetchRequest::default();
    assert_eq!(rack.encoded_len(10).unwrap(), none.encoded_len(10).unwrap());
    let by_id = FetchRequest {
        topics: vec![FetchTopic { topic_id: Uuid([1; 16]), ..Default::default() }],
        ..Default::default()
    };
    assert!(by_id.encoded_len(12).is_ok());
}

#[test]
fn null_is_refused_where_the_version_has_none() {
    let all_topics = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(refused(&all_topics, 0), ("topics", EncodeProblem::Null));
    assert!(all_topics.encoded_len(1).is_ok());
}

#[test]
fn the_error_says_message_version_and_what_to_do() {
    let request = JoinGroupRequest { group_instance_id: Some("me".into()), ..Default::default() };
    let error = request.encoded_len(4).unwrap_err().to_string();
    assert_eq!(
        error,
        "JoinGroupRequest version 4: `group_instance_id` is set, but the broker's version has no \
         such field: leave it at its default"
    );
}

#[test]
fn bytes_longer_than_their_length_field_are_refused() {
    let name = Str::from("x".repeat(40_000));
    let mut request = CreateTopicsRequest::default();
    request.topics.push(Default::default());
    if let Some(topic) = request.topics.first_mut() {
        topic.name = name;
    }
    assert_eq!(refused(&request, 4), ("name", EncodeProblem::TooLong(40_000)));
    assert!(request.encoded_len(5).is_ok(), "compact lengths have 32 bits");
}
