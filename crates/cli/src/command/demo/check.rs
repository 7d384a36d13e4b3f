//! Was every record seen exactly once, whole, and in its place? Written by the handlers, read at the
//! end.

use std::sync::atomic::{AtomicU64, Ordering};

use forebay::Record;

use super::pattern::{Pattern, Place};

/// What was found. All but `unique` should be zero.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Findings {
    /// Records that came at least once.
    pub(super) unique: u64,
    /// Records that came once more.
    pub(super) repeated: u64,
    /// Records that came after a later one of their partition, or before an earlier one.
    pub(super) misplaced: u64,
    /// Values that nobody wrote, or in another partition than theirs.
    pub(super) damaged: u64,
}

/// What one partition has seen. Its worker alone writes it, so that plain loads and stores do.
#[derive(Debug)]
#[repr(align(64))]
struct Seen {
    /// The sequence number that must come next.
    next: AtomicU64,
    unique: AtomicU64,
    repeated: AtomicU64,
    misplaced: AtomicU64,
    damaged: AtomicU64,
    /// A bit for each record.
    bits: Box<[AtomicU64]>,
}

/// All partitions.
#[derive(Debug)]
pub(super) struct Check {
    pattern: Pattern,
    partitions: Box<[Seen]>,
}

/// How many of `records` go to `partition`, when they go round.
pub(super) const fn share(records: u64, partitions: u16, partition: u32) -> u64 {
    let (records, count) = (records as u128, partitions as u128);
    let share = (records + count - 1 - partition as u128) / count;
    #[allow(clippy::cast_possible_truncation, reason = "less than `records`")]
    let share = share as u64;
    share
}

impl Check {
    /// A check that lives as long as the process, so that handlers share it without counting
    /// references.
    pub(super) fn for_process(records: u64, partitions: u16, pattern: Pattern) -> &'static Self {
        Box::leak(Box::new(Self::new(records, partitions, pattern)))
    }

    fn new(records: u64, partitions: u16, pattern: Pattern) -> Self {
        let seen = |partition| Seen::new(share(records, partitions, partition));
        Self { pattern, partitions: (0..u32::from(partitions)).map(seen).collect() }
    }

    /// Looks at one record.
    #[inline]
    pub(super) fn record(&self, record: &Record) {
        self.value(record.partition(), record.value().unwrap_or_default());
    }

    #[inline]
    fn value(&self, partition: i32, value: &[u8]) {
        let index = usize::try_from(partition).ok();
        let Some(seen) = index.and_then(|index| self.partitions.get(index)) else { return };
        match self.pattern.read(value) {
            Some(Place { partition: named, sequence })
                if i64::from(named) == i64::from(partition) =>
            {
                seen.see(sequence);
            }
            _ => raise(&seen.damaged),
        }
    }

    /// Records that came at least once, so far.
    pub(super) fn unique(&self) -> u64 {
        self.partitions.iter().map(|seen| seen.unique.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn findings(&self) -> Findings {
        let mut all = Findings::default();
        for seen in &self.partitions {
            all.unique += seen.unique.load(Ordering::Relaxed);
            all.repeated += seen.repeated.load(Ordering::Relaxed);
            all.misplaced += seen.misplaced.load(Ordering::Relaxed);
            all.damaged += seen.damaged.load(Ordering::Relaxed);
        }
        all
    }
}

impl Seen {
    fn new(records: u64) -> Self {
        let words = records.div_ceil(64);
        Self {
            next: AtomicU64::new(0),
            unique: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            misplaced: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            bits: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    #[inline]
    fn see(&self, sequence: u64) {
        let word = usize::try_from(sequence / 64).ok().and_then(|word| self.bits.get(word));
        let Some(word) = word else { return raise(&self.damaged) };
        let (bits, bit) = (word.load(Ordering::Relaxed), 1 << (sequence % 64));
        if bits & bit != 0 {
            return raise(&self.repeated);
        }
        word.store(bits | bit, Ordering::Relaxed);
        raise(&self.unique);
        if sequence != self.next.load(Ordering::Relaxed) {
            raise(&self.misplaced);
        }
        self.next.store(sequence + 1, Ordering::Relaxed);
    }
}

#[inline]
fn raise(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(places: &[(u32, u64)]) -> Findings {
        let pattern = Pattern::new(1, 50);
        let check = Check::new(6, 2, pattern.clone());
        for (partition, sequence) in places {
            let mut value = Vec::new();
            pattern.write(Place { partition: *partition, sequence: *sequence }, &mut value);
            check.value(i32::try_from(*partition).unwrap(), &value);
        }
        check.findings()
    }

    #[test]
    fn shares_add_up() {
        for records in [0, 1, 7, 8, 9, 1_000_001] {
            let sum: u64 = (0..8).map(|partition| share(records, 8, partition)).sum();
            assert_eq!(sum, records);
        }
        assert_eq!((share(9, 8, 0), share(9, 8, 1)), (2, 1));
    }

    #[test]
    fn all_records_in_order_are_fine() {
        let found = seen(&[(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]);
        assert_eq!(found, Findings { unique: 6, ..Findings::default() });
    }

    #[test]
    fn repeated_and_misplaced_records_are_counted() {
        let found = seen(&[(0, 0), (0, 2), (0, 1), (0, 1)]);
        assert_eq!(found, Findings { unique: 3, repeated: 1, misplaced: 2, damaged: 0 });
    }

    #[test]
    fn what_nobody_wrote_is_damaged() {
        let check = Check::new(6, 2, Pattern::new(1, 50));
        check.value(0, b"something else");
        let mut value = Vec::new();
        Pattern::new(1, 50).write(Place { partition: 1, sequence: 0 }, &mut value);
        check.value(0, &value);
        assert_eq!(check.findings(), Findings { damaged: 2, ..Findings::default() });
    }
}
