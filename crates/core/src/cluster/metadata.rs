//! The picture of a cluster: brokers, topics, ids, leaders, epochs. A picture never changes; news
//! makes a new one, and a leader epoch does not go back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_protocol::types::{BrokerId, LeaderEpoch, TopicName, TopicPartition, Uuid};

use crate::orders::{Address, Leader, LeaderHint};

/// Kafka's code for "no broker here knows it".
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// What is known of a cluster at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metadata {
    /// The cluster's id, once a broker told it.
    pub cluster_id: Option<Arc<str>>,
    /// The broker that creates and deletes topics.
    pub controller: Option<BrokerId>,
    /// All brokers that are up, by id.
    pub brokers: BTreeMap<BrokerId, Address>,
    /// The topics that were asked for.
    pub topics: BTreeMap<TopicName, Topic>,
}

/// One topic.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Topic {
    /// Its id; zero when the cluster has none.
    pub id: Uuid,
    /// Kafka's error code of the last answer about it; 0 when there was none.
    pub error: i16,
    /// Its partitions by number.
    pub partitions: BTreeMap<i32, Partition>,
    /// In which racks replicas of each partition stand; empty where no broker tells its rack.
    pub racks: BTreeMap<i32, Racks>,
}

/// Racks that replicas of a partition stand in.
pub type Racks = Arc<BTreeSet<Arc<str>>>;

/// One partition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Partition {
    /// The leading broker, if there is one.
    pub leader: Option<BrokerId>,
    /// Which leadership this is.
    pub epoch: LeaderEpoch,
}

/// One answer of a broker.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The cluster's id, from brokers that tell it.
    pub cluster_id: Option<Arc<str>>,
    /// The controller.
    pub controller: Option<BrokerId>,
    /// All brokers.
    pub brokers: BTreeMap<BrokerId, Address>,
    /// The topics asked for.
    pub topics: BTreeMap<TopicName, Topic>,
    /// Whether all topics were asked for: one that is missing does not exist.
    pub is_whole: bool,
}

impl Metadata {
    /// This picture with the news of `update`. Brokers are replaced, topics that the update does
    /// not name are kept.
    #[must_use]
    pub fn merge(&self, update: Update) -> Self {
        let mut topics = self.topics.clone();
        let missing = topics.iter_mut().filter(|(name, _)| !update.topics.contains_key(*name));
        for (_, topic) in missing.filter(|_| update.is_whole) {
            topic.error = UNKNOWN_TOPIC_OR_PARTITION;
        }
        for (name, news) in update.topics {
            let merged = topics.get(&name).map_or_else(|| news.clone(), |old| old.merge(&news));
            topics.insert(name, merged);
        }
        Self {
            cluster_id: update.cluster_id.or_else(|| self.cluster_id.clone()),
            controller: update.controller,
            brokers: if update.brokers.is_empty() { self.brokers.clone() } else { update.brokers },
            topics,
        }
    }

    /// The partitions of which this picture knows a newer leader epoch than `update` tells.
    pub(super) fn newer_than(&self, update: &Update) -> BTreeSet<TopicPartition> {
        let mut newer = BTreeSet::new();
        for (name, news) in &update.topics {
            let Some(known) = self.topics.get(name).filter(|known| known.is_same_log(news)) else {
                continue;
            };
            for (number, told) in &news.partitions {
                if known.partitions.get(number).is_some_and(|known| told.epoch < known.epoch) {
                    newer.insert(TopicPartition::new(name.clone(), *number));
                }
            }
        }
        newer
    }

    /// Whatever is told of this partition next is believed.
    pub(super) fn forget_epoch(&mut self, tp: &TopicPartition) {
        let topic = self.topics.get_mut(&tp.topic);
        if let Some(partition) = topic.and_then(|it| it.partitions.get_mut(&tp.partition)) {
            *partition = Partition { leader: None, epoch: LeaderEpoch(-1) };
        }
    }

    /// This picture with a broker's word on a leader (KIP-951); `None` when it is no news.
    #[must_use]
    pub fn with_hint(&self, tp: &TopicPartition, hint: &LeaderHint) -> Option<Self> {
        let known = self.partition(tp)?;
        let is_news = known.epoch < hint.leader.epoch
            || (known.epoch == hint.leader.epoch && known.leader.is_none());
        let reachable = hint.address.is_some() || self.brokers.contains_key(&hint.leader.broker);
        if !is_news || !reachable {
            return None;
        }
        let mut next = self.clone();
        let partition = next.topics.get_mut(&tp.topic)?.partitions.get_mut(&tp.partition)?;
        *partition = Partition { leader: Some(hint.leader.broker), epoch: hint.leader.epoch };
        if let Some(address) = &hint.address {
            next.brokers.insert(hint.leader.broker, address.clone());
        }
        Some(next)
    }

    /// What is known of one partition.
    #[must_use]
    pub fn partition(&self, tp: &TopicPartition) -> Option<Partition> {
        self.topics.get(&tp.topic)?.partitions.get(&tp.partition).copied()
    }

    /// Who leads `tp`, when somebody whose address is known does.
    #[must_use]
    pub fn leader(&self, tp: &TopicPartition) -> Option<Leader> {
        let partition = self.partition(tp)?;
        let broker = partition.leader.filter(|broker| self.brokers.contains_key(broker))?;
        Some(Leader { broker, epoch: partition.epoch })
    }

    /// The id of a topic; zero when none is known.
    #[must_use]
    pub fn topic_id(&self, topic: &TopicName) -> Uuid {
        self.topics.get(topic).map_or(Uuid::ZERO, |topic| topic.id)
    }
}

impl Topic {
    fn is_same_log(&self, news: &Self) -> bool {
        self.id == news.id || self.id.is_zero() || news.id.is_zero()
    }

    /// News about a topic under the same id moves forward only; another id is another log.
    fn merge(&self, news: &Self) -> Self {
        if news.error != 0 && news.partitions.is_empty() {
            return Self { error: news.error, ..self.clone() };
        }
        if !self.is_same_log(news) {
            return news.clone();
        }
        let partitions = news.partitions.iter().map(|(number, partition)| {
            let old = self.partitions.get(number).filter(|old| partition.epoch < old.epoch);
            (*number, *old.unwrap_or(partition))
        });
        let id = if news.id.is_zero() { self.id } else { news.id };
        let racks = news.racks.clone();
        Self { id, error: news.error, partitions: partitions.collect(), racks }
    }
}

#[cfg(test)]
mod tests;
