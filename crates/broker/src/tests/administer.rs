//! Settings, directories, elections and moved replicas, in every version that the other codec knows.

use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterPartitionReassignmentsRequest, BrokerId as Id,
    DescribeLogDirsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};

use super::talk::{Talk, t0, text, topic_name};
use crate::{ApiKey, BrokerId, Effect, ErrorCode, Fault, Options};

/// Three nodes; `t` has one partition, on node 1.
fn start() -> Talk {
    let mut talk = Talk::with(Options::default().nodes(3));
    talk.cluster.create_topic("t", 1).unwrap();
    talk
}

fn alter(configs: &[(&str, Option<&str>)]) -> AlterConfigsRequest {
    let configs = configs.iter().map(|(name, value)| {
        AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(configs.collect());
    AlterConfigsRequest::default().with_resources(vec![resource])
}

#[test]
fn all_settings_are_replaced_at_once_in_every_version() {
    for version in 0..=2 {
        let mut talk = start();
        talk.cluster.configure_topic("t", "retention.ms", "1").unwrap();
        let answer = talk.ask(version, &alter(&[("max.message.bytes", Some("2000"))]));
        assert_eq!(answer.responses[0].error_code, 0, "v{version}");
        let topic = talk.cluster.topics.get("t").unwrap();
        assert_eq!(topic.config("max.message.bytes"), "2000");
        assert_eq!(topic.config("retention.ms"), "604800000", "what is not named is the default");

        for (wrong, code) in [
            (alter(&[("retention.ms", Some("soon"))]), ErrorCode::INVALID_CONFIG),
            (alter(&[("no.such", Some("1"))]), ErrorCode::INVALID_CONFIG),
            (alter(&[("retention.ms", None)]), ErrorCode::INVALID_REQUEST),
        ] {
            let answer = talk.ask(version, &wrong);
            assert_eq!(ErrorCode(answer.responses[0].error_code), code, "v{version}");
            assert!(answer.responses[0].error_message.is_some());
        }
        let topic = talk.cluster.topics.get("t").unwrap();
        assert_eq!(topic.config("max.message.bytes"), "2000", "a refusal changes nothing");
    }
}

#[test]
fn directories_hold_what_a_node_holds_in_every_version() {
    for version in 1..=4 {
        let mut talk = start();
        talk.produce(&t0(), &["a", "b"]);
        let request = DescribeLogDirsRequest::default().with_topics(None);
        let answer = talk.ask(version, &request);
        let directory = &answer.results[0];
        let partition = &directory.topics[0].partitions[0];
        assert!(0 < partition.partition_size, "v{version}");
        assert_eq!(0 < directory.total_bytes, 4 <= version, "v{version}");
        talk.reconnect(2);
        assert_eq!(talk.ask(version, &request).results[0].topics, [], "node 2 has nothing");
    }
}

fn elect(kind: i8) -> ElectLeadersRequest {
    let t = TopicPartitions::default().with_topic(topic_name("t")).with_partitions(vec![0, 7]);
    ElectLeadersRequest::default().with_election_type(kind).with_topic_partitions(Some(vec![t]))
}

#[test]
fn the_first_replica_leads_again_in_every_version() {
    for version in 0..=2 {
        let mut talk = start();
        move_to(&mut talk, 1, &[2, 1]);
        let codes = |talk: &mut Talk| {
            let answer = talk.ask(version, &elect(0));
            let results = &answer.replica_election_results[0].partition_result;
            [0, 1].map(|at| ErrorCode(results[at].error_code))
        };
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(codes(&mut talk), [ErrorCode::NONE, unknown], "v{version}");
        assert_eq!(talk.cluster.leader(&t0()).map(|(leader, _)| leader), Some(BrokerId(2)));
        assert_eq!(codes(&mut talk), [ErrorCode::ELECTION_NOT_NEEDED, unknown]);
        talk.cluster.stop_node(BrokerId(2));
        assert_eq!(codes(&mut talk), [ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, unknown]);
        if version != 0 {
            let busy = Fault::new(Effect::Error(ErrorCode::REQUEST_TIMED_OUT));
            talk.cluster.script(busy.api(ApiKey::ElectLeaders));
            let answer = talk.ask(version, &elect(0));
            assert_eq!(ErrorCode(answer.error_code), ErrorCode::REQUEST_TIMED_OUT);
            assert_eq!(answer.replica_election_results, []);
        }
    }
}

fn reassign(replicas: Option<&[i32]>) -> AlterPartitionReassignmentsRequest {
    let replicas = replicas.map(|nodes| nodes.iter().copied().map(Id).collect());
    let partition =
        ReassignablePartition::default().with_partition_index(0).with_replicas(replicas);
    let topic =
        ReassignableTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    AlterPartitionReassignmentsRequest::default().with_topics(vec![topic])
}

fn move_to(talk: &mut Talk, version: i16, nodes: &[i32]) {
    let answer = talk.ask(version, &reassign(Some(nodes)));
    assert_eq!(answer.responses[0].partitions[0].error_code, 0, "v{version}");
}

#[test]
fn replicas_move_at_once_in_every_version() {
    for version in 0..=1 {
        let mut talk = start();
        talk.produce(&t0(), &["kept"]);
        let (_, before) = talk.cluster.leader(&t0()).unwrap();
        // The leader stays while it is one of the replicas, and another is elected when it is not.
        move_to(&mut talk, version, &[2, 1]);
        assert_eq!(talk.cluster.leader(&t0()), Some((BrokerId(1), before)));
        move_to(&mut talk, version, &[3, 2]);
        assert_eq!(talk.cluster.leader(&t0()), Some((BrokerId(3), before + 1)));
        talk.reconnect(3);
        assert_eq!(talk.values(&t0(), 0), ["kept"]);

        for (wrong, code) in [
            (reassign(None), ErrorCode::NO_REASSIGNMENT_IN_PROGRESS),
            (reassign(Some(&[])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
            (reassign(Some(&[9])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        ] {
            let answer = talk.ask(version, &wrong);
            assert_eq!(ErrorCode(answer.responses[0].partitions[0].error_code), code);
        }
        let list = ListPartitionReassignmentsRequest::default().with_topics(None);
        let answer = talk.ask(0, &list);
        assert_eq!((answer.error_code, answer.topics.len()), (0, 0));
    }
}
