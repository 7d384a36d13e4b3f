//! Several nodes: leaders are spread, move, and go down with their node.

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, MetadataRequest, MetadataResponse};

use super::talk::{Talk, batch, read, t0, topic_name};
use crate::{BrokerId, ErrorCode, Options, Output, Release, TopicPartition};

fn cluster(partitions: i32) -> Talk {
    let mut talk = Talk::with(Options::default().nodes(3));
    talk.cluster.create_topic("t", partitions).unwrap();
    talk
}

fn metadata(talk: &mut Talk) -> MetadataResponse {
    talk.ask(9, &MetadataRequest::default().with_topics(None))
}

fn leaders(answer: &MetadataResponse) -> Vec<(i32, i32)> {
    let partitions = answer.topics[0].partitions.iter();
    partitions.map(|partition| (partition.leader_id.0, partition.leader_epoch)).collect()
}

#[test]
fn leaders_go_round_the_nodes() {
    let mut talk = cluster(4);
    let answer = metadata(&mut talk);
    assert_eq!(answer.brokers.len(), 3);
    assert_eq!(leaders(&answer), [(1, 0), (2, 0), (3, 0), (1, 0)]);
}

#[test]
fn only_the_leader_takes_records() {
    let mut talk = cluster(2);
    let elsewhere = TopicPartition::new("t", 1);
    let code = talk.try_produce(&elsewhere, batch(&["a"], None)).error_code;
    assert_eq!(ErrorCode(code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    talk.reconnect(2);
    talk.produce(&elsewhere, &["a"]);
    let code = talk.fetch(&t0(), 0).error_code;
    assert_eq!(ErrorCode(code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn records_stay_when_the_leader_moves() {
    let mut talk = cluster(1);
    talk.produce(&t0(), &["a"]);
    talk.cluster.move_leader(&t0(), BrokerId(3)).unwrap();
    assert_eq!(leaders(&metadata(&mut talk)), [(3, 1)]);
    talk.reconnect(3);
    talk.produce(&t0(), &["b"]);
    assert_eq!(talk.values(&t0(), 0), ["a", "b"]);
    let epochs: Vec<_> = talk.cluster.batches(&t0(), 0);
    let epoch = |bytes| crate::Head::read(bytes).unwrap().partition_leader_epoch;
    assert_eq!((epoch(&epochs[0]), epoch(&epochs[1])), (0, 1));
}

#[test]
fn metadata_can_lag_behind() {
    let mut talk = cluster(1);
    talk.cluster.stale_metadata(&t0());
    talk.cluster.move_leader(&t0(), BrokerId(2)).unwrap();
    assert_eq!(leaders(&metadata(&mut talk)), [(1, 0)]);
    talk.cluster.fresh_metadata();
    assert_eq!(leaders(&metadata(&mut talk)), [(2, 1)]);
}

#[test]
fn a_node_that_goes_down_takes_its_connections_and_single_replicas_along() {
    let mut talk = cluster(2);
    talk.cluster.stop_node(BrokerId(2));
    let answer = metadata(&mut talk);
    assert_eq!(answer.brokers.len(), 2);
    let lost = &answer.topics[0].partitions[1];
    assert_eq!(
        (lost.leader_id.0, ErrorCode(lost.error_code)),
        (-1, ErrorCode::LEADER_NOT_AVAILABLE)
    );
    assert_eq!(talk.cluster.connect(BrokerId(2)), None);
    let connection = talk.connection;
    talk.cluster.stop_node(BrokerId(1));
    let closed = Output::Close { connection, reason: None };
    assert_eq!(talk.cluster.poll_output(), Some(closed));
    talk.cluster.start_node(BrokerId(2));
    talk.reconnect(2);
    let back = metadata(&mut talk);
    assert_eq!(leaders(&back)[1].0, 2);
    assert!(leaders(&back)[1].1 > 0, "a new leadership has a new epoch");
}

#[test]
fn a_replica_takes_over_when_there_is_one() {
    let mut talk = Talk::with(Options::default().nodes(3));
    let topic = CreatableTopic::default()
        .with_name(topic_name("t"))
        .with_num_partitions(1)
        .with_replication_factor(2);
    let answer = talk.ask(5, &CreateTopicsRequest::default().with_topics(vec![topic]));
    assert_eq!(answer.topics[0].error_code, 0);
    talk.produce(&t0(), &["a"]);
    talk.cluster.stop_node(BrokerId(1));
    assert_eq!(talk.cluster.leader(&t0()).map(|(leader, _)| leader), Some(BrokerId(2)));
    talk.cluster.poll_output();
    talk.reconnect(2);
    assert_eq!(talk.values(&t0(), 0), ["a"]);
    let answer = metadata(&mut talk);
    let ids = |nodes: &[kafka_protocol::messages::BrokerId]| {
        nodes.iter().map(|id| id.0).collect::<Vec<_>>()
    };
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((ids(&partition.isr_nodes), ids(&partition.offline_replicas)), (vec![2], vec![1]));
}

#[test]
fn old_releases_change_topics_at_the_controller_alone() {
    let mut talk = Talk::with(Options::default().nodes(2).pose_as(Release::V0_11));
    talk.reconnect(2);
    let topic = CreatableTopic::default()
        .with_name(topic_name("t"))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    let code = talk.ask(2, &request).topics[0].error_code;
    assert_eq!(ErrorCode(code), ErrorCode::NOT_CONTROLLER);
    talk.reconnect(1);
    assert_eq!(talk.ask(2, &request).topics[0].error_code, 0);
}

#[test]
fn a_frozen_node_answers_when_it_thaws() {
    let mut talk = cluster(1);
    talk.cluster.freeze_node(BrokerId(1));
    let request = MetadataRequest::default().with_topics(None);
    let asked = talk.send(9, &request);
    talk.wait(60_000);
    assert_eq!(talk.answer(), None);
    assert!(talk.cluster.connect(BrokerId(1)).is_some(), "the system still takes connections");
    talk.cluster.thaw_node(BrokerId(1));
    let answer = talk.answer().expect("what was asked meanwhile is answered");
    assert_eq!(read::<MetadataRequest>(9, asked, answer).brokers.len(), 3);
}
