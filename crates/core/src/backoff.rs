//! How long to wait before trying again: exponential, capped, with jitter (KIP-144, KIP-580).

use std::time::Duration;

use crate::rng::Rng;

/// Part of the delay that is drawn at random, so that a thousand clients do not return at once.
const JITTER: f64 = 0.2;

/// The delays of one kind of retry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// Delay after the first failure.
    pub first: Duration,
    /// Longest delay, before jitter.
    pub max: Duration,
}

/// Counts failures in a row and tells the delay after each.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: Config,
    failures: u32,
}

impl Backoff {
    /// No failure so far.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config, failures: 0 }
    }

    /// One more failure in a row; answers how long to wait before the next attempt.
    pub fn fail(&mut self, rng: &mut Rng) -> Duration {
        let factor = 1_u32.checked_shl(self.failures.min(31)).unwrap_or(u32::MAX);
        let delay = self.config.first.saturating_mul(factor).min(self.config.max);
        self.failures = self.failures.saturating_add(1);
        rng.jitter(delay, JITTER)
    }

    /// It worked: the next failure is a first one.
    pub const fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row so far.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config =
        Config { first: Duration::from_millis(50), max: Duration::from_millis(1000) };

    #[test]
    fn delays_double_up_to_the_cap_and_stay_within_their_jitter() {
        let mut rng = Rng::from_seed(1);
        let mut backoff = Backoff::new(CONFIG);
        for expected in [50, 100, 200, 400, 800, 1000, 1000, 1000] {
            let delay = backoff.fail(&mut rng).as_millis();
            assert!(expected * 8 / 10 <= delay && delay <= expected * 12 / 10, "{delay}");
        }
    }

    #[test]
    fn success_starts_over() {
        let mut rng = Rng::from_seed(1);
        let mut backoff = Backoff::new(CONFIG);
        let longest = (0..100).map(|_| backoff.fail(&mut rng)).max();
        assert!(Some(Duration::from_millis(800)) <= longest);
        backoff.succeed();
        assert!(backoff.fail(&mut rng) <= Duration::from_millis(60));
    }
}
