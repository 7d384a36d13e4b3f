//! What must exist: a cluster's nodes, ports and directories, decided before anything starts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::spec::{LabSpec, Profile};
use crate::versions::{KafkaVersion, Mode};

/// Everything listens here, so nothing is reachable from outside.
pub(crate) const HOST: &str = "127.0.0.1";

/// One cluster. It lies in the journal, so that every later command knows what is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) version: KafkaVersion,
    pub(crate) mode: Mode,
    pub(crate) profile: Profile,
    pub(crate) heap: Option<String>,
    pub(crate) core: Option<String>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) zookeeper_port: Option<u16>,
    /// Configuration, logs and process records.
    pub(crate) directory: PathBuf,
    /// What the servers store.
    pub(crate) data: PathBuf,
}

/// One broker of a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Broker {
    /// Counted from 1; also its node id in Kafka.
    pub(crate) id: u32,
    pub(crate) port: u16,
    /// Where its controller listens, in KRaft mode.
    pub(crate) controller_port: Option<u16>,
}

/// One server process of a cluster.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Node {
    /// The ZooKeeper beside the brokers of an older Kafka.
    ZooKeeper,
    /// A broker by its id, counted from 1.
    Broker(u32),
}

impl Plan {
    /// How many ports [`Plan::new`] wants.
    pub(crate) fn ports_needed(spec: &LabSpec) -> usize {
        let brokers = usize::try_from(spec.nodes).unwrap_or(usize::MAX);
        match spec.system.mode {
            Mode::KRaft => brokers.saturating_mul(2),
            Mode::ZooKeeper => brokers.saturating_add(1),
        }
    }

    /// Gives each node of `spec` its ports. `None` when `ports` are too few.
    pub(crate) fn new(spec: &LabSpec, name: &str, home: &Path, ports: &[u16]) -> Option<Self> {
        let mut ports = ports.iter().copied();
        let kraft = spec.system.mode == Mode::KRaft;
        let zookeeper_port = if kraft { None } else { Some(ports.next()?) };
        let mut brokers = Vec::new();
        for id in 1..=spec.nodes {
            let port = ports.next()?;
            let controller_port = if kraft { Some(ports.next()?) } else { None };
            brokers.push(Broker { id, port, controller_port });
        }
        let directory = home.join(name);
        let data = spec
            .data_dir
            .as_ref()
            .map_or_else(|| directory.join("data"), |data| data.join(format!("minotaur-{name}")));
        Some(Self {
            name: name.to_owned(),
            version: spec.system.version,
            mode: spec.system.mode,
            profile: spec.profile,
            heap: spec.heap.clone(),
            core: spec.core.clone(),
            settings: spec.settings.clone(),
            brokers,
            zookeeper_port,
            directory,
            data,
        })
    }

    /// All nodes in the order in which they start.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let zookeeper = self.zookeeper_port.map(|_| Node::ZooKeeper);
        zookeeper.into_iter().chain(self.brokers.iter().map(|b| Node::Broker(b.id))).collect()
    }

    pub(crate) fn node_directory(&self, node: Node) -> PathBuf {
        self.directory.join(node.to_string())
    }

    pub(crate) fn node_data(&self, node: Node) -> PathBuf {
        self.data.join(node.to_string())
    }

    pub(crate) fn node_log(&self, node: Node) -> PathBuf {
        self.node_directory(node).join("log")
    }

    /// The argument file of a node's Java. Its path on the command line also tells to which node
    /// a process belongs.
    pub(crate) fn node_arguments(&self, node: Node) -> PathBuf {
        self.node_directory(node).join("java.args")
    }

    pub(crate) fn broker(&self, id: u32) -> Option<Broker> {
        self.brokers.iter().copied().find(|broker| broker.id == id)
    }

    /// Whether `node` belongs to this cluster.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`] with the nodes there are.
    pub(crate) fn check(&self, node: Node) -> Result<(), LabError> {
        let nodes = self.nodes();
        if nodes.contains(&node) {
            return Ok(());
        }
        let known = nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(", ");
        Err(LabError::NodeUnknown { cluster: self.name.clone(), node, known })
    }

    /// All ports of this cluster.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        let brokers = self.brokers.iter().flat_map(|b| [Some(b.port), b.controller_port]);
        brokers.flatten().chain(self.zookeeper_port)
    }

    /// The ports on which `node` listens.
    pub(crate) fn ports_of(&self, node: Node) -> Vec<u16> {
        match node {
            Node::ZooKeeper => self.zookeeper_port.into_iter().collect(),
            Node::Broker(id) => self
                .broker(id)
                .into_iter()
                .flat_map(|broker| [Some(broker.port), broker.controller_port])
                .flatten()
                .collect(),
        }
    }

    /// `host:port` of every broker, separated by commas.
    pub(crate) fn bootstrap_servers(&self) -> String {
        let address = |broker: &Broker| format!("{HOST}:{}", broker.port);
        self.brokers.iter().map(address).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZooKeeper => f.write_str("zookeeper"),
            Self::Broker(id) => write!(f, "{id}"),
        }
    }
}

impl FromStr for Node {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "zookeeper" {
            return Ok(Self::ZooKeeper);
        }
        let wrong = |_| format!("{text:?} is no node: expected a number or \"zookeeper\"");
        text.parse().map(Self::Broker).map_err(wrong)
    }
}

impl TryFrom<String> for Node {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<u32> for Node {
    fn from(id: u32) -> Self {
        Self::Broker(id)
    }
}

impl From<Node> for String {
    fn from(node: Node) -> Self {
        node.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str, nodes: u32) -> Plan {
        let spec = LabSpec::parse(text).unwrap().nodes(nodes).unwrap();
        let ports: Vec<u16> =
            (20_000..20_000 + u16::try_from(Plan::ports_needed(&spec)).unwrap()).collect();
        Plan::new(&spec, "c", Path::new("/lab/clusters"), &ports).unwrap()
    }

    #[test]
    fn every_port_is_used_exactly_once() {
        for text in ["kafka@4.4.0", "kafka@3.9.2/zookeeper"] {
            let plan = plan(text, 3);
            let mut ports: Vec<u16> = plan.ports().collect();
            ports.sort_unstable();
            let count = if plan.mode == Mode::KRaft { 6 } else { 4 };
            assert_eq!(ports, (20_000..20_000 + count).collect::<Vec<_>>(), "{text}");
            let of_nodes: usize = plan.nodes().iter().map(|node| plan.ports_of(*node).len()).sum();
            assert_eq!(of_nodes, ports.len(), "{text}");
        }
    }

    #[test]
    fn too_few_ports_give_no_plan() {
        let spec = LabSpec::parse("kafka@4.4.0").unwrap();
        assert!(Plan::new(&spec, "c", Path::new("/h"), &[20_000]).is_none());
    }

    #[test]
    fn zookeeper_starts_before_the_brokers() {
        let nodes = plan("kafka@1.1.1", 2).nodes();
        assert_eq!(nodes, [Node::ZooKeeper, Node::Broker(1), Node::Broker(2)]);
    }

    #[test]
    fn a_foreign_data_directory_is_only_used_below_a_folder_of_our_own() {
        let spec = LabSpec::parse("kafka@4.4.0").unwrap().data_dir("/mnt/fast");
        let plan = Plan::new(&spec, "c", Path::new("/h"), &[1, 2]).unwrap();
        assert_eq!(plan.data, Path::new("/mnt/fast/minotaur-c"));
    }
}
