//! Is each version told what it understands, and nothing else?

use std::path::Path;

use super::*;
use crate::spec::LabSpec;

fn plan(spec: &LabSpec) -> Plan {
    let ports: Vec<u16> = (20_000..20_100).collect();
    Plan::new(spec, "c", Path::new("/h"), &ports).unwrap()
}

fn spec(text: &str, nodes: u32) -> LabSpec {
    LabSpec::parse(text).unwrap().nodes(nodes).unwrap()
}

fn second(spec: &LabSpec) -> Properties {
    let plan = plan(spec);
    broker(&plan, plan.broker(2).unwrap())
}

#[test]
fn a_kraft_broker_names_all_voters_and_its_own_listeners() {
    let properties = second(&spec("kafka@4.4.0", 3));
    assert_eq!(properties.get("node.id"), Some("2"));
    assert_eq!(
        properties.get("controller.quorum.voters"),
        Some("1@127.0.0.1:20001,2@127.0.0.1:20003,3@127.0.0.1:20005")
    );
    assert_eq!(
        properties.get("listeners"),
        Some("PLAINTEXT://127.0.0.1:20002,CONTROLLER://127.0.0.1:20003")
    );
    assert_eq!(properties.get("log.dirs"), Some("/h/c/data/2"));
    assert_eq!(properties.get("zookeeper.connect"), None);
}

#[test]
fn what_the_user_sets_may_name_the_broker() {
    let spec = spec("kafka@4.4.0", 3).set("broker.rack", "rack-{node}").unwrap();
    assert_eq!(second(&spec).get("broker.rack"), Some("rack-2"));
}

#[test]
fn a_zookeeper_broker_knows_nothing_of_quorums() {
    let properties = second(&spec("kafka@0.11.0.3", 2));
    assert_eq!(properties.get("broker.id"), Some("2"));
    assert_eq!(properties.get("zookeeper.connect"), Some("127.0.0.1:20000/kafka"));
    assert_eq!(properties.get("listeners"), Some("PLAINTEXT://127.0.0.1:20002"));
    for key in ["process.roles", "node.id", "controller.quorum.voters", "broker.session.timeout.ms"]
    {
        assert_eq!(properties.get(key), None, "{key}");
    }
}

#[test]
fn replication_never_asks_for_more_brokers_than_there_are() {
    for (nodes, replicas, in_sync) in [(2, "2", "1"), (3, "3", "2"), (5, "3", "2")] {
        let properties = second(&spec("kafka@4.4.0", nodes));
        assert_eq!(properties.get("offsets.topic.replication.factor"), Some(replicas));
        assert_eq!(properties.get("min.insync.replicas"), Some(in_sync));
    }
}

#[test]
fn only_versions_that_know_the_consumer_protocol_are_told_of_it() {
    let key = "group.consumer.session.timeout.ms";
    assert!(second(&spec("kafka@4.4.0", 2)).get(key).is_some());
    assert!(second(&spec("kafka@3.9.2", 2)).get(key).is_none());
}

#[test]
fn benchmarks_keep_kafkas_own_threads_and_timeouts() {
    let properties = second(&spec("kafka@4.4.0", 2).profile(Profile::Bench));
    for key in ["num.io.threads", "num.network.threads", "broker.session.timeout.ms"] {
        assert_eq!(properties.get(key), None, "{key}");
    }
}

#[test]
fn what_the_user_sets_wins() {
    let spec = spec("kafka@4.4.0", 2).set("num.io.threads", "9").unwrap();
    assert_eq!(second(&spec).get("num.io.threads"), Some("9"));
}

#[test]
fn zookeeper_listens_on_its_port_and_serves_no_http() {
    let properties = zookeeper(&plan(&spec("kafka@1.1.1", 1)));
    assert_eq!(properties.get("clientPort"), Some("20000"));
    assert_eq!(properties.get("admin.enableServer"), Some("false"));
    assert_eq!(properties.get("dataDir"), Some("/h/c/data/zookeeper"));
}
