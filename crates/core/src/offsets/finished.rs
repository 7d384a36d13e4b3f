//! What behind the frontier is done already, and must not be done again when it is fetched anew?
//!
//! ```text
//!   frontier                         done while the frontier stood
//!      |                                 |               |
//!      [ bad batch, fetched again ][ a ........ b ][ ][ a ... b ]
//! ```
//!
//! Work that knows no order ends behind a batch whose checksum is wrong. The partition rewinds to
//! the frontier; of the runs that come then, these stretches are left out.

use std::collections::VecDeque;

use forebay_protocol::types::Position;

use crate::run::BatchRun;

/// Bytes of an entry's offset and length, in all formats of the log.
const PREFIX: usize = 12;

/// Stretches from the first position to before the second, in order, none touching another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Finished(VecDeque<(Position, Position)>);

impl Finished {
    /// Whether there is nothing to leave out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These stretches, too.
    pub fn add(&mut self, stretches: impl IntoIterator<Item = (Position, Position)>) {
        let mut all: Vec<_> = self.0.drain(..).chain(stretches).collect();
        all.sort_unstable();
        for (from, to) in all.into_iter().filter(|(from, to)| from < to) {
            match self.0.back_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => self.0.push_back((from, to)),
            }
        }
    }

    /// The parts of `run`, in order; those that are done have no bytes. Runs come in order, so
    /// that what lies before its end is forgotten.
    pub fn leave_out(&mut self, run: BatchRun) -> Vec<BatchRun> {
        let mut parts = Vec::new();
        let mut rest = run;
        while let Some((from, to)) = self.0.front().copied() {
            if rest.next <= from {
                break;
            }
            if to <= rest.from {
                self.0.pop_front();
                continue;
            }
            if rest.from < from {
                let behind = split(&mut rest, from);
                parts.push(std::mem::replace(&mut rest, behind));
            }
            if rest.next <= to {
                rest.bytes.clear();
                rest.count = Some(0);
                break;
            }
            let behind = behind(&rest, to);
            rest.next = to;
            rest.bytes.clear();
            rest.count = Some(0);
            parts.push(std::mem::replace(&mut rest, behind));
        }
        parts.push(rest);
        parts
    }
}

/// Cuts `run` where an entry begins at `at` or behind it; gives what follows.
fn split(run: &mut BatchRun, at: Position) -> BatchRun {
    let cut = entries(&run.bytes).find(|(offset, _)| at.0 <= *offset);
    let mut behind = run.clone();
    behind.from = at;
    behind.bytes = run.bytes.split_off(cut.map_or(run.bytes.len(), |(_, start)| start));
    run.next = at;
    // The headers' word was for both together.
    run.count = None;
    behind.count = None;
    behind
}

/// What of `run` is left behind `at`: from the entry in which it lies.
fn behind(run: &BatchRun, at: Position) -> BatchRun {
    let before = entries(&run.bytes).take_while(|(offset, _)| *offset <= at.0);
    let start = before.last().map_or(0, |(_, start)| start);
    let mut behind = run.clone();
    behind.from = at;
    behind.bytes = run.bytes.slice(start.min(run.bytes.len())..);
    behind.count = None;
    behind
}

/// Offset and place of each entry that is there as a whole.
fn entries(bytes: &[u8]) -> impl Iterator<Item = (i64, usize)> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let prefix = bytes.get(start..)?.first_chunk::<PREFIX>()?;
        let [o0, o1, o2, o3, o4, o5, o6, o7, l0, l1, l2, l3] = *prefix;
        let offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        let length = usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])).ok()?;
        let here = start;
        start = start.checked_add(PREFIX)?.checked_add(length)?;
        (start <= bytes.len()).then_some((offset, here))
    })
}

#[cfg(test)]
mod tests;
