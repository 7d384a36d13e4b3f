//! What a look at the cluster changes: where brokers are, who leads, which topics there are.

use std::sync::Arc;

use forebay_protocol::types::TopicPartition;

use super::Consumer;
use super::output::{self, Output, Trouble};
use super::partition::{self, Partition, Patience};
use super::shutdown::Stage;
use crate::orders::{Leader, Order};
use crate::time::Instant;

impl Consumer {
    /// Tells the shard where brokers are, when that changed.
    pub(super) fn tell_brokers(&mut self) {
        let brokers: output::Brokers =
            self.metadata.brokers.iter().map(|(id, at)| (*id, at.clone())).collect();
        if !brokers.is_empty() && self.brokers_told.as_ref() != Some(&brokers) {
            self.brokers_told = Some(Arc::clone(&brokers));
            self.outputs.push_back(Output::Order(Order::Brokers(brokers)));
        }
    }

    /// Starts what waited for its topic, and tells leaders that moved or were asked for.
    pub(super) fn tell_leaders(&mut self) {
        let tps: Vec<_> = self.partitions.keys().cloned().collect();
        for tp in tps {
            self.gain(&tp);
            let leader = self.metadata.leader(&tp);
            let Some(partition) = self.partitions.get(&tp) else { continue };
            let moved = partition.leader_told != leader;
            let wanted = partition.wants_leader && leader.is_some();
            if partition.gain.is_some() && (moved || wanted) {
                self.tell_leader(&tp, leader);
            }
        }
        let mut live = self.partitions.iter().filter(|(_, partition)| partition.trouble.is_none());
        if live.any(|(tp, _)| self.metadata.leader(tp).is_none()) {
            self.outputs.push_back(Output::StaleMetadata);
        }
    }

    pub(super) fn tell_leader(&mut self, tp: &TopicPartition, leader: Option<Leader>) {
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        let Some(gain) = partition.gain else { return };
        partition.leader_told = leader;
        partition.wants_leader &= leader.is_none();
        self.outputs.push_back(Output::Order(Order::Leader { tp: tp.clone(), gain, leader }));
    }

    /// A topic that was deleted and created again is another log: positions of the old one say
    /// nothing about it, and nothing is committed for it.
    pub(super) fn lose_recreated(&mut self, now: Instant) {
        let metadata = &self.metadata;
        let is_other = |(tp, partition): &(&TopicPartition, &Partition)| {
            partition.trouble.is_none() && partition.is_of_another_log(metadata.topic_id(&tp.topic))
        };
        let lost: Vec<_> =
            self.partitions.iter().filter(is_other).map(|(tp, _)| tp.clone()).collect();
        for tp in lost {
            let Some(gain) = self.ownership.lose(&tp) else { continue };
            self.starts.handle_dropped(&tp);
            self.commit.handle_lost(&tp);
            self.outputs.push_back(Output::Order(Order::Lost { tp: tp.clone(), gain }));
            if self.parking.contains(&tp) {
                self.forget_log(&tp);
                continue;
            }
            // A group follows topics: the new log begins where nothing is committed.
            if self.member.is_some() && self.stage == Stage::Running && !self.giving.contains(&tp) {
                let again = self.partitions.get(&tp).map(Partition::again).unwrap_or_default();
                self.acquire(now, &tp, again);
                continue;
            }
            if let Some(partition) = self.partitions.get_mut(&tp) {
                (partition.gain, partition.is_drained) = (None, true);
            }
            self.fail(now, &tp, Trouble::Recreated);
        }
    }

    /// Fails partitions that the cluster does not have.
    pub(super) fn check_topics(&mut self, now: Instant) {
        // A group follows topics as they come and go.
        let follows = self.member.is_some();
        let patience = if follows { Patience::Left } else { Patience::from(self.topics_by) };
        let waiting = self.partitions.iter().filter(|(_, partition)| partition.awaits_topic());
        let failed: Vec<_> = waiting
            .filter_map(|(tp, _)| {
                let trouble = partition::missing(&self.metadata, tp, patience)?;
                Some((tp.clone(), trouble))
            })
            .collect();
        for (tp, trouble) in failed {
            self.starts.handle_dropped(&tp);
            self.fail(now, &tp, trouble);
        }
    }
}
