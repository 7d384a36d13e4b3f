//! Which writes of a key has the log?

use std::collections::BTreeMap;

/// The writes of a key.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) last: Option<u64>,
    /// Numbers seen, as ranges: first and last. One range, mostly.
    seen: BTreeMap<u64, u64>,
}

impl Written {
    pub(crate) fn has(&self, seq: u64) -> bool {
        self.seen.range(..=seq).next_back().is_some_and(|(_, last)| seq <= *last)
    }

    pub(crate) fn note(&mut self, seq: u64) {
        self.last = self.last.max(Some(seq));
        if self.has(seq) {
            return;
        }
        let before = self.seen.range_mut(..seq).next_back();
        match before.filter(|(_, last)| **last + 1 == seq) {
            Some((_, last)) => *last = seq,
            None => drop(self.seen.insert(seq, seq)),
        }
    }
}
