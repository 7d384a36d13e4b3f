//! Members by KIP-848: what does each heartbeat bring them?

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    GroupId, MetadataRequest,
};

use super::talk::{Talk, text, topic_name};
use crate::{ErrorCode, Options};

/// A heartbeat of a member that has nothing to say.
fn beat(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

/// The first heartbeat of a member.
fn first(member: &str) -> ConsumerGroupHeartbeatRequest {
    beat(member, 0).with_rebalance_timeout_ms(60_000).with_topic_partitions(Some(vec![]))
}

fn by_pattern(member: &str, pattern: &str) -> ConsumerGroupHeartbeatRequest {
    first(member).with_subscribed_topic_regex(Some(text(pattern)))
}

/// Topics and partitions that an answer gives, by topic name.
fn given(talk: &mut Talk, answer: &ConsumerGroupHeartbeatResponse) -> Option<Vec<(String, i32)>> {
    let metadata = talk.ask(12, &MetadataRequest::default().with_topics(None));
    let name = |id| {
        let topic = metadata.topics.iter().find(|topic| topic.topic_id == id).unwrap();
        topic.name.as_ref().unwrap().to_string()
    };
    let topics = &answer.assignment.as_ref()?.topic_partitions;
    let places = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|number| (name(topic.topic_id), *number)).collect::<Vec<_>>()
    });
    let mut places: Vec<_> = places.collect();
    places.sort();
    Some(places)
}

fn topics(names: &[&str]) -> Talk {
    let mut talk = Talk::with(Options::default());
    for name in names {
        talk.cluster.create_topic(name, 1).unwrap();
    }
    talk
}

fn places(names: &[&str]) -> Option<Vec<(String, i32)>> {
    Some(names.iter().map(|name| ((*name).to_owned(), 0)).collect())
}

#[test]
fn a_pattern_brings_its_topics_with_the_heartbeat_after_its_first() {
    let mut talk = topics(&["orders", "orders-eu", "old-orders", "payments"]);
    let joined = talk.ask(1, &by_pattern("m", "orders.*"));
    assert_eq!((joined.error_code, joined.member_epoch), (0, 1));
    assert_eq!(given(&mut talk, &joined), places(&[]));
    let next = talk.ask(1, &beat("m", 1));
    assert_eq!((next.error_code, next.member_epoch), (0, 2));
    assert_eq!(given(&mut talk, &next), places(&["orders", "orders-eu"]));
    assert_eq!(talk.ask(1, &beat("m", 2)).assignment, None);
}

#[test]
fn new_topics_are_followed_and_those_that_go_are_given_up() {
    let mut talk = topics(&["a1"]);
    talk.ask(1, &by_pattern("m", "a[0-9]"));
    talk.ask(1, &beat("m", 1));
    talk.cluster.create_topic("a2", 1).unwrap();
    talk.cluster.create_topic("a22", 1).unwrap();
    talk.ask(1, &beat("m", 2));
    let grown = talk.ask(1, &beat("m", 2));
    assert_eq!((grown.member_epoch, given(&mut talk, &grown)), (3, places(&["a1", "a2"])));
    talk.cluster.delete_topic("a1").unwrap();
    let shrunk = talk.ask(1, &beat("m", 3));
    assert_eq!((shrunk.member_epoch, given(&mut talk, &shrunk)), (3, places(&["a2"])));
    let gone = talk.ask(1, &beat("m", 3).with_topic_partitions(Some(vec![])));
    assert!(3 < gone.member_epoch);
}

#[test]
fn names_and_a_pattern_add_up_and_an_empty_pattern_wants_nothing() {
    let mut talk = topics(&["a", "b", "c"]);
    let both = by_pattern("m", "b|none").with_subscribed_topic_names(Some(vec![topic_name("c")]));
    let joined = talk.ask(1, &both);
    assert_eq!(given(&mut talk, &joined), places(&["c"]));
    let next = talk.ask(1, &beat("m", joined.member_epoch));
    assert_eq!(given(&mut talk, &next), places(&["b", "c"]));
    let described =
        ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text("g"))]);
    let member = talk.ask(1, &described).groups[0].members[0].clone();
    assert_eq!(member.subscribed_topic_regex.as_deref(), Some("b|none"));
    let without = beat("m", next.member_epoch).with_subscribed_topic_regex(Some(text("")));
    let revoked = talk.ask(1, &without);
    assert_eq!(given(&mut talk, &revoked), places(&["c"]));
    let c = revoked.assignment.unwrap().topic_partitions[0].topic_id;
    let owns = TopicPartitions::default().with_topic_id(c).with_partitions(vec![0]);
    let gone = beat("m", revoked.member_epoch).with_topic_partitions(Some(vec![owns]));
    assert!(revoked.member_epoch < talk.ask(1, &gone).member_epoch);
}

#[test]
fn what_is_no_pattern_is_refused_and_changes_nothing() {
    for wrong in ["(", "a)(b", "(?!x)", "*"] {
        let mut talk = topics(&["a"]);
        let refused = talk.ask(1, &by_pattern("m", wrong));
        assert_eq!(
            (ErrorCode(refused.error_code), refused.assignment),
            (ErrorCode::INVALID_REGULAR_EXPRESSION, None),
            "{wrong}"
        );
        let unknown = talk.ask(1, &beat("m", 1)).error_code;
        assert_eq!(ErrorCode(unknown), ErrorCode::GROUP_ID_NOT_FOUND);
    }
}

#[test]
fn members_of_one_pattern_share_its_topics() {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t1", 2).unwrap();
    talk.ask(1, &by_pattern("m", "t."));
    talk.ask(1, &beat("m", 1));
    // The pattern is known by now: who joins by it is planned for at once.
    let joined = talk.ask(1, &by_pattern("n", "t."));
    assert_eq!(joined.member_epoch, 3);
    let shrunk = talk.ask(1, &beat("m", 2));
    assert_eq!(given(&mut talk, &shrunk).map(|all| all.len()), Some(1));
}
