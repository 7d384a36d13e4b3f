//! Did the machine itself stand still? A virtual machine may be taken off its processor for minutes;
//! no client can do anything about that time, and it must not be told as a stall of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay_histcheck::{Notebook, What, now};

use crate::marks::{Done, Marks};

const BEAT: Duration = Duration::from_millis(100);
/// What is left of a time that is taken out.
const LEFT: u64 = 100_000_000;
/// What a loaded machine may be late.
pub(crate) const STILL: u64 = 5_000_000_000;

/// Counts how often this process got no time for long, as every other one of the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Looks from now on, as long as somebody has a clone.
    pub(crate) fn start(notes: Arc<Notebook>, marks: Marks) -> Self {
        let pulse = Self::default();
        let count = Arc::downgrade(&pulse.0);
        std::thread::spawn(move || {
            let mut before = now();
            while let Some(count) = count.upgrade() {
                std::thread::sleep(BEAT);
                let after = now();
                if STILL < after - before {
                    count.fetch_add(1, Ordering::Relaxed);
                    tell(&notes, &marks, (before, after));
                }
                before = after;
            }
        });
        pulse
    }

    /// How often.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sessions have run out meanwhile: a fault, as far as the group can tell.
fn tell(notes: &Notebook, marks: &Marks, (from, until): (u64, u64)) {
    let fault = "the machine stood still".to_owned();
    let begins = notes.note(What::FaultBegins { fault: fault.clone() });
    let ends = begins.and_then(|()| notes.note(What::FaultEnds { fault }));
    if ends.is_err() || marks.note_at(from, Done::StoodStill { until }).is_err() {
        eprintln!("the machine stood still, and that could not be written down");
    }
}

/// A clock without the times in which the machine stood still.
#[derive(Debug, Default)]
pub(crate) struct Awake {
    /// From when to when.
    still: Vec<(u64, u64)>,
    before: u64,
    /// From when on, how much is taken out.
    taken: Vec<(u64, u64)>,
}

impl Awake {
    pub(crate) fn new(still: Vec<(u64, u64)>) -> Self {
        Self { still, ..Self::default() }
    }

    /// The time of the next event. What lies between two events is taken out when we stood still
    /// and nobody else did anything either.
    pub(crate) fn next(&mut self, at: u64) -> u64 {
        let (from, gap) = (self.before, at.saturating_sub(self.before));
        self.before = at;
        let slack = STILL / 5;
        let is_within = |(begin, end): &(u64, u64)| from <= begin + slack && *end <= at + slack;
        if from != 0 && STILL < gap && self.still.iter().any(is_within) {
            self.taken.push((at, self.sum() + gap - LEFT));
        }
        at - self.sum()
    }

    /// The time of something that is no event, after all events were seen.
    pub(crate) fn map(&self, at: u64) -> u64 {
        let taken = self.taken.iter().rev().find(|(from, _)| *from <= at);
        at - taken.map_or(0, |(_, sum)| *sum)
    }

    fn sum(&self) -> u64 {
        self.taken.last().map_or(0, |(_, sum)| *sum)
    }

    /// How often and for how many seconds the machine stood still.
    pub(crate) fn stood_still(&self) -> (u64, u64) {
        (u64::try_from(self.taken.len()).unwrap_or(u64::MAX), self.sum() / 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn time_in_which_nobody_did_anything_is_taken_out() {
        let mut awake = Awake::new(vec![(10 * SECOND, 99 * SECOND)]);
        assert_eq!(awake.next(10 * SECOND), 10 * SECOND);
        assert_eq!(awake.next(100 * SECOND), 10 * SECOND + SECOND / 10);
        assert_eq!(awake.next(101 * SECOND), 11 * SECOND + SECOND / 10);
        assert_eq!(awake.map(9 * SECOND), 9 * SECOND);
        assert_eq!(awake.map(101 * SECOND), 11 * SECOND + SECOND / 10);
        assert_eq!(awake.stood_still(), (1, 89));
    }

    #[test]
    fn a_stall_while_we_were_awake_or_somebody_else_was_stays_one() {
        let mut awake = Awake::new(vec![(10 * SECOND, 99 * SECOND)]);
        for at in [10, 50, 100] {
            assert_eq!(awake.next(at * SECOND), at * SECOND, "an event lies in between");
        }
        let mut awake = Awake::new(Vec::new());
        for at in [10, 100] {
            assert_eq!(awake.next(at * SECOND), at * SECOND);
        }
    }
}
