//! Is the broker of use? One that keeps answering at once without telling anything new believes in
//! another session than we do, or is out of its mind: begin again, and not in a loop.

use std::time::Duration;

/// So many responses in a row may be of no use before the session is given up.
const FRUITLESS: u32 = 3;
/// The pause after the last of them; it doubles with each further one, so many times.
const PAUSE: Duration = Duration::from_millis(50);
const DOUBLES: u32 = 4;

/// Counts responses in a row that told something and were of no use.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    fruit: Fruit,
    fruitless: u32,
}

/// What a response was good for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fruit {
    /// It told nothing: the wait was over.
    #[default]
    Nothing,
    /// It told something that was not asked for, or that said nothing new.
    Useless,
    /// It moved a position, or brought news about a partition.
    Some,
}

impl Doubt {
    /// A response begins, with Kafka's error code for all of it.
    pub(super) const fn begin(&mut self, code: i16) {
        self.fruit = if code == 0 { Fruit::Nothing } else { Fruit::Useless };
    }

    /// It names a partition.
    pub(super) fn told_something(&mut self) {
        if self.fruit == Fruit::Nothing {
            self.fruit = Fruit::Useless;
        }
    }

    /// And that is good to know.
    pub(super) const fn was_of_use(&mut self) {
        self.fruit = Fruit::Some;
    }

    /// The response ends. With too many useless ones: how long to pause before a new session.
    pub(super) fn end(&mut self) -> Option<Duration> {
        self.fruitless = match self.fruit {
            Fruit::Useless => self.fruitless.saturating_add(1),
            Fruit::Nothing | Fruit::Some => 0,
        };
        let doubts = self.fruitless.checked_sub(FRUITLESS)?;
        Some(PAUSE.saturating_mul(1 << doubts.min(DOUBLES)))
    }
}
