//! Members of classic groups, asked with another implementation's requests.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    SyncGroupRequest,
};

use super::talk::{Talk, text};
use crate::ErrorCode;

fn join_request(member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"wishes"));
    JoinGroupRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_session_timeout_ms(6_000)
        .with_rebalance_timeout_ms(30_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins an empty group, with an id of the broker's making where that is demanded.
fn join(talk: &mut Talk, version: i16) -> JoinGroupResponse {
    let first = talk.ask(version, &join_request(""));
    if ErrorCode(first.error_code) != ErrorCode::MEMBER_ID_REQUIRED {
        return first;
    }
    assert!(4 <= version, "v{version}");
    talk.ask(version, &join_request(&first.member_id))
}

fn beat(talk: &mut Talk, member: &str, generation: i32) -> ErrorCode {
    let request = HeartbeatRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text(member))
        .with_generation_id(generation);
    ErrorCode(talk.ask(3, &request).error_code)
}

/// A leader whose plan is stored.
fn settled(talk: &mut Talk) -> JoinGroupResponse {
    let joined = join(talk, 9);
    let part = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"part"));
    let request = SyncGroupRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
        .with_assignments(vec![part]);
    assert_eq!(&talk.ask(3, &request).assignment[..], b"part");
    joined
}

#[test]
fn a_member_joins_in_every_version_and_leads_an_empty_group() {
    for version in 2..=9 {
        let mut talk = Talk::start();
        let joined = join(&mut talk, version);
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "v{version}");
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.members[0].metadata, &b"wishes"[..]);
    }
}

#[test]
fn a_member_that_is_silent_for_its_session_is_none_any_more() {
    let mut talk = Talk::start();
    let joined = settled(&mut talk);
    talk.wait(5_999);
    assert_eq!(beat(&mut talk, &joined.member_id, 1), ErrorCode::NONE);
    talk.wait(5_999);
    assert_eq!(beat(&mut talk, &joined.member_id, 1), ErrorCode::NONE);
    talk.wait(6_000);
    assert_eq!(beat(&mut talk, &joined.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn one_that_joins_waits_for_the_others_until_the_rebalance_timeout() {
    let mut talk = Talk::start();
    let first = settled(&mut talk);
    let old = talk.connection;
    talk.reconnect(1);
    let given = talk.ask(9, &join_request("")).member_id;
    let correlation = talk.send(9, &join_request(&given));
    assert!(talk.answer().is_none(), "the first has not joined yet");
    let waiting = std::mem::replace(&mut talk.connection, old);
    assert_eq!(beat(&mut talk, &first.member_id, 1), ErrorCode::REBALANCE_IN_PROGRESS);
    for _ in 0..10 {
        talk.wait(2_900);
        assert_eq!(beat(&mut talk, &first.member_id, 1), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    talk.connection = waiting;
    talk.wait(1_000);
    let answer = talk.answer().expect("the wait is over");
    let joined = super::talk::read::<JoinGroupRequest>(9, correlation, answer);
    assert_eq!((joined.generation_id, joined.members.len()), (2, 1), "without the first");
    talk.connection = old;
    assert_eq!(beat(&mut talk, &first.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_leaves_is_gone_and_old_generations_count_no_more() {
    for version in 1..=5 {
        let mut talk = Talk::start();
        let joined = settled(&mut talk);
        assert_eq!(beat(&mut talk, &joined.member_id, 0), ErrorCode::ILLEGAL_GENERATION);
        let request = LeaveGroupRequest::default().with_group_id(GroupId(text("g")));
        let request = if version < 3 {
            request.with_member_id(joined.member_id.clone())
        } else {
            let member = MemberIdentity::default().with_member_id(joined.member_id.clone());
            request.with_members(vec![member])
        };
        assert_eq!(talk.ask(version, &request).error_code, 0, "v{version}");
        assert_eq!(beat(&mut talk, &joined.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    }
}

#[test]
fn who_shares_no_assignor_or_names_a_strange_session_is_refused() {
    let mut talk = Talk::start();
    settled(&mut talk);
    let other = JoinGroupRequestProtocol::default().with_name(text("sticky"));
    let refused = talk.ask(3, &join_request("").with_protocols(vec![other]));
    assert_eq!(ErrorCode(refused.error_code), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let refused = talk.ask(3, &join_request("").with_session_timeout_ms(5_999));
    assert_eq!(ErrorCode(refused.error_code), ErrorCode::INVALID_SESSION_TIMEOUT);
}
