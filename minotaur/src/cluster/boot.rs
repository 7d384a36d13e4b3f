//! How does a cluster come up, and why did it not? Files are written, processes started, and each
//! node is asked until it knows all brokers.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, NodeState, POLL, TAIL};
use crate::error::LabError;
use crate::infrastructure::local::guard::Guard;
use crate::infrastructure::local::launch::launch;
use crate::infrastructure::local::port;
use crate::labs::kafka::kit::{Archives, Kit};
use crate::labs::kafka::{config, jvm, logging, ready, storage};
use crate::model::{Broker, Node};
use crate::supervisor::home::{make_directory, tail, write_whole};
use crate::supervisor::journal;
use crate::versions::Mode;

impl Cluster {
    /// Writes every file that its nodes read.
    pub(crate) fn write_files(&self, kit: &Kit, archives: Archives) -> Result<(), LabError> {
        let plan = &self.entry.plan;
        let logging = logging::server(plan.version, &plan.directory);
        write_whole(&logging.file, logging.content.as_bytes())?;
        for node in plan.nodes() {
            make_directory(&plan.node_directory(node))?;
            make_directory(&plan.node_data(node))?;
            let properties = match node {
                Node::ZooKeeper => config::zookeeper(plan),
                Node::Broker(id) => match plan.broker(id) {
                    Some(broker) => config::broker(plan, broker),
                    None => continue,
                },
            };
            let file = plan.node_directory(node).join(jvm::configuration(node));
            write_whole(&file, properties.to_string().as_bytes())?;
            let arguments = jvm::arguments(plan, node, kit, archives);
            write_whole(&plan.node_arguments(node), arguments.as_bytes())?;
        }
        if plan.mode == Mode::KRaft {
            storage::clone_for(plan, kit)?;
        }
        Ok(())
    }

    /// Starts all nodes and waits until each knows all brokers.
    pub(crate) async fn boot(&mut self, limit: Duration) -> Result<(), LabError> {
        let (zookeeper, brokers): (Vec<Node>, Vec<Node>) =
            self.nodes().into_iter().partition(|node| *node == Node::ZooKeeper);
        for wave in [zookeeper, brokers] {
            for node in &wave {
                self.launch(*node)?;
            }
            self.wait_ready(&wave, limit).await?;
        }
        Ok(())
    }

    pub(super) fn launch(&mut self, node: Node) -> Result<(), LabError> {
        let group = self.hold.as_mut().and_then(Guard::group);
        let process = launch(&self.entry.plan, node, &self.entry.java, group)?;
        journal::note_process(&self.entry.plan, node, process)
    }

    pub(super) async fn wait_ready(&self, nodes: &[Node], limit: Duration) -> Result<(), LabError> {
        let started = Instant::now();
        let expected = self.running_brokers();
        for node in nodes {
            while let Err(last) = ready::check(&self.entry.plan, *node, &expected).await {
                self.check_alive(nodes)?;
                if started.elapsed() > limit {
                    return Err(self.not_ready(*node, limit, last));
                }
                tokio::time::sleep(POLL).await;
            }
        }
        // An answer may have come from a stranger on the port of a node that ended.
        self.check_alive(nodes)
    }

    fn not_ready(&self, node: Node, waited: Duration, last: String) -> LabError {
        let (cluster, tail) = (self.name().to_owned(), tail(&self.log(node), TAIL));
        LabError::NotReady { cluster, node, waited, last, tail }
    }

    fn check_alive(&self, nodes: &[Node]) -> Result<(), LabError> {
        let ended = nodes.iter().find(|node| self.state(**node) == NodeState::Stopped);
        ended.map_or(Ok(()), |node| Err(self.why_ended(*node)))
    }

    fn why_ended(&self, node: Node) -> LabError {
        let tail = tail(&self.log(node), TAIL);
        let ports = self.entry.plan.ports_of(node);
        let taken = ports.iter().copied().find(|port| !port::is_free(*port));
        // The port may be free again by now, so the log counts too.
        let said = tail.contains("Address already in use");
        match taken.or_else(|| ports.first().copied().filter(|_| said)) {
            Some(port) => LabError::PortTaken { node, port },
            None => LabError::NodeExited { cluster: self.name().to_owned(), node, tail },
        }
    }

    pub(super) fn running(&self) -> Vec<Node> {
        let mut nodes = self.nodes();
        nodes.retain(|node| self.state(*node) == NodeState::Running);
        nodes
    }

    fn running_brokers(&self) -> Vec<Broker> {
        let running = self.running();
        let brokers = self.entry.plan.brokers.iter().copied();
        brokers.filter(|broker| running.contains(&Node::Broker(broker.id))).collect()
    }
}
