//! What may users ask of a partition while it is worked on?

use forebay_protocol::types::{LeaderEpoch, Position, TopicPartition};

use super::partition::{Partition, Progress};
use super::{Consumer, Output};
use crate::offsets::commit::Entry;
use crate::offsets::start::Source;
use crate::orders::Order;
use crate::ownership::Ownership;
use crate::ownership::directive::Standing;
use crate::time::Instant;

impl Consumer {
    /// The user wants no more records of `tp` for now. Answers whether the partition is ours.
    pub fn handle_pause(&mut self, tp: &TopicPartition) -> bool {
        self.set_progress(tp, Progress::Paused)
    }

    /// The user wants records of `tp` again. Answers whether the partition is ours.
    pub fn handle_resume(&mut self, tp: &TopicPartition) -> bool {
        self.set_progress(tp, Progress::Flowing)
    }

    /// The user moves `tp`. Answers whether the partition is ours.
    pub fn handle_seek(&mut self, now: Instant, tp: &TopicPartition, position: Position) -> bool {
        let is_owned = self.ownership.get(tp) != Ownership::Unowned;
        let is_ours = |it: &&mut Partition| is_owned || matches!(it.standing, Standing::Parked(_));
        let Some(partition) = self.partitions.get_mut(tp).filter(is_ours) else { return false };
        partition.trouble = None;
        self.starts.handle_dropped(tp);
        self.commit.handle_seek(tp);
        let entry = Entry { position, epoch: LeaderEpoch::UNKNOWN };
        if let Some(gain) = partition.gain {
            partition.frontier = Some(entry);
            partition.seeks = partition.seeks.wrapping_add(1);
            let (seeks, position_epoch) = (partition.seeks, LeaderEpoch::UNKNOWN);
            let order = Order::Seek { tp: tp.clone(), gain, seeks, position, position_epoch };
            self.outputs.push_back(Output::Order(order));
        } else if is_owned {
            partition.start = Some((entry, Source::Policy));
            self.gain(tp);
        } else {
            partition.frontier = Some(entry);
            partition.standing.place();
        }
        self.route(now);
        true
    }

    /// All before this position of `tp` is done; the outer `None` when it is not ours.
    #[must_use]
    pub fn position(&self, tp: &TopicPartition) -> Option<Option<Position>> {
        let stands = |partition: &Partition| partition.frontier.map(|entry| entry.position);
        self.partitions.get(tp).map(stands)
    }

    /// What the coordinator confirmed for `tp`; the outer `None` when it is not ours.
    #[must_use]
    pub fn committed(&self, tp: &TopicPartition) -> Option<Option<Position>> {
        self.partitions.get(tp).map(|_| self.commit.acked(tp))
    }
}
