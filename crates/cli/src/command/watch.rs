//! When is it enough? Looks at a counter that others raise, rarely at first, often near the end, so
//! that looking is no part of the price and the end is seen within a millisecond.

use std::time::{Duration, Instant};

/// Between two looks, at least and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Waits for a counter to reach a number.
#[derive(Debug)]
pub(crate) struct Watch {
    wanted: u64,
    seen: u64,
    began: Instant,
    moved: Instant,
}

/// What a look showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Look {
    Enough,
    /// Look again after this.
    Again(Duration),
}

impl Watch {
    pub(crate) fn new(wanted: u64) -> Self {
        let now = Instant::now();
        Self { wanted, seen: 0, began: now, moved: now }
    }

    /// The counter stands at `count` now.
    pub(crate) fn look(&mut self, count: u64) -> Look {
        let now = Instant::now();
        if count != self.seen {
            (self.seen, self.moved) = (count, now);
        }
        if self.wanted <= count {
            return Look::Enough;
        }
        let spent = now.duration_since(self.began);
        Look::Again(pause(spent, self.wanted, count))
    }

    /// How long the counter has not moved.
    pub(crate) fn idle(&self) -> Duration {
        self.moved.elapsed()
    }

    /// Where the counter stood at the last look.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }
}

/// Half of the time that is still to go, if all goes on as it went.
fn pause(spent: Duration, wanted: u64, count: u64) -> Duration {
    let left = wanted.saturating_sub(count);
    let nanos = spent.as_nanos() * u128::from(left) / u128::from(count.max(1)) / 2;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).clamp(PAUSE.0, PAUSE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_more_frequent_towards_the_end() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(second, 1_000_000, 10), PAUSE.1);
        assert_eq!(pause(second, 1_000_000, 980_000), Duration::from_nanos(10_204_081));
        assert_eq!(pause(second, 1_000_000, 999_999), PAUSE.0);
        assert_eq!(pause(second, u64::MAX, 0), PAUSE.1);
    }

    #[test]
    fn the_watch_ends_when_the_number_is_reached() {
        let mut watch = Watch::new(10);
        assert!(matches!(watch.look(9), Look::Again(_)));
        assert_eq!(watch.look(10), Look::Enough);
        assert_eq!(watch.seen(), 10);
    }
}
