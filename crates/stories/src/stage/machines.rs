//! What can be done to the nodes that a story runs on? The same verbs for ours and for real ones.

use std::time::Duration;

use forebay::{BrokerId, TopicPartition};
use forebay_broker::{ApiKey, Broker, Seen};

use super::kafka::Lab;
use super::{Absence, Brokers, in_process};
use crate::story::Ending;

/// A request by which a member shows that it lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    pub(crate) at: Duration,
    /// It is answered when others have done their part.
    pub(crate) waits: bool,
}

/// A cluster, and the power over its nodes. Nodes count from 1.
pub(crate) enum Machines {
    Ours(Broker),
    Kafka(Lab),
}

impl Machines {
    pub(crate) async fn start(broker: Brokers, nodes: u16) -> Result<Self, Absence> {
        match broker.release() {
            None => Ok(Self::Ours(in_process::start(nodes, in_process::BEAT).await?)),
            Some(release) => Ok(Self::Kafka(Lab::start(release, nodes).await?)),
        }
    }

    /// One node of ours that tells members by KIP-848 to beat so often.
    pub(crate) async fn ours(beat: Duration) -> Result<Self, Absence> {
        Ok(Self::Ours(in_process::start(1, beat).await?))
    }

    pub(crate) fn bootstrap(&self) -> &str {
        match self {
            Self::Ours(ours) => ours.bootstrap_servers(),
            Self::Kafka(lab) => lab.bootstrap(),
        }
    }

    /// When a client told its coordinator that it lives; `None` where nobody writes that down.
    pub(crate) fn signs(&self, client: &str) -> Option<Vec<Sign>> {
        let Self::Ours(ours) = self else { return None };
        Some(ours.with(|cluster| {
            let of_client = |seen: &&Seen| seen.client_id.as_deref() == Some(client);
            let all = cluster.requests().filter(of_client);
            let signs = all.filter_map(|seen| {
                let waits = matches!(seen.api, ApiKey::JoinGroup | ApiKey::SyncGroup);
                let beats = matches!(seen.api, ApiKey::Heartbeat | ApiKey::ConsumerGroupHeartbeat);
                let is_sign = waits || beats;
                is_sign.then_some(Sign { at: seen.at, waits })
            });
            signs.collect()
        }))
    }

    /// An orderly stop: others lead before it is gone.
    pub(crate) async fn stop(&self, node: BrokerId) -> Result<(), Ending> {
        match self {
            Self::Ours(ours) => ours.with(|cluster| cluster.stop_node(node)),
            Self::Kafka(lab) => lab.verb("stop", node).await?,
        }
        Ok(())
    }

    /// kill -9.
    pub(crate) async fn kill(&self, node: BrokerId) -> Result<(), Ending> {
        match self {
            Self::Ours(ours) => ours.with(|cluster| cluster.stop_node(node)),
            Self::Kafka(lab) => lab.verb("kill", node).await?,
        }
        Ok(())
    }

    /// Back with its old data, known to all others.
    pub(crate) async fn restart(&self, node: BrokerId) -> Result<(), Ending> {
        match self {
            Self::Ours(ours) => ours.with(|cluster| cluster.start_node(node)),
            Self::Kafka(lab) => lab.verb("start", node).await?,
        }
        Ok(())
    }

    /// SIGSTOP: its sockets stay open and nobody answers. What it led, of `partitions`, goes to
    /// `heir` once the others notice; ours has nobody who would notice.
    pub(crate) async fn freeze(
        &self,
        node: BrokerId,
        (partitions, heir): (&[TopicPartition], BrokerId),
    ) -> Result<(), Ending> {
        match self {
            Self::Ours(ours) => ours.with(|cluster| {
                cluster.freeze_node(node);
                for tp in partitions {
                    if cluster.leader(tp).is_some_and(|(leader, _)| leader == node) {
                        cluster.move_leader(tp, heir).map_err(refused)?;
                    }
                }
                Ok(())
            }),
            Self::Kafka(lab) => lab.verb("pause", node).await,
        }
    }

    /// SIGCONT.
    pub(crate) async fn thaw(&self, node: BrokerId) -> Result<(), Ending> {
        match self {
            Self::Ours(ours) => ours.with(|cluster| cluster.thaw_node(node)),
            Self::Kafka(lab) => lab.verb("resume", node).await?,
        }
        Ok(())
    }

    pub(crate) async fn clear(self) {
        match self {
            Self::Ours(ours) => ours.shutdown().await,
            Self::Kafka(lab) => lab.stop().await,
        }
    }
}

/// Our broker would not do what a story wanted of it.
pub(crate) fn refused(refusal: impl std::fmt::Debug) -> Ending {
    Ending::Broken(format!("the in-process broker refused: {refusal:?}"))
}
