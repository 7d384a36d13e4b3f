//! What have the handlers seen? Counting that costs less than what it counts.

use std::sync::atomic::{AtomicU64, Ordering};

use forebay::{Batch, Record, TopicPartition};

/// What one partition gave. A partition stays with its worker, so that only one writes it and plain
/// loads and stores do; it has a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Cell {
    records: AtomicU64,
    bytes: AtomicU64,
    checksum: AtomicU64,
}

/// All of it at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Total {
    pub(super) records: u64,
    /// Of values.
    pub(super) bytes: u64,
    /// Of the first byte of each value: equal for equal topics.
    pub(super) checksum: u64,
}

impl Total {
    #[inline]
    fn add(&mut self, value: Option<&[u8]>) {
        let value = value.unwrap_or_default();
        self.records += 1;
        self.bytes += value.len() as u64;
        self.checksum += u64::from(value.first().copied().unwrap_or(0));
    }
}

/// One cell for each partition, by its number.
#[derive(Debug)]
pub(super) struct Counters(Box<[Cell]>);

impl Counters {
    /// Counters that live as long as the process, so that handlers share them without counting
    /// references.
    pub(super) fn of_process(partitions: &[TopicPartition]) -> &'static Self {
        Box::leak(Box::new(Self::new(partitions)))
    }

    fn new(partitions: &[TopicPartition]) -> Self {
        let last = partitions.iter().map(|tp| tp.partition).max().unwrap_or(0);
        Self((0..=last).map(|_| Cell::default()).collect())
    }

    /// Touches every value of a batch.
    pub(super) fn batch(&self, batch: &Batch) {
        let mut total = Total::default();
        for record in batch.records() {
            total.add(record.value);
        }
        self.add(batch.partition(), total);
    }

    /// Touches the value of a record.
    #[inline]
    pub(super) fn record(&self, record: &Record) {
        let mut total = Total::default();
        total.add(record.value());
        self.add(record.partition(), total);
    }

    #[inline]
    fn add(&self, partition: i32, more: Total) {
        let cell = usize::try_from(partition).ok().and_then(|number| self.0.get(number));
        let Some(cell) = cell else { return };
        let raise = |count: &AtomicU64, by| {
            count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
        };
        raise(&cell.records, more.records);
        raise(&cell.bytes, more.bytes);
        raise(&cell.checksum, more.checksum);
    }

    pub(super) fn total(&self) -> Total {
        let mut total = Total::default();
        for cell in &self.0 {
            total.records += cell.records.load(Ordering::Relaxed);
            total.bytes += cell.bytes.load(Ordering::Relaxed);
            total.checksum += cell.checksum.load(Ordering::Relaxed);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_over_partitions_that_need_not_be_dense() {
        let counters = Counters::new(&[TopicPartition::new("t", 3), TopicPartition::new("t", 1)]);
        let mut two = Total::default();
        two.add(Some(b"ab"));
        two.add(None);
        counters.add(1, two);
        counters.add(3, two);
        counters.add(4, two);
        let checksum = 2 * u64::from(b'a');
        assert_eq!(counters.total(), Total { records: 4, bytes: 4, checksum });
    }
}
