//! Rules A: is what was written there, once, in order, and the same for all?

use std::collections::BTreeSet;

use crate::cells::{Mark, fingerprint};
use crate::checker::{Partition, Report, Written};
use crate::verdict::Rule;

/// A value as somebody saw it at an offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) offset: i64,
    pub(crate) key: u64,
    pub(crate) seq: u64,
}

impl Seen {
    pub(crate) const fn new(offset: i64, key: u64, seq: u64) -> Self {
        Self { offset, key, seq }
    }

    pub(crate) const fn value(self) -> u64 {
        fingerprint(self.key, self.seq)
    }
}

/// A1, the value: what was acknowledged at an offset is what the log holds there.
pub(crate) fn a1_value_is_there(
    tp: &str,
    partition: &mut Partition,
    seen: Seen,
    report: &mut Report,
) {
    let cell = partition.cells.at(seen.offset);
    if cell.has(Mark::Acked) && cell.value != seen.value() {
        let Seen { offset, key, seq } = seen;
        report.broke(
            Rule::A1,
            format!("{tp} holds {seq} of key {key} at {offset}, acknowledged was another value"),
        );
    }
}

/// A1, the place: at every offset that was acknowledged the log holds something.
pub(crate) fn a1_acked_is_there(tp: &str, partition: &Partition, report: &mut Report) {
    for (offset, cell) in partition.cells.iter() {
        let is_there = cell.has(Mark::Truth) || partition.is_trimmed(offset);
        if cell.has(Mark::Acked) && !is_there {
            report
                .broke(Rule::A1, format!("{tp} holds nothing at {offset}, which was acknowledged"));
        }
    }
}

/// A2: a write that failed for certain is not in the log.
pub(crate) fn a2_failed_is_absent(
    tp: &str,
    failed: &BTreeSet<(u64, u64)>,
    seen: Seen,
    report: &mut Report,
) {
    let Seen { offset, key, seq } = seen;
    if failed.contains(&(key, seq)) {
        report.broke(Rule::A2, format!("{tp} holds {seq} of key {key} at {offset}: it had failed"));
    }
}

/// A3: a write is in the log once.
pub(crate) fn a3_once(tp: &str, written: &Written, seen: Seen, report: &mut Report) {
    let Seen { offset, key, seq } = seen;
    if written.has(seq) {
        report.broke(Rule::A3, format!("{tp} holds {seq} of key {key} again at {offset}"));
    }
}

/// A4: the writes of a key stand in the log in their order. A write that is there twice is a
/// matter of A3 alone.
pub(crate) fn a4_in_order(tp: &str, written: &Written, seen: Seen, report: &mut Report) {
    let Seen { offset, key, seq } = seen;
    if let Some(last) = written.last.filter(|last| seq < *last && !written.has(seq)) {
        let text = format!("{tp} holds {seq} of key {key} at {offset}, after {last}");
        report.broke(Rule::A4, text);
    }
}

/// A5: before the log itself is read, all who saw an offset saw the same value there.
pub(crate) fn a5_one_value(tp: &str, partition: &mut Partition, seen: Seen, report: &mut Report) {
    let cell = partition.cells.at(seen.offset);
    let before = std::mem::replace(&mut cell.value, seen.value());
    if before != 0 && before != seen.value() {
        let Seen { offset, key, seq } = seen;
        report.broke(
            Rule::A5,
            format!("{tp} showed {seq} of key {key} at {offset}, and another value before"),
        );
    }
}
