//! What other tasks may ask of a running consumer.

use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{Position, TopicPartition};
use tokio::sync::oneshot;

use super::control::{ControlHandle, Summary};
use super::direct::OwnershipHandle;
use super::shard::Question;
use super::stats::Stats;
use super::subscription::Subscription;
use crate::config::ConfigError;
use crate::error::Error;
use crate::link;
use crate::runtime;

/// What the control plane may take to say that the deadline passed.
const ANSWER_TIME: Duration = Duration::from_millis(80);

/// A handle to a consumer: cheap to clone, works from any task and thread.
///
/// The consumer goes on when all handles are dropped.
#[derive(Clone, Debug)]
pub struct ConsumerHandle {
    control: ControlHandle,
    questions: link::Sender<Question>,
}

impl ConsumerHandle {
    pub(crate) const fn new(control: ControlHandle, questions: link::Sender<Question>) -> Self {
        Self { control, questions }
    }

    /// Stops handing out records of `partitions`; what is buffered is kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotAssigned`] for a partition that is not this consumer's, [`Error::Closed`] after
    /// the end.
    pub async fn pause(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.control.pause(partitions).await
    }

    /// Hands out records of `partitions` again.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.control.resume(partitions).await
    }

    /// Continues `tp` at `position`. Records that run now finish, but no longer count.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn seek(&self, tp: TopicPartition, position: Position) -> Result<(), Error> {
        self.control.seek(tp, position).await
    }

    /// All records of `tp` before this position are done; `None` before the partition started.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn position(&self, tp: TopicPartition) -> Result<Option<Position>, Error> {
        self.control.position(tp).await
    }

    /// What the coordinator confirmed last for `tp`; `None` when nothing is committed.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn committed(&self, tp: TopicPartition) -> Result<Option<Position>, Error> {
        self.control.committed(tp).await
    }

    /// Shares the topics of `subscription` from now on and no others; those of before that it names
    /// too are kept. What is not wanted any more is given up as in a rebalance: nothing new starts,
    /// what runs is awaited, the last commit is sent. Returns when the control plane has taken it
    /// up; `on_ownership` tells of what comes and goes.
    ///
    /// After [`unsubscribe`](Self::unsubscribe) the group is joined again.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when it names nothing, or when this consumer has fixed partitions;
    /// [`Error::Closed`] after the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was asked for happens.
    pub async fn subscribe(&self, subscription: Subscription) -> Result<(), Error> {
        if subscription.is_empty() {
            let expected = "topics or a pattern; unsubscribe() wants none";
            return Err(ConfigError::new("subscribe", "", expected).into());
        }
        self.control.subscribe(subscription.wish()).await
    }

    /// Gives all partitions up in good order and leaves the group; the consumer goes on without any
    /// until [`subscribe`](Self::subscribe). Returns when the group is left, which takes the drain
    /// timeout at most, and as long as the coordinator takes to hear of it. A static member's
    /// partitions wait for it until its session is over.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when this consumer has fixed partitions, [`Error::Closed`] when it ends
    /// before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the group is left.
    pub async fn unsubscribe(&self) -> Result<(), Error> {
        self.control.unsubscribe().await
    }

    /// Directs single partitions at other times than the group does: hold, drain, hand over, release.
    #[must_use]
    pub fn ownership(&self) -> OwnershipHandle {
        OwnershipHandle::new(self.control.clone())
    }

    /// How the consumer stands now. Answered by the data plane, so after [`Consumer::run`]
    /// (or a sibling) has begun.
    ///
    /// [`Consumer::run`]: crate::Consumer::run
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] after the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let (question, answer) = oneshot::channel();
        if !self.questions.send(question) {
            return Err(Error::Closed);
        }
        answer.await.map_err(|_| Error::Closed)
    }

    /// Starts the end: nothing new runs, running records are awaited, the last commit is sent.
    /// The consumer ends after `deadline` at the latest. A second call can only make the deadline
    /// earlier.
    pub fn shutdown(&self, deadline: Duration) {
        self.control.shutdown(deadline);
    }

    /// Waits for the end of the consumer and tells how it ended. Cancel safe.
    pub async fn ended(&self) -> Arc<Summary> {
        self.control.ended().await
    }

    /// [`shutdown`](Self::shutdown), then [`ended`](Self::ended): returns by `deadline` plus 100 ms,
    /// as long as the runtime that polls it is not blocked. Cancel safe: the shutdown goes on.
    pub async fn close(&self, deadline: Duration) -> Arc<Summary> {
        self.control.close(deadline).await
    }

    /// [`close`](Self::close) for a thread without a runtime: blocks it until the consumer has
    /// ended, by `deadline` plus 100 ms at the longest.
    ///
    /// Inside a runtime it does not panic; it blocks that runtime's thread, so records whose
    /// handlers run there cannot end and count as unfinished. Await [`close`](Self::close) there.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when the control plane cannot answer either, which takes
    /// [`Placement::Caller`](crate::runtime::Placement::Caller) on the blocked runtime; the
    /// shutdown goes on.
    pub fn close_blocking(&self, deadline: Duration) -> Result<Arc<Summary>, Error> {
        let most = deadline.saturating_add(ANSWER_TIME);
        runtime::block_on(most, self.close(deadline)).ok_or(Error::Timeout {
            what: "closing the consumer",
            after: most,
            last: None,
        })
    }
}
