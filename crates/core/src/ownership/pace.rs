//! How soon does a member beat again while partitions may be on their way to it?
//!
//! What somebody else gives up reaches us with our next heartbeat, and nobody reads it until then.
//! So after a change we beat sooner and slow down by and by: what took a while to be given up waits
//! for a share of that while at most, and a group at rest costs nothing more.

use std::time::Duration;

use crate::time::Instant;

/// The pace of a member's heartbeats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Nobody beats more often.
    shortest: Duration,
    /// Which part of the time since the change is waited.
    part: u32,
    changed_at: Option<Instant>,
}

impl Pace {
    /// At rest. After a change it waits this part of the time that has passed since, and no
    /// shorter.
    pub(super) const fn new(shortest: Duration, part: u32) -> Self {
        Self { shortest, part, changed_at: None }
    }

    /// Something changed: more may follow.
    pub(super) const fn changed(&mut self, now: Instant) {
        self.changed_at = Some(now);
    }

    /// How long to wait at `now`, where `interval` is waited at rest.
    pub(super) fn wait(&mut self, now: Instant, interval: Duration) -> Duration {
        let Some(changed_at) = self.changed_at else { return interval };
        let wait = (now.since(changed_at) / self.part).max(self.shortest);
        if interval <= wait {
            self.changed_at = None;
        }
        wait.min(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(3);

    /// When beats leave after a change, in milliseconds.
    fn beats(mut pace: Pace, count: usize) -> Vec<u128> {
        let mut now = Instant::from_nanos(7);
        let start = now;
        pace.changed(now);
        let mut next = || {
            now = now.after(pace.wait(now, INTERVAL));
            now.since(start).as_millis()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn after_a_change_each_wait_is_a_part_of_the_time_since() {
        let pace = Pace::new(Duration::from_millis(50), 1);
        assert_eq!(beats(pace, 9), [50, 100, 200, 400, 800, 1600, 3200, 6200, 9200]);
        let pace = Pace::new(Duration::from_millis(500), 4);
        assert_eq!(beats(pace, 7), [500, 1000, 1500, 2000, 2500, 3125, 3906]);
    }

    #[test]
    fn at_rest_the_interval_is_waited() {
        let mut pace = Pace::new(Duration::from_millis(50), 1);
        assert_eq!(pace.wait(Instant::from_nanos(1 << 40), INTERVAL), INTERVAL);
    }

    #[test]
    fn a_short_interval_is_never_stretched() {
        let mut pace = Pace::new(Duration::from_millis(500), 4);
        pace.changed(Instant::from_nanos(0));
        let interval = Duration::from_millis(80);
        assert_eq!(pace.wait(Instant::from_nanos(0), interval), interval);
    }
}
