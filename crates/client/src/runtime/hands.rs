//! How does a test let a machine sleep?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay_core::time::Instant;

use super::{Boot, Clock, TICK};

/// The hands of a clock that counts suspension, and the kernel's tick.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    boot: AtomicU64,
    tick: AtomicU64,
    looks: AtomicU64,
}

impl Hands {
    /// Hands that stand at zero, and a clock that has them.
    pub(crate) fn clock() -> (&'static Self, Clock) {
        let hands: &'static Self = Box::leak(Box::default());
        (hands, Clock { started: tokio::time::Instant::now(), boot: Boot::Hands(hands) })
    }

    /// Time passes while the machine runs, and its ticks with it.
    pub(crate) fn run(&self, by: Duration) {
        self.pass(by);
        let ticks = by.as_nanos() / TICK.as_nanos();
        self.tick.fetch_add(u64::try_from(ticks).unwrap(), Ordering::Relaxed);
    }

    /// Time passes and no tick with it: less than one of them, or the machine sleeps.
    pub(crate) fn pass(&self, by: Duration) {
        self.boot.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::Relaxed);
    }

    /// How often the clock was looked at.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    pub(super) fn boot(&self) -> Instant {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Instant::from_nanos(self.boot.load(Ordering::Relaxed))
    }

    pub(super) fn tick(&self) -> u64 {
        self.tick.load(Ordering::Relaxed)
    }
}
