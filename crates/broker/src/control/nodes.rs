//! What tests do to nodes: who leads, who coordinates, who is down or frozen.

use forebay_protocol::types::{BrokerId, TopicPartition};

use crate::batch::Refusal;
use crate::cluster::{Cluster, NodeState};
use crate::code::ErrorCode;
use crate::connection::Connection;

impl Cluster {
    /// Who leads a partition, and in which epoch.
    #[must_use]
    pub fn leader(&self, of: &TopicPartition) -> Option<(BrokerId, i32)> {
        let partition = self.look(of)?;
        Some((partition.leader?, partition.epoch))
    }

    /// Moves a partition to another leader, in a new epoch.
    ///
    /// # Errors
    /// When there is no such partition or the node is not up.
    pub fn move_leader(&mut self, of: &TopicPartition, to: BrokerId) -> Result<(), Refusal> {
        if !self.is_up(to) {
            let why = format!("node {to} is not up");
            return Err(Refusal::new(ErrorCode::BROKER_NOT_AVAILABLE, why));
        }
        self.at(of, |partition| {
            if !partition.replicas.contains(&to) {
                partition.replicas = vec![to];
            }
            partition.elect(Some(to));
        })
    }

    /// Lets metadata show the partition's present leader and epoch from now on, whatever happens;
    /// [`Cluster::fresh_metadata`] ends it.
    pub fn stale_metadata(&mut self, of: &TopicPartition) {
        let Some(now) = self.look(of).map(|partition| (partition.leader, partition.epoch)) else {
            return;
        };
        self.stale.insert((of.topic.as_str().to_owned(), of.partition), now);
    }

    /// Metadata tells the truth again.
    pub fn fresh_metadata(&mut self) {
        self.stale.clear();
    }

    /// Moves the coordinator of a group or transactional id to another node.
    pub fn move_coordinator(&mut self, key: &str, to: BrokerId) {
        self.moved.insert(key.to_owned(), to);
        self.groups_moved(&[key.to_owned()]);
        self.settle();
    }

    /// The node that coordinates a group or transactional id.
    #[must_use]
    pub fn coordinator(&self, key: &str) -> Option<BrokerId> {
        self.coordinator_of(key)
    }

    /// Takes a node down: its connections close, its partitions go to other replicas that are up,
    /// or have no leader.
    pub fn stop_node(&mut self, id: BrokerId) {
        let here = self.groups.keys().filter(|name| self.coordinator_of(name) == Some(id));
        let here: Vec<_> = here.cloned().collect();
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.state = NodeState::Down;
        let of_node =
            |(key, connection): (&_, &Connection)| (connection.node == id).then_some(*key);
        let gone: Vec<_> = self.connections.iter().filter_map(of_node).collect();
        gone.into_iter().for_each(|connection| self.close(connection, None));
        self.evict_fetch_sessions(id);
        self.groups_moved(&here);
        self.elect_all();
    }

    /// Brings a node back. It leads what has no leader and belongs to it.
    pub fn start_node(&mut self, id: BrokerId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.state = NodeState::Up;
        }
        self.elect_all();
    }

    /// Freezes a node: it takes connections and requests and answers none, while the rest of the
    /// cluster believes that it is up. Fetches that already wait are answered at their time.
    pub fn freeze_node(&mut self, id: BrokerId) {
        self.set_state(id, (NodeState::Up, NodeState::Frozen));
    }

    /// Lets a frozen node go on with all that was asked meanwhile.
    pub fn thaw_node(&mut self, id: BrokerId) {
        self.set_state(id, (NodeState::Frozen, NodeState::Up));
        let here = self.connections.iter().filter(|(_, connection)| connection.node == id);
        let here: Vec<_> = here.map(|(connection, _)| *connection).collect();
        here.into_iter().for_each(|connection| self.serve(connection));
        self.settle();
    }

    fn set_state(&mut self, id: BrokerId, (from, to): (NodeState, NodeState)) {
        if let Some(node) = self.nodes.get_mut(&id).filter(|node| node.state == from) {
            node.state = to;
        }
    }

    /// Gives every partition whose leader is down another one, if there is one.
    fn elect_all(&mut self) {
        let up = self.up();
        let mut moved = Vec::new();
        for (name, topic) in self.topics.iter_mut() {
            for (index, partition) in (0..).zip(&mut topic.partitions) {
                if partition.leader.is_some_and(|leader| up.contains(&leader)) {
                    continue;
                }
                let next = partition.replicas.iter().find(|node| up.contains(node)).copied();
                if next != partition.leader {
                    partition.elect(next);
                    moved.push((name.to_owned(), index));
                }
            }
        }
        moved.iter().for_each(|(name, index)| self.changed(name, *index));
        self.settle();
    }

    /// Closes all connections of all clients, as a restart of the network would.
    pub fn close_connections(&mut self) {
        let all: Vec<_> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|connection| self.close(connection, None));
    }

    /// How many connections are open.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }
}
