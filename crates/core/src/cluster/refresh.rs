//! When to ask for metadata, and whom.
//!
//! ```text
//!   Resting --max age or demand--> Asking --answer--> Resting
//!                                    |  ^
//!                              fault |  | back-off, another broker
//!                                    v  |
//!                                   Waiting
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_protocol::types::BrokerId;

use crate::backoff::{self, Backoff};
use crate::rng::Rng;
use crate::time::Instant;

/// When to ask for metadata.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    /// Metadata older than this is asked for again.
    pub(super) max_age: Duration,
    /// Delays after a failure, and between answers that brought no news.
    pub(super) retry: backoff::Config,
}

/// Decides when the next metadata request leaves, and to which broker. One is on its way at most.
#[derive(Debug)]
pub(super) struct Refresh {
    config: Config,
    state: State,
    demanded: bool,
    backoff: Backoff,
    /// Brokers that failed since the last answer: the others come first.
    failed: BTreeSet<BrokerId>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The last answer is fresh; on demand not before `earliest`, without demand at `oldest`.
    Resting { earliest: Instant, oldest: Instant },
    /// A request is on its way.
    Asking,
    /// The last attempt failed.
    Waiting { until: Instant },
}

impl Refresh {
    /// Nothing is known yet: the first request is due at once.
    pub(super) const fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Waiting { until: Instant::from_nanos(0) },
            demanded: true,
            backoff: Backoff::new(config.retry),
            failed: BTreeSet::new(),
        }
    }

    /// Somebody cannot go on with what is known.
    pub(super) const fn demand(&mut self) {
        self.demanded = true;
    }

    /// Whether a request is to leave now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.state != State::Asking && self.due_at().is_some_and(|at| at <= now)
    }

    /// When the next request is due; `None` while one is on its way.
    pub(super) fn due_at(&self) -> Option<Instant> {
        match self.state {
            State::Resting { earliest, .. } if self.demanded => Some(earliest),
            State::Resting { oldest, .. } => Some(oldest),
            State::Waiting { until } => Some(until),
            State::Asking => None,
        }
    }

    /// Whom to ask: a known broker that has not failed since the last answer, then a bootstrap
    /// address that has not, then all over again. `None` when there is nobody at all.
    pub(super) fn pick(
        &mut self,
        known: &[BrokerId],
        bootstrap: &[BrokerId],
        rng: &mut Rng,
    ) -> Option<BrokerId> {
        for _ in 0..2 {
            for candidates in [known, bootstrap] {
                let fresh: Vec<_> =
                    candidates.iter().filter(|broker| !self.failed.contains(broker)).collect();
                if let Some(broker) = fresh.get(rng.below(fresh.len())) {
                    return Some(**broker);
                }
            }
            self.failed.clear();
        }
        None
    }

    /// A request left.
    pub(super) const fn asking(&mut self) {
        self.state = State::Asking;
        self.demanded = false;
    }

    /// The answer changed the picture: the next demand need not wait long.
    pub(super) const fn brought_news(&mut self) {
        self.backoff.succeed();
    }

    /// An answer came.
    pub(super) fn answered(&mut self, now: Instant, rng: &mut Rng) {
        self.failed.clear();
        let pause = self.backoff.fail(rng);
        self.state =
            State::Resting { earliest: now.after(pause), oldest: now.after(self.config.max_age) };
    }

    /// The attempt at `broker` failed.
    pub(super) fn failed(&mut self, now: Instant, broker: BrokerId, rng: &mut Rng) {
        self.failed.insert(broker);
        self.state = State::Waiting { until: now.after(self.backoff.fail(rng)) };
        self.demanded = true;
    }

    /// The cluster asks all clients to begin again at their bootstrap addresses (KIP-1102).
    pub(super) fn rebootstrap(&mut self, known: &[BrokerId]) {
        self.failed.extend(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config {
        max_age: Duration::from_secs(300),
        retry: backoff::Config {
            first: Duration::from_millis(100),
            max: Duration::from_millis(1000),
        },
    };

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn each_retry_asks_another_broker_and_the_bootstrap_after_all_known_ones() {
        let (mut refresh, mut rng) = (Refresh::new(CONFIG), Rng::from_seed(3));
        let (known, bootstrap) = ([BrokerId(1), BrokerId(2), BrokerId(3)], [BrokerId(-1)]);
        for _ in 0..3 {
            let mut asked = BTreeSet::new();
            for _ in 0..3 {
                let broker = refresh.pick(&known, &bootstrap, &mut rng).unwrap();
                assert!(asked.insert(broker), "asked twice in one round");
                refresh.failed(at(0), broker, &mut rng);
            }
            let last = refresh.pick(&known, &bootstrap, &mut rng).unwrap();
            assert_eq!(last, BrokerId(-1));
            refresh.failed(at(0), last, &mut rng);
        }
    }

    #[test]
    fn one_request_is_on_its_way_at_most() {
        let mut refresh = Refresh::new(CONFIG);
        assert!(refresh.is_due(at(0)));
        refresh.asking();
        refresh.demand();
        assert!(!refresh.is_due(at(1_000_000)));
    }

    #[test]
    fn demands_that_bring_no_news_come_ever_more_slowly() {
        let (mut refresh, mut rng) = (Refresh::new(CONFIG), Rng::from_seed(3));
        let mut now = at(0);
        let mut asked = 0;
        while now < at(10_000) {
            refresh.demand();
            if refresh.is_due(now) {
                refresh.asking();
                refresh.answered(now, &mut rng);
                asked += 1;
            }
            now = now.after(Duration::from_millis(1));
        }
        assert!((8..=16).contains(&asked), "{asked} requests in 10 s");
    }

    #[test]
    fn fresh_metadata_is_left_alone_until_its_age() {
        let (mut refresh, mut rng) = (Refresh::new(CONFIG), Rng::from_seed(3));
        refresh.asking();
        refresh.answered(at(0), &mut rng);
        assert!(!refresh.is_due(at(299_999)));
        assert!(refresh.is_due(at(300_000)));
    }
}
