//! What went through a consumer, in bytes and records: counters that cost nothing per record.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted by lanes per read and by the shard per run.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    read: AtomicU64,
    delivered: AtomicU64,
    records: AtomicU64,
    fetches: AtomicU64,
}

impl Traffic {
    /// A lane read so many bytes.
    pub(crate) fn read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A run went to a worker.
    pub(crate) fn delivered(&self, bytes: usize, records: u32) {
        self.delivered.fetch_add(bytes as u64, Ordering::Relaxed);
        self.records.fetch_add(records.into(), Ordering::Relaxed);
    }

    /// A Fetch was sent.
    pub(crate) fn fetched(&self) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes read from brokers' sockets.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of batches that went to workers.
    pub(crate) fn bytes_delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Records in those batches, by their headers.
    pub(crate) fn records_delivered(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Fetch requests sent.
    pub(crate) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }
}
