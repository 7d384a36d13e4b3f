//! What became of a record: one result per batch, shared by the receipts of its records.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forebay_protocol::types::{Offset, TopicPartition};
use tokio::sync::Notify;

use crate::error::Error;

/// The result of one batch; of each of its parts, when a broker made us split it.
#[derive(Debug)]
pub(super) struct BatchResult {
    tp: TopicPartition,
    parts: Mutex<Vec<Part>>,
    told: Notify,
}

/// How neighbouring records ended.
#[derive(Debug)]
struct Part {
    /// Ordinal of the first of them.
    first: u32,
    /// Ordinal behind the last of them.
    end: u32,
    /// The offset of the first of them, when the broker told it.
    result: Result<Option<Offset>, Error>,
}

impl BatchResult {
    pub(super) fn new(tp: TopicPartition) -> Self {
        Self { tp, parts: Mutex::default(), told: Notify::new() }
    }

    /// So many records, from the one with ordinal `first` on, ended: with the offset of the first
    /// of them, when the broker told it.
    pub(super) fn tell(&self, (first, records): (u32, u32), result: Result<Option<Offset>, Error>) {
        self.parts().push(Part { first, end: first.saturating_add(records), result });
        self.told.notify_waiters();
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn result(&self, ordinal: u32) -> Option<Result<Option<Offset>, Error>> {
        let parts = self.parts();
        let part = parts.iter().find(|part| (part.first..part.end).contains(&ordinal))?;
        let behind = i64::from(ordinal.saturating_sub(part.first));
        let result = part.result.clone();
        Some(result.map(|base| base.map(|base| Offset(base.0.saturating_add(behind)))))
    }
}

/// The promise of an answer for one record. Dropping it changes nothing about the record.
#[derive(Clone, Debug)]
pub struct Receipt {
    batch: Arc<BatchResult>,
    ordinal: u32,
}

/// Where a record was stored.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// In which partition.
    pub tp: TopicPartition,
    /// At which offset; `None` when a retry found it stored already, since brokers do not say then.
    pub offset: Option<Offset>,
}

impl Receipt {
    pub(super) const fn new(batch: Arc<BatchResult>, ordinal: u32) -> Self {
        Self { batch, ordinal }
    }

    /// The partition that the record went to.
    #[must_use]
    pub fn tp(&self) -> &TopicPartition {
        &self.batch.tp
    }

    /// Waits until the record is stored as `acks` asks. Cancel safe, and may be awaited again.
    ///
    /// # Errors
    ///
    /// Why the record's batch failed. [`Error::Unknown`] means that it may have been written; after
    /// every other error it was not.
    pub async fn delivered(&self) -> Result<Delivery, Error> {
        loop {
            let told = self.batch.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if let Some(delivery) = self.result() {
                return delivery;
            }
            told.await;
        }
    }

    /// The result if there is one.
    ///
    /// # Errors
    ///
    /// The inner result's are those of [`delivered`](Self::delivered).
    #[must_use]
    pub fn result(&self) -> Option<Result<Delivery, Error>> {
        let result = self.batch.result(self.ordinal)?;
        Some(result.map(|offset| Delivery { tp: self.batch.tp.clone(), offset }))
    }
}
