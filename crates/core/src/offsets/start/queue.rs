//! Which partitions are to be asked about now, which later, and which once they have a leader?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_protocol::types::TopicPartition;

use crate::time::Instant;

/// Delays end at multiples of this, so that partitions whose question failed together, and whose
/// delays differ by their jitter, are asked about together again.
const GRID: Duration = Duration::from_millis(20);

/// Where a partition waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Due,
    Later(Instant),
    Leaderless,
}

/// The partitions that wait, each in one place. An event costs what it moves, not what there is:
/// with ten thousand partitions, looking at all of them with each answer takes seconds.
#[derive(Debug, Default)]
pub(super) struct Queue {
    places: BTreeMap<TopicPartition, Place>,
    due: BTreeSet<TopicPartition>,
    later: BTreeSet<(Instant, TopicPartition)>,
    leaderless: BTreeSet<TopicPartition>,
    /// Partitions looked at so far: what the tests count.
    #[cfg(test)]
    pub(super) looks: u64,
}

impl Queue {
    /// `tp` is to be asked about at once.
    pub(super) fn push_due(&mut self, tp: TopicPartition) {
        self.put(tp, Place::Due);
    }

    /// `tp` is to be asked about, not before `at`.
    pub(super) fn push_later(&mut self, at: Instant, tp: TopicPartition) {
        let past = at.since(Instant::default()).as_nanos() % GRID.as_nanos();
        let left = u64::try_from(GRID.as_nanos() - past).unwrap_or(0);
        self.put(tp, Place::Later(at.after(Duration::from_nanos(left))));
    }

    /// `tp` is to be asked about when the picture of the cluster changes.
    pub(super) fn push_leaderless(&mut self, tp: TopicPartition) {
        self.put(tp, Place::Leaderless);
    }

    /// Nobody is to be asked about `tp`.
    pub(super) fn remove(&mut self, tp: &TopicPartition) {
        self.look();
        match self.places.remove(tp) {
            Some(Place::Due) => drop(self.due.remove(tp)),
            Some(Place::Later(at)) => drop(self.later.remove(&(at, tp.clone()))),
            Some(Place::Leaderless) => drop(self.leaderless.remove(tp)),
            None => {}
        }
    }

    /// One that is due; it waits no longer.
    pub(super) fn pop_due(&mut self) -> Option<TopicPartition> {
        self.look();
        let tp = self.due.pop_first()?;
        self.places.remove(&tp);
        Some(tp)
    }

    /// What waited until `now` is due.
    pub(super) fn wake(&mut self, now: Instant) {
        self.look();
        while self.next_at().is_some_and(|at| at <= now)
            && let Some((_, tp)) = self.later.pop_first()
        {
            self.put(tp, Place::Due);
        }
    }

    /// What waited for a leader is due: it may have one.
    pub(super) fn wake_leaderless(&mut self) {
        for tp in std::mem::take(&mut self.leaderless) {
            self.put(tp, Place::Due);
        }
    }

    /// When the next is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    fn put(&mut self, tp: TopicPartition, place: Place) {
        self.remove(&tp);
        self.places.insert(tp.clone(), place);
        match place {
            Place::Due => drop(self.due.insert(tp)),
            Place::Later(at) => drop(self.later.insert((at, tp))),
            Place::Leaderless => drop(self.leaderless.insert(tp)),
        }
    }

    #[cfg(test)]
    const fn look(&mut self) {
        self.looks += 1;
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "counts in tests only"
    )]
    const fn look(&mut self) {}
}
