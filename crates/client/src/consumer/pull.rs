//! Batches as a stream: a worker whose handler is the user's loop.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::control::Summary;
use super::handle::ConsumerHandle;
use super::handler::{BoxError, Context, Outcome};
use super::record::Batch;
use super::{Consumer, ShutdownOnDrop};
use crate::error::Error;

/// The batches of a consumer, to be pulled one by one. Also a [`Stream`].
///
/// With [`Order::Partition`](crate::Order::Partition) there is at most one batch per partition that
/// is neither acked nor dropped. Dropping this shuts the consumer down.
#[derive(Debug)]
pub struct Batches {
    batches: mpsc::UnboundedReceiver<PulledBatch>,
    /// What ended the consumer; taken when it was told.
    ended: Option<oneshot::Receiver<Option<Error>>>,
    handle: ConsumerHandle,
    _guard: ShutdownOnDrop,
}

/// A batch to be acked. Dropped without that, it is a failure of its records.
#[derive(Debug)]
pub struct PulledBatch {
    batch: Batch,
    context: Context,
    ack: Option<oneshot::Sender<Outcome>>,
}

/// Why an ack does not count.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AckError {
    /// The partition is no longer this consumer's: its records will be seen again, here or
    /// elsewhere.
    #[error("the partition was lost before the ack; its records will be seen again")]
    Lost,
}

/// A batch that was dropped without an ack.
#[derive(Clone, Copy, Debug, Error)]
#[error("the batch was dropped without an ack")]
struct Unacked;

impl Batches {
    pub(super) fn start(consumer: Consumer) -> Self {
        let handle = consumer.handle();
        let drain = consumer.settings.config.drain_timeout;
        // Bounded by the concurrency: each batch in it is one running handler.
        let (tx, batches) = mpsc::unbounded_channel();
        let run = consumer.run_batches(move |batch, context| {
            let tx = tx.clone();
            async move {
                let (ack, acked) = oneshot::channel();
                let pulled = PulledBatch { batch, context, ack: Some(ack) };
                if tx.send(pulled).is_err() {
                    return Outcome::Failed(Unacked.into());
                }
                acked.await.unwrap_or_else(|_| Outcome::Failed(Unacked.into()))
            }
        });
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move { drop(end.send(run.await.err())) });
        let guard = ShutdownOnDrop { handle: handle.clone(), drain };
        Self { batches, ended: Some(ended), handle, _guard: guard }
    }

    /// The next batch; `None` when the consumer has ended.
    ///
    /// # Errors
    ///
    /// What ended the consumer, once, when it was not a shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no batch is lost.
    pub async fn next(&mut self) -> Option<Result<PulledBatch, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// A handle for other tasks.
    #[must_use]
    pub fn handle(&self) -> ConsumerHandle {
        self.handle.clone()
    }

    /// Shuts down and tells how the consumer ended. Batches that are out and not acked by
    /// `deadline` are not committed.
    pub async fn close(self, deadline: std::time::Duration) -> Arc<Summary> {
        self.handle.close(deadline).await
    }
}

impl Stream for Batches {
    type Item = Result<PulledBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if let Some(batch) = ready!(self.batches.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(batch)));
        }
        let Some(ended) = self.ended.as_mut() else { return Poll::Ready(None) };
        let end = ready!(Pin::new(ended).poll(cx));
        self.ended = None;
        Poll::Ready(end.ok().flatten().map(Err))
    }
}

impl PulledBatch {
    /// All records of the batch are done.
    ///
    /// # Errors
    ///
    /// [`AckError::Lost`] when the partition is no longer this consumer's.
    pub fn ack(mut self) -> Result<(), AckError> {
        self.answer(Outcome::Done)
    }

    /// The batch failed; the [`FailurePolicy`](crate::FailurePolicy) goes on with it.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    pub fn fail(mut self, error: impl Into<BoxError>) -> Result<(), AckError> {
        self.answer(Outcome::Failed(error.into()))
    }

    /// Attempt, ownership, cancellation.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    fn answer(&mut self, outcome: Outcome) -> Result<(), AckError> {
        let is_held = self.batch.leased().is_held();
        let ack = self.ack.take().filter(|_| is_held).ok_or(AckError::Lost)?;
        ack.send(outcome).map_err(|_| AckError::Lost)
    }
}

impl std::ops::Deref for PulledBatch {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}
