//! The one source of randomness a machine may use: seeded, so that a run can be repeated.

use std::time::Duration;

/// A seeded random source. Two with the same seed give the same values for ever.
#[derive(Debug)]
pub struct Rng(fastrand::Rng);

impl Rng {
    /// The source that `seed` stands for.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A source of its own for another machine, so that one machine's draws do not shift another's.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(..end) }
    }

    /// `span` times a factor drawn evenly from `1 - part` to `1 + part`.
    pub fn jitter(&mut self, span: Duration, part: f64) -> Duration {
        let factor = part.clamp(0.0, 1.0).mul_add(self.0.f64().mul_add(2.0, -1.0), 1.0);
        span.mul_f64(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_part() {
        let mut rng = Rng::from_seed(7);
        for _ in 0..10_000 {
            let span = rng.jitter(Duration::from_millis(100), 0.2);
            assert!((Duration::from_millis(80)..=Duration::from_millis(120)).contains(&span));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let draw = |seed| {
            let mut rng = Rng::from_seed(seed);
            (0..32).map(|_| rng.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
