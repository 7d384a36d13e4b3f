//! What became of a record: one result per batch, shared by the receipts of its records.

use std::sync::{Arc, OnceLock};

use forebay_protocol::types::{Offset, TopicPartition};
use tokio::sync::Notify;

use crate::error::Error;

/// The result of one batch.
#[derive(Debug)]
pub(super) struct BatchResult {
    tp: TopicPartition,
    result: OnceLock<Result<Option<Offset>, Error>>,
    told: Notify,
}

impl BatchResult {
    pub(super) fn new(tp: TopicPartition) -> Self {
        Self { tp, result: OnceLock::new(), told: Notify::new() }
    }

    /// The batch ended: with the offset of its first record, when the broker told it.
    pub(super) fn tell(&self, result: Result<Option<Offset>, Error>) {
        drop(self.result.set(result));
        self.told.notify_waiters();
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
        let result = self.batch.result.get()?.clone();
        Some(result.map(|base| Delivery {
            tp: self.batch.tp.clone(),
            offset: base.map(|base| Offset(base.0.saturating_add(self.ordinal.into()))),
        }))
    }
}
