//! Topics come, grow and go; what cannot be is refused with Kafka's codes.

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, MetadataRequest};

use super::talk::{Talk, text, topic_name};
use crate::{ErrorCode, Options, TopicPartition};

fn create(talk: &mut Talk, topic: CreatableTopic) -> ErrorCode {
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    ErrorCode(talk.ask(7, &request).topics[0].error_code)
}

fn topic(name: &str, partitions: i32, replication: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replication)
}

#[test]
fn impossible_topics_are_refused() {
    let mut talk = Talk::start();
    assert_eq!(create(&mut talk, topic("t", 1, 1)), ErrorCode::TOPIC_ALREADY_EXISTS);
    assert_eq!(create(&mut talk, topic("a b", 1, 1)), ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert_eq!(create(&mut talk, topic("..", 1, 1)), ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert_eq!(create(&mut talk, topic("new", 0, 1)), ErrorCode::INVALID_PARTITIONS);
    assert_eq!(create(&mut talk, topic("new", i32::MAX, 1)), ErrorCode::INVALID_PARTITIONS);
    assert_eq!(create(&mut talk, topic("new", 1, 2)), ErrorCode::INVALID_REPLICATION_FACTOR);
    for (key, value) in [("retention.ms", "soon"), ("no.such", "1")] {
        let config =
            CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)));
        let wrong = topic("new", 1, 1).with_configs(vec![config]);
        assert_eq!(create(&mut talk, wrong), ErrorCode::INVALID_CONFIG);
    }
    assert_eq!(talk.cluster.topic_id("new"), None);
}

#[test]
fn replicas_can_be_assigned_by_hand() {
    let mut talk = Talk::with(Options::default().nodes(3));
    let on = |index, nodes: &[i32]| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(nodes.iter().map(|id| BrokerId(*id)).collect())
    };
    let by_hand = |assignments| topic("t", -1, -1).with_assignments(assignments);
    let hole = by_hand(vec![on(0, &[1]), on(2, &[1])]);
    assert_eq!(create(&mut talk, hole), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    let nowhere = by_hand(vec![on(0, &[4])]);
    assert_eq!(create(&mut talk, nowhere), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    let good = by_hand(vec![on(1, &[2, 1]), on(0, &[3, 1])]);
    assert_eq!(create(&mut talk, good), ErrorCode::NONE);
    let leader = |index| talk.cluster.leader(&TopicPartition::new("t", index)).unwrap().0.0;
    assert_eq!((leader(0), leader(1)), (3, 2));
}

#[test]
fn validation_alone_creates_nothing() {
    let mut talk = Talk::start();
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic("new", 1, 1)])
        .with_validate_only(true);
    assert_eq!(talk.ask(7, &request).topics[0].error_code, 0);
    assert_eq!(talk.cluster.topic_id("new"), None);
}

#[test]
fn asking_for_metadata_creates_a_topic_only_where_both_sides_allow_it() {
    let asked = MetadataRequestTopic::default().with_name(Some(topic_name("new")));
    let request = |allow| {
        MetadataRequest::default()
            .with_topics(Some(vec![asked.clone()]))
            .with_allow_auto_topic_creation(allow)
    };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for (options, allow, expected) in [
        (Options::default(), true, unknown),
        (Options::default().auto_create(4), false, unknown),
        (Options::default().auto_create(4), true, ErrorCode::NONE),
    ] {
        let mut talk = Talk::with(options);
        let answer = talk.ask(9, &request(allow));
        assert_eq!(ErrorCode(answer.topics[0].error_code), expected);
        let partitions = if expected == ErrorCode::NONE { 4 } else { 0 };
        assert_eq!(answer.topics[0].partitions.len(), partitions);
    }
}

#[test]
fn a_topic_made_anew_has_another_id_and_no_records() {
    let mut talk = Talk::start();
    let tp = TopicPartition::new("t", 0);
    talk.produce(&tp, &["old"]);
    talk.cluster.commit("g", &tp, 1, 0);
    let before = talk.cluster.topic_id("t");
    talk.cluster.delete_topic("t").unwrap();
    assert_eq!(talk.cluster.committed("g", &tp), None);
    talk.cluster.create_topic("t", 1).unwrap();
    assert_ne!(talk.cluster.topic_id("t"), before);
    assert!(talk.values(&tp, 0).is_empty());
}
