//! What is known so far of the verdict?

use std::collections::BTreeMap;

use crate::verdict::{Break, Figures, Needs, Rule, Verdict};

/// How many breaks are told in full.
const TOLD: usize = 100;

/// The verdict while it grows.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) at: u64,
    pub(crate) figures: Figures,
    breaks: Vec<Break>,
    broken: BTreeMap<Rule, u64>,
    refused: Option<String>,
}

impl Report {
    /// An event of this time comes.
    pub(crate) fn next(&mut self, at: u64) {
        self.figures.events += 1;
        if at < self.at {
            self.refuse("it is older than the one before");
        }
        self.at = at;
    }

    pub(crate) fn broke(&mut self, rule: Rule, text: String) {
        *self.broken.entry(rule).or_default() += 1;
        if self.breaks.len() < TOLD {
            self.breaks.push(Break { rule, event: self.figures.events, at: self.at, text });
        }
    }

    /// The history contradicts itself: nothing can be said of it.
    pub(crate) fn refuse(&mut self, reason: &str) {
        let event = self.figures.events;
        self.refused.get_or_insert_with(|| format!("event {event}: {reason}"));
    }

    pub(crate) fn conclude(self, needs: &Needs) -> Verdict {
        let refused = self.refused.or_else(|| needs.missing(&self.figures));
        Verdict { refused, breaks: self.breaks, broken: self.broken, figures: self.figures }
    }
}
