//! Who leads what, who coordinates whom, and whether this node may answer.

use forebay_protocol::types::BrokerId;

use crate::batch::Refusal;
use crate::cluster::{Cluster, NodeState};
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::fault::Asked;
use crate::topic::{Partition, TopicRef};
use crate::versions::Release;

impl Cluster {
    /// The node that controls the cluster: the first that is up.
    pub(crate) fn controller(&self) -> BrokerId {
        let mut up = self.nodes.iter().filter(|(_, node)| node.state != NodeState::Down);
        up.next().map_or(BrokerId(-1), |(id, _)| *id)
    }

    /// Whether the asked node may change topics: any since brokers forward, only the controller
    /// before.
    pub(crate) fn controls(&self, call: &Call) -> Result<(), Refusal> {
        let controller = self.controller();
        if self.options.release > Release::V1_1 || call.node == controller {
            return Ok(());
        }
        let why = format!("node {controller} is the controller");
        Err(Refusal::new(ErrorCode::NOT_CONTROLLER, why))
    }

    /// The nodes that are up, in order.
    pub(crate) fn up(&self) -> Vec<BrokerId> {
        let up = self.nodes.iter().filter(|(_, node)| node.state != NodeState::Down);
        up.map(|(id, _)| *id).collect()
    }

    /// The addresses of these nodes, each once.
    pub(crate) fn addresses(
        &self,
        mut ids: Vec<BrokerId>,
    ) -> impl Iterator<Item = (BrokerId, &str, u16)> {
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| {
            let node = self.nodes.get(&id)?;
            Some((id, node.host.as_str(), node.port))
        })
    }

    /// The rack that a node stands in.
    pub(crate) fn rack(&self, id: BrokerId) -> Option<&str> {
        let index = usize::try_from(id.0).ok()?.checked_sub(1)?;
        self.options.racks.get(index).map(String::as_str)
    }

    /// The replica that a client in `rack` should rather ask than the leader, if there is one.
    pub(crate) fn nearer(&self, partition: &Partition, rack: &str) -> Option<BrokerId> {
        let is_near = |id: &&BrokerId| self.is_up(**id) && self.rack(**id) == Some(rack);
        let mut near = partition.replicas.iter().filter(is_near);
        let is_leader_near = near.clone().any(|id| partition.leader == Some(*id));
        near.next().copied().filter(|_| !is_leader_near)
    }

    /// The node that coordinates a group or a transactional id.
    pub(crate) fn coordinator_of(&self, key: &str) -> Option<BrokerId> {
        if let Some(moved) = self.moved.get(key).filter(|node| self.is_up(**node)) {
            return Some(*moved);
        }
        let up = self.up();
        let sum = key
            .bytes()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        up.get(sum.checked_rem(up.len())?).copied()
    }

    /// The error that the script wants for a partition, or for the whole request.
    pub(crate) fn forced(&mut self, call: &Call, topic: &str, partition: i32) -> Option<ErrorCode> {
        let asked = Asked { api: call.api, node: call.node, client_id: call.client_id.as_deref() };
        call.forced().or_else(|| self.script.strike_partition(&asked, (topic, partition)))
    }

    /// The leader and epoch that metadata shows, which a test may have made old.
    pub(crate) fn told_leader(
        &self,
        topic: &str,
        index: i32,
        partition: &Partition,
    ) -> (Option<BrokerId>, i32) {
        if self.stale.is_empty() {
            return (partition.leader, partition.epoch);
        }
        let stale = self.stale.get(&(topic.to_owned(), index)).copied();
        stale.unwrap_or((partition.leader, partition.epoch))
    }

    /// The topic's name, when the asked node leads this partition in the epoch the client believes
    /// in; -1 believes in any.
    pub(crate) fn led_here(
        &mut self,
        call: &Call,
        topic: &TopicRef,
        (partition, epoch): (i32, i32),
    ) -> Result<String, Refusal> {
        let Some(name) = self.topics.name_of(topic).map(str::to_owned) else {
            return Err(Self::no_partition(topic));
        };
        if let Some(code) = self.forced(call, &name, partition) {
            return Err(Refusal::new(code, "a fault script says so"));
        }
        match self.topics.partition(&name, partition) {
            Some(found) => led_by(found, call.node, epoch).map(|()| name),
            None => Err(Refusal::new(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                format!("{name} has no partition {partition}"),
            )),
        }
    }

    /// What to say when there is no such topic.
    pub(crate) fn no_partition(topic: &TopicRef) -> Refusal {
        match topic {
            TopicRef::Name(name) => {
                let why = format!("there is no topic {name:?}");
                Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, why)
            }
            TopicRef::Id(id) => {
                let why = format!("there is no topic with id {id:?}");
                Refusal::new(ErrorCode::UNKNOWN_TOPIC_ID, why)
            }
        }
    }

    /// Whether so many more bytes of records can be kept.
    pub(crate) fn has_room(&self, bytes: usize) -> Result<(), Refusal> {
        let (used, most) = (self.topics.bytes(), self.options.memory);
        if used.saturating_add(bytes) <= most {
            return Ok(());
        }
        let why = format!(
            "this in-process broker keeps at most {most} bytes of records and has {used}: give it \
             more memory, or delete records or topics"
        );
        Err(Refusal::new(ErrorCode::POLICY_VIOLATION, why))
    }

    /// A partition has news: whoever waits for it may look again.
    pub(crate) fn changed(&mut self, topic: &str, partition: i32) {
        let Some(partition) = self.topics.partition(topic, partition) else { return };
        for (key, slot) in &partition.watchers {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            session.mark(*slot);
            self.woken.extend(session.waiting);
        }
    }
}

/// Whether `node` leads the partition in the epoch that the client believes in.
pub(crate) fn led_by(partition: &Partition, node: BrokerId, epoch: i32) -> Result<(), Refusal> {
    if partition.leader != Some(node) {
        let why = match partition.leader {
            Some(leader) => format!("node {node} does not lead it, node {leader} does"),
            None => "no node leads it".to_owned(),
        };
        return Err(Refusal::new(ErrorCode::NOT_LEADER_OR_FOLLOWER, why));
    }
    is_of_epoch(partition, epoch)
}

/// Whether the client believes in the epoch that is.
pub(crate) fn is_of_epoch(partition: &Partition, epoch: i32) -> Result<(), Refusal> {
    let current = partition.epoch;
    if epoch >= 0 && epoch < current {
        let why = format!("the leader epoch is {current}, the request believes in {epoch}");
        return Err(Refusal::new(ErrorCode::FENCED_LEADER_EPOCH, why));
    }
    if epoch > current {
        let why = format!("the leader epoch is {current}, the request knows {epoch} already");
        return Err(Refusal::new(ErrorCode::UNKNOWN_LEADER_EPOCH, why));
    }
    Ok(())
}
