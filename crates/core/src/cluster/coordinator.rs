//! Where each group's coordinator is, and when to look for it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_protocol::types::BrokerId;

use crate::backoff::{self, Backoff};
use crate::mutant::Mutant;
use crate::rng::Rng;
use crate::time::Instant;

/// Whose coordinator.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CoordinatorKey {
    /// A consumer group's.
    Group(Arc<str>),
    /// A transactional producer's.
    Transaction(Arc<str>),
}

/// What is known of one coordinator.
#[derive(Debug)]
struct Entry {
    state: State,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Not known; ask from this time on.
    Unknown { ask_at: Instant },
    /// A request is on its way.
    Asking,
    /// Here.
    At(BrokerId),
}

/// Remembers and forgets coordinators.
#[derive(Debug)]
pub struct Coordinators {
    entries: BTreeMap<CoordinatorKey, Entry>,
    retry: backoff::Config,
}

impl Coordinators {
    /// Knows none; `retry` spaces the questions.
    #[must_use]
    pub const fn new(retry: backoff::Config) -> Self {
        Self { entries: BTreeMap::new(), retry }
    }

    /// Where the coordinator is, if known.
    #[must_use]
    pub fn get(&self, key: &CoordinatorKey) -> Option<BrokerId> {
        match self.entries.get(key)?.state {
            State::At(broker) => Some(broker),
            State::Unknown { .. } | State::Asking => None,
        }
    }

    /// Whether a `FindCoordinator` is to leave now; if so it counts as on its way.
    pub fn begin(&mut self, now: Instant, key: &CoordinatorKey) -> bool {
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry {
            state: State::Unknown { ask_at: now },
            backoff: Backoff::new(self.retry),
        });
        let due = matches!(entry.state, State::Unknown { ask_at } if ask_at <= now);
        if due {
            entry.state = State::Asking;
        }
        due
    }

    /// When [`begin`](Self::begin) may be worth a call for `key`.
    #[must_use]
    pub fn ask_at(&self, key: &CoordinatorKey) -> Option<Instant> {
        match self.entries.get(key)?.state {
            State::Unknown { ask_at } => Some(ask_at),
            State::Asking | State::At(_) => None,
        }
    }

    /// A broker said where.
    pub fn found(&mut self, key: &CoordinatorKey, broker: BrokerId) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.state = State::At(broker);
            entry.backoff.succeed();
        }
    }

    /// The question failed: ask again after a while.
    pub fn failed(&mut self, now: Instant, key: &CoordinatorKey, rng: &mut Rng) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.state = State::Unknown { ask_at: now.after(entry.backoff.fail(rng)) };
        }
    }

    /// The broker thought to be it says it is not, or does not answer.
    pub fn forget(&mut self, now: Instant, key: &CoordinatorKey, rng: &mut Rng) {
        if self.get(key).is_some() && !Mutant::StaleCoordinator.lives() {
            self.failed(now, key, rng);
        }
    }

    /// A broker is gone: whatever it coordinated may be elsewhere.
    pub fn forget_broker(&mut self, now: Instant, broker: BrokerId) {
        for entry in self.entries.values_mut().filter(|entry| entry.state == State::At(broker)) {
            entry.state = State::Unknown { ask_at: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RETRY: backoff::Config =
        backoff::Config { first: Duration::from_millis(100), max: Duration::from_secs(1) };

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn one_question_is_on_its_way_at_most_and_a_failure_waits() {
        let (mut all, mut rng) = (Coordinators::new(RETRY), Rng::from_seed(1));
        let key = CoordinatorKey::Group("g".into());
        assert!(all.begin(at(0), &key));
        assert!(!all.begin(at(0), &key));
        all.failed(at(0), &key, &mut rng);
        assert!(!all.begin(at(50), &key));
        assert!(all.begin(at(150), &key));
        all.found(&key, BrokerId(7));
        assert_eq!(all.get(&key), Some(BrokerId(7)));
    }

    #[test]
    fn a_broker_that_is_gone_coordinates_nothing() {
        let mut all = Coordinators::new(RETRY);
        let key = CoordinatorKey::Group("g".into());
        assert!(all.begin(at(0), &key));
        all.found(&key, BrokerId(7));
        all.forget_broker(at(1), BrokerId(6));
        assert_eq!(all.get(&key), Some(BrokerId(7)));
        all.forget_broker(at(1), BrokerId(7));
        assert_eq!(all.get(&key), None);
        assert!(all.begin(at(1), &key));
    }
}
