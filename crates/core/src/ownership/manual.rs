//! Ownership by the user's word: a fixed set of partitions, no group protocol. Ours from the start
//! until we give them up.

use std::collections::BTreeMap;

use forebay_protocol::types::TopicPartition;

use super::Ownership;
use crate::fence::Gain;
use crate::time::Instant;

/// The fixed partitions and where each stands.
#[derive(Debug)]
pub struct Manual {
    partitions: BTreeMap<TopicPartition, Ownership>,
}

impl Manual {
    /// All of `assignment` is to become ours.
    #[must_use]
    pub fn new(assignment: impl IntoIterator<Item = TopicPartition>) -> Self {
        let acquiring = Ownership::Acquiring { gain: Gain(1) };
        Self { partitions: assignment.into_iter().map(|tp| (tp, acquiring)).collect() }
    }

    /// Where `tp` stands.
    #[must_use]
    pub fn get(&self, tp: &TopicPartition) -> Ownership {
        self.partitions.get(tp).copied().unwrap_or_default()
    }

    /// Whether the user named `tp`.
    #[must_use]
    pub fn knows(&self, tp: &TopicPartition) -> bool {
        self.partitions.contains_key(tp)
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

    /// Everything is to be given up by `deadline`: answers what must drain; what had not started
    /// is given up at once.
    pub fn drain_all(&mut self, deadline: Instant) -> Vec<(TopicPartition, Gain)> {
        let mut draining = Vec::new();
        for (tp, state) in &mut self.partitions {
            *state = match *state {
                Ownership::Owned { gain } => {
                    draining.push((tp.clone(), gain));
                    Ownership::Draining { gain, deadline }
                }
                Ownership::Acquiring { .. } => Ownership::Unowned,
                other @ (Ownership::Unowned | Ownership::Draining { .. }) => other,
            };
        }
        draining
    }

    /// Nothing of `tp` runs any more and the last commit is through, or was given up.
    pub fn release(&mut self, tp: &TopicPartition) {
        if matches!(self.get(tp), Ownership::Draining { .. }) {
            self.enter(tp, Ownership::Unowned);
        }
    }

    /// `tp` is gone from the cluster: what was ours is nobody's. Answers its gain if it was ours.
    pub fn lose(&mut self, tp: &TopicPartition) -> Option<Gain> {
        match self.get(tp) {
            Ownership::Owned { gain } | Ownership::Draining { gain, .. } => {
                self.enter(tp, Ownership::Unowned);
                Some(gain)
            }
            Ownership::Unowned | Ownership::Acquiring { .. } => None,
        }
    }

    /// Partitions that still drain.
    pub fn draining(&self) -> impl Iterator<Item = &TopicPartition> {
        let all = self.partitions.iter();
        all.filter(|(_, state)| matches!(state, Ownership::Draining { .. })).map(|(tp, _)| tp)
    }

    fn enter(&mut self, tp: &TopicPartition, next: Ownership) {
        if let Some(state) = self.partitions.get_mut(tp) {
            debug_assert!(state.can_become(&next), "{state:?} to {next:?}");
            *state = next;
        }
    }
}
