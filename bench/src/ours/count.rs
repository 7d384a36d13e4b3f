//! What have the handlers seen? Counting that costs less than what it counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use forebay::{Batch, Record};
use tokio::sync::Notify;

/// What one partition gave. Only one worker at a time writes it, so that plain loads and stores do;
/// it has a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Cell {
    records: AtomicU64,
    bytes: AtomicU64,
    checksum: AtomicU64,
}

/// All of it at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) checksum: u64,
}

impl Total {
    #[inline]
    fn add(&mut self, value: &[u8]) {
        self.records += 1;
        self.bytes += value.len() as u64;
        self.checksum += u64::from(value.first().copied().unwrap_or(0));
    }
}

/// One cell for each partition, and whether all have given their share.
#[derive(Debug)]
pub(super) struct Counters {
    cells: Box<[Cell]>,
    share: u64,
    /// Partitions that still owe some.
    owing: AtomicUsize,
    complete: Notify,
}

impl Counters {
    pub(super) fn new(partitions: i32, records: u64) -> Self {
        let count = usize::try_from(partitions).unwrap_or(0).max(1);
        Self {
            cells: (0..count).map(|_| Cell::default()).collect(),
            share: records / u64::try_from(count).unwrap_or(1),
            owing: AtomicUsize::new(count),
            complete: Notify::new(),
        }
    }

    /// Touches every value of a batch.
    pub(super) fn batch(&self, batch: &Batch) {
        let mut total = Total::default();
        for record in batch.records() {
            total.add(record.value.unwrap_or_default());
        }
        self.add(batch.partition(), total);
    }

    /// Touches the value of a record.
    #[inline]
    pub(super) fn record(&self, record: &Record) {
        let mut total = Total::default();
        total.add(record.value().unwrap_or_default());
        self.add(record.partition(), total);
    }

    #[inline]
    fn add(&self, partition: i32, more: Total) {
        let Some(cell) = self.cells.get(usize::try_from(partition).unwrap_or(usize::MAX)) else {
            return;
        };
        let before = cell.records.load(Ordering::Relaxed);
        let after = before + more.records;
        cell.records.store(after, Ordering::Relaxed);
        let sum =
            |of: &AtomicU64, more| of.store(of.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        sum(&cell.bytes, more.bytes);
        sum(&cell.checksum, more.checksum);
        if before < self.share && self.share <= after {
            self.paid();
        }
    }

    #[cold]
    fn paid(&self) {
        if self.owing.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.complete.notify_one();
        }
    }

    /// Returns when every partition has given its share. Cancel safe.
    pub(super) async fn complete(&self) {
        self.complete.notified().await;
    }

    pub(super) fn total(&self) -> Total {
        let mut total = Total::default();
        for cell in &self.cells {
            total.records += cell.records.load(Ordering::Relaxed);
            total.bytes += cell.bytes.load(Ordering::Relaxed);
            total.checksum += cell.checksum.load(Ordering::Relaxed);
        }
        total
    }
}
