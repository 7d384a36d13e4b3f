//! Do real brokers of the newest and the oldest version start, fail, come back and go without a
//! trace? What they say is read here by hand, apart from the lab's own reading.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[cfg(test)]
#[path = "support/asking.rs"]
mod asking;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use asking::{brokers, fetch_versions, processes_of};
use minotaur::{Cluster, Lab, LabError, LabSpec, Node, NodeState};

async fn up(text: &str, nodes: u32) -> Cluster {
    let spec = LabSpec::parse(text).unwrap().nodes(nodes).unwrap();
    let lab = Lab::from_env().unwrap();
    lab.up(&spec).await.unwrap_or_else(|error| panic!("real Kafka does not start: {error}"))
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn the_newest_and_the_oldest_run_side_by_side() {
    let newest = up("kafka@4.4.0", 1).await;
    let oldest = up("kafka@0.11.0.3", 1).await;
    assert_eq!(newest.nodes(), [Node::Broker(1)]);
    assert_eq!(oldest.nodes(), [Node::ZooKeeper, Node::Broker(1)]);
    for cluster in [&newest, &oldest] {
        assert_eq!(brokers(&cluster.bootstrap_servers()), [(1, cluster.bootstrap_servers())]);
    }
    // 0.11 had no fetch sessions yet; 4.x dropped what older brokers spoke.
    assert_eq!(fetch_versions(&oldest.bootstrap_servers()), (0, 5));
    let (min, max) = fetch_versions(&newest.bootstrap_servers());
    assert_eq!(min, 4);
    assert!(max >= 17, "{max}");
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn a_dropped_cluster_leaves_no_process_and_no_file() {
    let cluster = up("kafka@0.11.0.3", 1).await;
    let directory = cluster.directory().to_owned();
    assert_eq!(processes_of(&directory).len(), 2, "a broker and a ZooKeeper");
    drop(cluster);
    assert!(processes_of(&directory).is_empty());
    assert!(!directory.exists());
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn three_brokers_know_each_other_and_a_killed_one_comes_back() {
    let mut cluster = up("kafka@4.4.0", 3).await;
    let servers = cluster.bootstrap_servers();
    let addresses: Vec<String> = servers.split(',').map(str::to_owned).collect();
    let expected: Vec<(i32, String)> = (1..).zip(addresses.clone()).collect();
    for address in &addresses {
        assert_eq!(brokers(address), expected);
    }
    cluster.kill(Node::Broker(2)).await.unwrap();
    assert_eq!(cluster.state(Node::Broker(2)), NodeState::Stopped);
    assert!(matches!(cluster.kill(Node::Broker(2)).await, Err(LabError::NodeState { .. })));
    cluster.start(Node::Broker(2)).await.unwrap();
    assert_eq!(cluster.state(Node::Broker(2)), NodeState::Running);
    assert_eq!(brokers(&addresses[1]), expected);
    assert!(matches!(cluster.start(Node::Broker(2)).await, Err(LabError::NodeState { .. })));
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn a_broker_killed_under_zookeeper_comes_back_when_its_session_has_ended() {
    let mut cluster = up("kafka@0.11.0.3", 1).await;
    let servers = cluster.bootstrap_servers();
    cluster.kill(Node::Broker(1)).await.unwrap();
    cluster.start(Node::Broker(1)).await.unwrap();
    assert_eq!(brokers(&servers), [(1, servers.clone())]);
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn a_frozen_broker_is_silent_until_it_thaws() {
    let cluster = up("kafka@4.4.0", 1).await;
    let node = Node::Broker(1);
    assert!(matches!(cluster.thaw(node).await, Err(LabError::NodeState { .. })));
    cluster.freeze(node).await.unwrap();
    assert_eq!(cluster.state(node), NodeState::Frozen);
    assert!(asking::is_silent(&cluster.bootstrap_servers()));
    cluster.thaw(node).await.unwrap();
    cluster.ready(Duration::from_secs(30)).await.unwrap();
    assert_eq!(cluster.state(node), NodeState::Running);
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn a_node_whose_port_was_taken_names_it() {
    let mut cluster = up("kafka@4.4.0", 1).await;
    let node = Node::Broker(1);
    let address = cluster.bootstrap_servers();
    cluster.stop(node).await.unwrap();
    let _thief = TcpListener::bind(&address).unwrap();
    let error = cluster.start(node).await.unwrap_err();
    let LabError::PortTaken { port, .. } = error else { panic!("{error}") };
    assert!(address.ends_with(&port.to_string()));
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn a_broker_that_refuses_its_configuration_shows_its_last_words() {
    let lab = Lab::from_env().unwrap();
    let name = format!("refusing-{}", std::process::id());
    let spec = LabSpec::parse("kafka@4.4.0").unwrap().named(&name).unwrap();
    let spec = spec.set("num.io.threads", "none").unwrap();
    let error = lab.up(&spec).await.unwrap_err();
    assert!(matches!(error, LabError::NodeExited { .. }), "{error}");
    assert!(error.to_string().contains("num.io.threads"), "{error}");
    assert!(matches!(lab.find(&name), Err(LabError::ClusterUnknown { .. })), "it was removed");
}

#[tokio::test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn a_bench_broker_keeps_its_data_where_it_was_told() {
    let place = tempfile::tempdir().unwrap();
    let spec = LabSpec::parse("kafka@4.4.0").unwrap().profile(minotaur::Profile::Bench);
    let spec = spec.heap("512m").unwrap().data_dir(place.path());
    let cluster = Lab::from_env().unwrap().up(&spec).await.unwrap();
    let folders = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(folders(place.path()), 1);
    assert_eq!(brokers(&cluster.bootstrap_servers()).len(), 1);
    cluster.down().unwrap();
    assert_eq!(folders(place.path()), 0);
}
