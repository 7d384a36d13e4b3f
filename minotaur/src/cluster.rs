//! What can be done to a cluster that exists? Kill, stop, freeze and start its nodes, look at
//! them, remove it.

mod boot;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Serialize;

use crate::error::LabError;
use crate::infrastructure::local::guard::Guard;
use crate::infrastructure::local::process::{ProcessId, ProcessState};
use crate::model::{Node, Plan};
use crate::supervisor::home::{Home, tail};
use crate::supervisor::journal::{self, Entry};
use crate::supervisor::sweep;
use crate::versions::{KafkaVersion, Mode};

const POLL: Duration = Duration::from_millis(20);
const TAIL: usize = 30;
const KILL_WITHIN: Duration = Duration::from_secs(10);
const STOP_WITHIN: Duration = Duration::from_secs(30);
const START_WITHIN: Duration = Duration::from_secs(60);
/// ZooKeeper remembers a killed broker until its session ends, and meanwhile refuses a new one
/// with the same id, which then exits.
const SESSION_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// Nodes on this machine that make one Kafka. One that [`Lab::up`](crate::Lab::up) gave ends when
/// this is dropped, and when the process that holds it dies in any way.
#[derive(Debug)]
pub struct Cluster {
    home: Home,
    entry: Entry,
    /// Present while the cluster is ours to end.
    hold: Option<Guard>,
}

/// What a node does now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NodeState {
    /// Its process lives.
    Running,
    /// Its process lives but gets no time, see [`Cluster::freeze`].
    Frozen,
    /// It has no process.
    Stopped,
}

/// One line of the status table.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Which node.
    pub node: Node,
    /// `host:port` for its clients.
    pub address: String,
    /// What it does.
    pub state: NodeState,
    /// Its process, while it has one.
    pub pid: Option<i32>,
    /// Resident memory in bytes, while it has a process.
    pub resident_bytes: Option<u64>,
}

impl NodeState {
    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Frozen => "frozen",
            Self::Stopped => "stopped",
        }
    }
}

impl Cluster {
    /// A cluster that belongs to somebody else.
    pub(crate) const fn found(home: Home, entry: Entry) -> Self {
        Self { home, entry, hold: None }
    }

    /// A cluster that ends with this value.
    pub(crate) fn held(home: Home, entry: Entry) -> Result<Self, LabError> {
        let guard = Guard::start().map_err(LabError::io("run", Path::new("sh")));
        match guard {
            Ok(guard) => Ok(Self { home, entry, hold: Some(guard) }),
            Err(error) => {
                sweep::destroy(&home, &entry.plan)?;
                Err(error)
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.entry.plan.name
    }

    /// Its release of Kafka.
    #[must_use]
    pub fn version(&self) -> KafkaVersion {
        self.entry.plan.version
    }

    /// What keeps its metadata.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.entry.plan.mode
    }

    /// `host:port` of every broker, separated by commas.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.entry.plan.bootstrap_servers()
    }

    /// What old tools take as `--zookeeper`, in ZooKeeper mode.
    #[must_use]
    pub fn zookeeper(&self) -> Option<String> {
        let port = self.entry.plan.zookeeper_port?;
        Some(format!("{}:{port}/kafka", crate::model::HOST))
    }

    /// Its nodes in the order in which they start.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        self.entry.plan.nodes()
    }

    /// Where its configuration and logs lie.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.entry.plan.directory
    }

    /// Where `node` writes what it has to say.
    #[must_use]
    pub fn log(&self, node: Node) -> PathBuf {
        self.entry.plan.node_log(node)
    }

    /// What each node does now.
    #[must_use]
    pub fn status(&self) -> Vec<NodeStatus> {
        self.nodes().into_iter().map(|node| self.node_status(node)).collect()
    }

    /// What `node` does now; an unknown node is stopped.
    #[must_use]
    pub fn state(&self, node: Node) -> NodeState {
        match self.process(node).map(ProcessId::state) {
            Some(ProcessState::Running) => NodeState::Running,
            Some(ProcessState::Frozen) => NodeState::Frozen,
            Some(ProcessState::Gone) | None => NodeState::Stopped,
        }
    }

    /// Ends `node` at once, as `kill -9` does. Returns when its process is gone.
    ///
    /// Cancel safe: the signal is sent before anything is waited for.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`], [`LabError::NodeState`] when it has no process,
    /// [`LabError::NotStopped`].
    pub async fn kill(&self, node: Node) -> Result<(), LabError> {
        let process = self.expect(node, &[NodeState::Running, NodeState::Frozen])?;
        process.signal(Signal::KILL);
        self.wait_gone(node, process, KILL_WITHIN).await
    }

    /// Asks `node` to end in good order and waits up to 30 s until it did.
    ///
    /// Cancel safe: the signal is sent before anything is waited for.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`], [`LabError::NodeState`] unless it is running,
    /// [`LabError::NotStopped`].
    pub async fn stop(&self, node: Node) -> Result<(), LabError> {
        let process = self.expect(node, &[NodeState::Running])?;
        process.signal(Signal::TERM);
        self.wait_gone(node, process, STOP_WITHIN).await
    }

    /// Takes all processor time from `node`, as a long pause of its machine would. Returns when
    /// it has stopped.
    ///
    /// Cancel safe: the signal is sent before anything is waited for.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`], [`LabError::NodeState`] unless it is running.
    pub async fn freeze(&self, node: Node) -> Result<(), LabError> {
        self.expect(node, &[NodeState::Running])?.signal(Signal::STOP);
        while self.state(node) == NodeState::Running {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Gives the time back that [`freeze`](Self::freeze) took. Returns when it runs again.
    ///
    /// Cancel safe: the signal is sent before anything is waited for.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`], [`LabError::NodeState`] unless it is frozen.
    pub async fn thaw(&self, node: Node) -> Result<(), LabError> {
        self.expect(node, &[NodeState::Frozen])?.signal(Signal::CONT);
        while self.state(node) == NodeState::Frozen {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Starts a stopped node with its old data and ports, and waits up to 60 s until it knows all
    /// running brokers and they know it.
    ///
    /// A dropped call leaves the node starting.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`], [`LabError::NodeState`] unless it is stopped,
    /// [`LabError::NodeExited`], [`LabError::NotReady`], [`LabError::PortTaken`],
    /// [`LabError::Io`].
    pub async fn start(&mut self, node: Node) -> Result<(), LabError> {
        self.entry.plan.check(node)?;
        let found = self.state(node);
        if found != NodeState::Stopped {
            return Err(self.wrong_state(node, found, NodeState::Stopped.word()));
        }
        let started = Instant::now();
        loop {
            self.launch(node)?;
            let result = self.wait_ready(&[node], START_WITHIN).await;
            let again = matches!(result, Err(LabError::NodeExited { .. }))
                && self.mode() == Mode::ZooKeeper
                && started.elapsed() < SESSION_ENDS_WITHIN;
            if !again {
                result?;
                return self.ready(START_WITHIN).await;
            }
        }
    }

    /// Waits until every running broker knows all running brokers.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeExited`], [`LabError::NotReady`].
    pub async fn ready(&self, limit: Duration) -> Result<(), LabError> {
        self.wait_ready(&self.running(), limit).await
    }

    /// Removes the cluster: its processes, data and logs.
    ///
    /// # Errors
    ///
    /// [`LabError::NotStopped`], [`LabError::Io`].
    pub fn down(mut self) -> Result<(), LabError> {
        let destroyed = sweep::destroy(&self.home, &self.entry.plan);
        self.hold = None;
        destroyed
    }

    /// Lets the cluster live on without this value: as long as the process `owner` when there is
    /// one, else until it is removed by name.
    ///
    /// # Errors
    ///
    /// [`LabError::NoSuchProcess`], [`LabError::Io`]; the cluster is removed then.
    pub fn release(mut self, owner: Option<i32>) -> Result<(), LabError> {
        let owner = match owner {
            Some(pid) => Some(ProcessId::of(pid).ok_or(LabError::NoSuchProcess { pid })?),
            None => None,
        };
        self.entry.set_owner(owner)?;
        if let Some(guard) = self.hold.take() {
            guard.leave();
        }
        Ok(())
    }

    /// The process that it lives for, if there is one.
    #[must_use]
    pub fn owner(&self) -> Option<i32> {
        self.entry.owner.map(|owner| owner.pid)
    }

    /// Whether the process that it lives for is gone.
    #[must_use]
    pub fn is_left_over(&self) -> bool {
        self.entry.is_left_over()
    }

    fn process(&self, node: Node) -> Option<ProcessId> {
        journal::process_of(&self.entry.plan, node)
    }

    /// The node's process, when it is in one of these states.
    fn expect(&self, node: Node, states: &[NodeState]) -> Result<ProcessId, LabError> {
        self.entry.plan.check(node)?;
        let found = self.state(node);
        let process = self.process(node).filter(|_| states.contains(&found));
        let expected = states.first().map_or("", |state| state.word());
        process.ok_or_else(|| self.wrong_state(node, found, expected))
    }

    fn wrong_state(&self, node: Node, found: NodeState, expected: &'static str) -> LabError {
        LabError::NodeState { cluster: self.name().to_owned(), node, found: found.word(), expected }
    }

    async fn wait_gone(
        &self,
        node: Node,
        process: ProcessId,
        limit: Duration,
    ) -> Result<(), LabError> {
        if process.wait_gone(limit).await {
            return Ok(());
        }
        Err(LabError::NotStopped { cluster: self.name().to_owned(), node, waited: limit })
    }

    fn node_status(&self, node: Node) -> NodeStatus {
        let process = self.process(node);
        let port = self.entry.plan.ports_of(node).first().copied().unwrap_or_default();
        NodeStatus {
            node,
            address: format!("{}:{port}", crate::model::HOST),
            state: self.state(node),
            pid: process.map(|process| process.pid),
            resident_bytes: process.and_then(ProcessId::resident_bytes),
        }
    }

    /// The last `lines` lines that `node` logged.
    #[must_use]
    pub fn log_tail(&self, node: Node, lines: usize) -> String {
        tail(&self.log(node), lines)
    }

    /// All that `node` logged.
    ///
    /// # Errors
    ///
    /// [`LabError::NodeUnknown`], [`LabError::Io`] when it has logged nothing yet.
    pub fn read_log(&self, node: Node) -> Result<String, LabError> {
        self.entry.plan.check(node)?;
        let path = self.log(node);
        let bytes = fs::read(&path).map_err(LabError::io("read", &path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.entry.plan
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.hold.is_some() {
            // What fails here is left over, and the next command sweeps it.
            sweep::destroy(&self.home, &self.entry.plan).ok();
        }
    }
}
