//! May records start now, as far as the group knows of us?
//!
//! The clock that counts suspension is the judge, and reading it costs more than the rest of a
//! record's way through its worker. So a [`Gate`] reads it once per tick of the kernel:
//!
//! 1. It notes the tick, then reads the clock. As long as it sees the same tick, the machine has
//!    run for less than [`TICK`] since: what had more time left than that has some left now. With
//!    less left, every record reads the clock.
//! 2. A process that was stopped, a thread that had no processor and a handler that blocked find
//!    that the tick has moved, since the machine ran meanwhile.
//! 3. A machine that sleeps freezes its tasks first and stops its ticks after that, and on waking
//!    lets tasks go on last, when its devices work again, which takes many ticks. So who was
//!    frozen finds that the tick has moved and reads the clock, which has counted the sleep. Were
//!    tasks ever let go on with the very first tick to come, it would be one tick late.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay_core::mutant::Mutant;
use forebay_core::time::Instant;

use super::{Clock, TICK};

/// Until when records may start. The control plane moves it on with each sign of life that the
/// coordinator confirmed; workers compare it with a clock that counts suspension, so that a machine
/// that slept finds it in the past.
#[derive(Clone, Debug)]
pub(crate) struct Validity {
    nanos: Arc<AtomicU64>,
}

impl Default for Validity {
    /// For ever: there is no group.
    fn default() -> Self {
        Self { nanos: Arc::new(AtomicU64::new(u64::MAX)) }
    }
}

impl Validity {
    /// Until this; also earlier than was said before, when a session turned out to be shorter.
    pub(crate) fn set(&self, until: Instant) {
        self.nanos.store(until.as_nanos(), Ordering::Relaxed);
    }
}

/// One worker's look at the validity.
#[derive(Debug)]
pub(crate) struct Gate {
    validity: Validity,
    clock: Clock,
    sure: Cell<Sure>,
}

/// While tick and end are these, records may start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Sure {
    tick: Option<u64>,
    until: u64,
}

impl Gate {
    pub(crate) fn new(validity: Validity, clock: Clock) -> Self {
        Self { validity, clock, sure: Cell::default() }
    }

    /// Whether a record may start now.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        let until = self.validity.nanos.load(Ordering::Relaxed);
        if until == u64::MAX {
            return true;
        }
        let seen = Sure { tick: self.clock.tick(), until };
        seen.tick.is_some() && seen == self.sure.get() || self.look(seen)
    }

    /// Reads the clock, and notes whether that will do for the whole tick.
    #[cold]
    fn look(&self, seen: Sure) -> bool {
        let now = self.clock.boot();
        let lasts = now.after(TICK).as_nanos() < seen.until;
        self.sure.set(if lasts { seen } else { Sure::default() });
        now.as_nanos() < seen.until || Mutant::NoLocalFence.lives()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Hands;
    use super::*;

    const SESSION: Duration = Duration::from_secs(45);

    fn gate(until: Duration) -> (&'static Hands, Validity, Gate) {
        let (hands, clock) = Hands::clock();
        let validity = Validity::default();
        validity.set(Instant::default().after(until));
        (hands, validity.clone(), Gate::new(validity, clock))
    }

    #[test]
    fn without_a_group_no_clock_is_read() {
        let (hands, clock) = Hands::clock();
        assert!(Gate::new(Validity::default(), clock).is_open());
        assert_eq!(hands.looks(), 0);
    }

    #[test]
    fn the_clock_is_read_once_per_tick() {
        let (hands, _, gate) = gate(SESSION);
        for tick in 1..=3 {
            assert!((0..1000).all(|_| gate.is_open()));
            assert_eq!(hands.looks(), tick);
            hands.run(TICK);
        }
    }

    #[test]
    fn the_last_tick_before_the_end_is_met_to_the_point() {
        let (hands, _, gate) = gate(SESSION);
        hands.run(SESSION - TICK);
        let step = TICK / 100;
        for _ in 0..100 {
            assert!(gate.is_open());
            hands.pass(step);
        }
        assert!(!gate.is_open(), "no tick has come, but the end has");
    }

    #[test]
    fn who_slept_through_the_end_starts_nothing_however_few_ticks_it_ran() {
        let (hands, _, gate) = gate(SESSION);
        assert!(gate.is_open());
        hands.pass(2 * SESSION);
        hands.run(TICK);
        assert!(!gate.is_open());
    }

    #[test]
    fn an_end_that_is_told_earlier_or_later_counts_at_once() {
        let (hands, validity, gate) = gate(SESSION);
        hands.run(SESSION / 2);
        assert!(gate.is_open());
        validity.set(Instant::default().after(SESSION / 3));
        assert!(!gate.is_open());
        validity.set(Instant::default().after(SESSION));
        assert!(gate.is_open());
    }

    #[test]
    fn without_ticks_every_record_reads_the_clock() {
        let validity = Validity::default();
        let clock = Clock { boot: super::super::Boot::None, ..Clock::start() };
        validity.set(clock.now().after(Duration::from_millis(5)));
        let gate = Gate::new(validity, clock);
        assert!(gate.is_open());
        std::thread::sleep(Duration::from_millis(5));
        assert!(!gate.is_open());
    }
}
