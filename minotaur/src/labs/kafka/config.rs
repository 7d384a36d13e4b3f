//! What is a node told? The configuration of brokers and of ZooKeeper, from the plan alone.

use crate::labs::kafka::properties::Properties;
use crate::model::{Broker, HOST, Node, Plan};
use crate::spec::Profile;
use crate::versions::Mode;

/// Stands for a broker's id in what the user set.
const NODE: &str = "{node}";

/// `server.properties` of one broker. What the user set wins.
pub(crate) fn broker(plan: &Plan, broker: Broker) -> Properties {
    let mut properties = Properties::default();
    match plan.mode {
        Mode::KRaft => kraft(&mut properties, plan, broker),
        Mode::ZooKeeper => zookeeper_mode(&mut properties, plan, broker),
    }
    properties.set("log.dirs", plan.node_data(Node::Broker(broker.id)).display());
    topics(&mut properties, plan);
    if plan.profile == Profile::Test {
        small(&mut properties);
        hurried(&mut properties, plan);
    }
    for (key, value) in &plan.settings {
        properties.set(key, value.replace(NODE, &broker.id.to_string()));
    }
    properties
}

/// `zoo.cfg`.
pub(crate) fn zookeeper(plan: &Plan) -> Properties {
    let mut properties = Properties::default();
    properties
        .set("dataDir", plan.node_data(Node::ZooKeeper).display())
        .set("clientPortAddress", HOST)
        .set("clientPort", plan.zookeeper_port.unwrap_or_default())
        // The shortest session is two ticks.
        .set("tickTime", 500)
        .set("maxClientCnxns", 0)
        // Else it serves HTTP on port 8080.
        .set("admin.enableServer", false)
        .set("4lw.commands.whitelist", "*");
    properties
}

fn kraft(properties: &mut Properties, plan: &Plan, broker: Broker) {
    let controller = |b: &Broker| (b.id, b.controller_port.unwrap_or_default());
    let voter = |b: &Broker| {
        let (id, port) = controller(b);
        format!("{id}@{HOST}:{port}")
    };
    let voters: Vec<String> = plan.brokers.iter().map(voter).collect();
    let (id, controller_port) = controller(&broker);
    properties
        .set("process.roles", "broker,controller")
        .set("node.id", id)
        .set("controller.quorum.voters", voters.join(","))
        .set("controller.listener.names", "CONTROLLER")
        .set(
            "listeners",
            format!("PLAINTEXT://{HOST}:{},CONTROLLER://{HOST}:{controller_port}", broker.port),
        )
        .set("advertised.listeners", format!("PLAINTEXT://{HOST}:{}", broker.port))
        .set("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT")
        .set("inter.broker.listener.name", "PLAINTEXT");
}

fn zookeeper_mode(properties: &mut Properties, plan: &Plan, broker: Broker) {
    let listener = format!("PLAINTEXT://{HOST}:{}", broker.port);
    properties
        .set("broker.id", broker.id)
        .set("listeners", &listener)
        .set("advertised.listeners", &listener)
        .set(
            "zookeeper.connect",
            format!("{HOST}:{}/kafka", plan.zookeeper_port.unwrap_or_default()),
        )
        .set("zookeeper.connection.timeout.ms", 30_000)
        .set("zookeeper.session.timeout.ms", 6_000);
}

/// Kafka's own topics would otherwise want three brokers.
fn topics(properties: &mut Properties, plan: &Plan) {
    let replicas = plan.brokers.len().min(3);
    let in_sync = if replicas == 3 { 2 } else { 1 };
    properties
        .set("auto.create.topics.enable", true)
        .set("delete.topic.enable", true)
        .set("default.replication.factor", replicas)
        .set("min.insync.replicas", in_sync)
        .set("offsets.topic.replication.factor", replicas)
        .set("transaction.state.log.replication.factor", replicas)
        .set("transaction.state.log.min.isr", in_sync);
    if plan.version.is_at_least(4, 0) {
        properties
            .set("share.coordinator.state.topic.replication.factor", replicas)
            .set("share.coordinator.state.topic.min.isr", in_sync);
    }
}

/// Few threads, few partitions, little memory.
fn small(properties: &mut Properties) {
    properties
        .set("offsets.topic.num.partitions", 3)
        .set("transaction.state.log.num.partitions", 3)
        .set("log.cleaner.dedupe.buffer.size", 2_097_152)
        .set("num.network.threads", 2)
        .set("num.io.threads", 4)
        .set("num.recovery.threads.per.data.dir", 1);
}

/// Groups form at once, and the dead are noticed in seconds.
fn hurried(properties: &mut Properties, plan: &Plan) {
    properties
        .set("group.initial.rebalance.delay.ms", 0)
        .set("group.min.session.timeout.ms", 1_000);
    if plan.mode == Mode::KRaft {
        properties
            .set("broker.heartbeat.interval.ms", 200)
            .set("broker.session.timeout.ms", 3_000)
            .set("controller.quorum.election.timeout.ms", 300)
            .set("controller.quorum.election.backoff.max.ms", 100)
            .set("controller.quorum.fetch.timeout.ms", 1_000)
            .set("controller.quorum.append.linger.ms", 0);
    }
    if plan.version.is_at_least(4, 0) {
        properties
            // The defaults are their own minima, so both must go down together.
            .set("group.consumer.min.session.timeout.ms", 1_000)
            .set("group.consumer.session.timeout.ms", 6_000)
            .set("group.consumer.min.heartbeat.interval.ms", 100)
            .set("group.consumer.heartbeat.interval.ms", 500)
            .set("share.coordinator.state.topic.num.partitions", 1);
    }
}

#[cfg(test)]
mod tests;
