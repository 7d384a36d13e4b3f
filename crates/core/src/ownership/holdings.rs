//! Where each of our partitions stands, whoever gave it to us: the user's word or a group.

use std::collections::BTreeMap;

use forebay_protocol::types::TopicPartition;

use super::Ownership;
use crate::fence::Gain;
use crate::time::Instant;

/// Our partitions and where each stands.
#[derive(Debug, Default)]
pub struct Holdings {
    partitions: BTreeMap<TopicPartition, Ownership>,
    /// The last gain that was given: no two are alike.
    last: Gain,
}

impl Holdings {
    /// `tp` is to become ours. Nothing changes when it is, or is being given up.
    pub fn acquire(&mut self, tp: TopicPartition) {
        let state = self.partitions.entry(tp).or_default();
        if *state == Ownership::Unowned {
            self.last = Gain(self.last.0.wrapping_add(1));
            *state = Ownership::Acquiring { gain: self.last };
        }
    }

    /// Where `tp` stands.
    #[must_use]
    pub fn get(&self, tp: &TopicPartition) -> Ownership {
        self.partitions.get(tp).copied().unwrap_or_default()
    }

    /// The partition starts; answers its gain if it was being acquired.
    pub fn own(&mut self, tp: &TopicPartition) -> Option<Gain> {
        match self.get(tp) {
            Ownership::Acquiring { gain } => {
                self.enter(tp, Ownership::Owned { gain });
                Some(gain)
            }
            Ownership::Unowned | Ownership::Owned { .. } | Ownership::Draining { .. } => None,
        }
    }

    /// `tp` is to be given up by `deadline`: answers its gain when it must drain; what had not
    /// started is given up at once.
    pub fn drain(&mut self, tp: &TopicPartition, deadline: Instant) -> Option<Gain> {
        match self.get(tp) {
            Ownership::Owned { gain } => {
                self.enter(tp, Ownership::Draining { gain, deadline });
                Some(gain)
            }
            Ownership::Acquiring { .. } => {
                self.enter(tp, Ownership::Unowned);
                None
            }
            Ownership::Unowned | Ownership::Draining { .. } => None,
        }
    }

    /// Nothing of `tp` runs any more and the last commit is through, or was given up.
    pub fn release(&mut self, tp: &TopicPartition) {
        if matches!(self.get(tp), Ownership::Draining { .. }) {
            self.enter(tp, Ownership::Unowned);
        }
    }

    /// `tp` is nobody's, as far as we know. Answers its gain if the shard had it.
    pub fn lose(&mut self, tp: &TopicPartition) -> Option<Gain> {
        match self.get(tp) {
            Ownership::Owned { gain } | Ownership::Draining { gain, .. } => {
                self.enter(tp, Ownership::Unowned);
                Some(gain)
            }
            Ownership::Acquiring { .. } => {
                self.enter(tp, Ownership::Unowned);
                None
            }
            Ownership::Unowned => None,
        }
    }

    fn enter(&mut self, tp: &TopicPartition, next: Ownership) {
        if let Some(state) = self.partitions.get_mut(tp) {
            debug_assert!(state.can_become(&next), "{state:?} to {next:?}");
            *state = next;
        }
    }
}
