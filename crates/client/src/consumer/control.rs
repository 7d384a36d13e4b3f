//! The control plane as its user and its shard see it: a handle, and what they can count on.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::consumer::Assigned;
use forebay_core::offsets::commit::Answer;
use forebay_core::offsets::start::{Ask, Told};
use forebay_core::orders::{Order, Report};
use forebay_core::ownership::member::{self, Stamp, Wish};
use forebay_core::time::Instant;
use forebay_protocol::types::{Position, TopicPartition};
use tokio::sync::{mpsc, oneshot, watch};

use super::control_driver::Driver;
use super::direct::{Parked, Want};
use super::listener::OwnershipEvent;
use crate::config::ConsumerConfig;
use crate::error::Error;
use crate::link;
use crate::net::connector::Connector;
use crate::runtime::{Clock, Placement, Validity};

/// What the control plane of one consumer is started with.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Checked settings.
    pub(crate) config: ConsumerConfig,
    /// Dials; the lanes of the data plane use the same one.
    pub(crate) connector: Arc<dyn Connector>,
    /// The fixed partitions, or the group that gives us some.
    pub(crate) assigned: Assigned,
    /// Until when records may start, as far as the group is concerned.
    pub(crate) validity: Validity,
    /// Hears what happens to partitions.
    pub(crate) events: link::Sender<OwnershipEvent>,
    /// The clock both planes read.
    pub(crate) clock: Clock,
    /// Where the control plane runs.
    pub(crate) placement: Placement,
}

/// How a consumer ended.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Per partition, in order: what became of it.
    pub partitions: Vec<PartitionSummary>,
    /// Records that were still running when the drain deadline passed; 0 for a clean end.
    pub unfinished: u64,
    /// What ended the whole consumer, when it was not the user.
    pub cause: Option<Error>,
}

impl Summary {
    /// Whether all work ended and was committed in time, and nothing went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let fine = |it: &PartitionSummary| it.is_drained && it.is_committed && it.error.is_none();
        self.cause.is_none() && self.unfinished == 0 && self.partitions.iter().all(fine)
    }
}

/// What became of one partition.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartitionSummary {
    /// The partition.
    pub tp: TopicPartition,
    /// All before it is done; `None` when the partition never started.
    pub frontier: Option<Position>,
    /// What the coordinator confirmed last; `None` without a group or before the first commit.
    pub committed: Option<Position>,
    /// Whether its running records ended before the deadline.
    pub is_drained: bool,
    /// Whether all that is done is stored by the coordinator; true without a group.
    pub is_committed: bool,
    /// Why the partition stopped, when it did.
    pub error: Option<Error>,
}

/// What can happen to a control plane, beside reports and news of the cluster.
#[derive(Debug)]
pub(super) enum Input {
    /// The user: hand out no more records of these partitions.
    Pause(Vec<TopicPartition>, Reply<()>),
    /// The user: hand out records again.
    Resume(Vec<TopicPartition>, Reply<()>),
    /// The user: continue elsewhere.
    Seek(TopicPartition, Position, Reply<()>),
    /// The user: all before which position is done?
    Position(TopicPartition, Reply<Option<Position>>),
    /// The user: what has the coordinator confirmed?
    Committed(TopicPartition, Reply<Option<Position>>),
    /// The user: something else than the group says of these partitions.
    Direct(Vec<TopicPartition>, Want, Reply<Vec<Parked>>),
    /// The user: share these topics and no others.
    Subscribe(Wish, Reply<()>),
    /// The user: share no topics for now.
    Unsubscribe(Reply<()>),
    /// The user: drain, commit, close; at the latest after this long.
    Shutdown(Duration),
    /// The coordinator: what is committed.
    Fetched(Vec<TopicPartition>, Vec<Told>),
    /// A leader: offsets.
    Listed(Vec<Ask>, Vec<Told>),
    /// The coordinator: what it stored.
    Stored(Answer),
    /// The cluster: how long a session of the group's members is.
    Session(Duration),
    /// The coordinator: about the membership; asked at this time of the clock that counts
    /// suspension.
    Member(Instant, Stamp, member::Answer),
}

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// A handle to a running consumer: cheap to clone, works from any task and thread.
///
/// The consumer goes on when all handles are dropped.
#[derive(Clone, Debug)]
pub struct ControlHandle {
    inputs: mpsc::UnboundedSender<Input>,
    ended: watch::Receiver<Option<Arc<Summary>>>,
}

impl ControlHandle {
    /// Stops handing out records of `partitions`; what is buffered is kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotAssigned`] for a partition that is not this consumer's, [`Error::Closed`] after
    /// the end.
    pub async fn pause(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.ask(|reply| Input::Pause(partitions, reply)).await
    }

    /// Hands out records of `partitions` again.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.ask(|reply| Input::Resume(partitions, reply)).await
    }

    /// Continues `tp` at `position`. Records that run now finish, but no longer count.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn seek(&self, tp: TopicPartition, position: Position) -> Result<(), Error> {
        self.ask(|reply| Input::Seek(tp, position, reply)).await
    }

    /// All records of `tp` before this position are done; `None` before the partition started.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn position(&self, tp: TopicPartition) -> Result<Option<Position>, Error> {
        self.ask(|reply| Input::Position(tp, reply)).await
    }

    /// What the coordinator confirmed last for `tp`; `None` when nothing is committed.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn committed(&self, tp: TopicPartition) -> Result<Option<Position>, Error> {
        self.ask(|reply| Input::Committed(tp, reply)).await
    }

    /// Tells what is wanted of `partitions`; where they are parked, when they are to be.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub(super) async fn direct(
        &self,
        partitions: Vec<TopicPartition>,
        want: Want,
    ) -> Result<Vec<Parked>, Error> {
        self.ask(|reply| Input::Direct(partitions, want, reply)).await
    }

    /// Wants these topics and no others.
    pub(super) async fn subscribe(&self, wish: Wish) -> Result<(), Error> {
        self.ask(|reply| Input::Subscribe(wish, reply)).await
    }

    /// Wants no topics for now.
    pub(super) async fn unsubscribe(&self) -> Result<(), Error> {
        self.ask(Input::Unsubscribe).await
    }

    /// Starts the end: nothing new runs, running records are awaited, the last commit is sent.
    /// The consumer ends after `deadline` at the latest; [`ended`](Self::ended) tells how. A second
    /// call can only make the deadline earlier.
    pub fn shutdown(&self, deadline: Duration) {
        drop(self.inputs.send(Input::Shutdown(deadline)));
    }

    /// Waits for the end of the consumer. Cancel safe.
    pub async fn ended(&self) -> Arc<Summary> {
        let mut ended = self.ended.clone();
        let found = ended.wait_for(Option::is_some).await;
        found.ok().and_then(|found| found.clone()).unwrap_or_default()
    }

    /// [`shutdown`](Self::shutdown), then [`ended`](Self::ended): returns by `deadline` plus 100 ms.
    /// Cancel safe: the shutdown goes on.
    pub async fn close(&self, deadline: Duration) -> Arc<Summary> {
        self.shutdown(deadline);
        self.ended().await
    }

    async fn ask<T>(&self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inputs.send(input(reply)).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

/// Starts the control plane of a consumer. It sends [`Order`]s of the partitions, hears their
/// [`Report`]s, commits, and ends after [`Order::Close`] and [`Report::Closed`], or at the
/// deadline of the shutdown without waiting for the shard any longer.
///
/// What the shard can count on:
/// * `Brokers` comes before the first `Gain` and whenever an address changed; a `Gain` names the
///   leader when there is one, later ones come as `Leader`.
/// * A report `LeaderStale` with `tried` is always followed by a `Leader`, the same one too, once
///   the cluster was looked at again.
/// * After a report `NeedsReset` the partition gets `Reset`, or nothing until its `Drain` when it
///   cannot go on.
/// * After `Stopped` it gets `Drain` at the end like any other; it must answer `Drained` at once.
/// * A dropped order link (this side ended early) means: stop everything, commit nothing.
///
/// # Errors
///
/// [`Error::Start`] when there is no thread or no runtime to run on.
pub(crate) fn spawn(
    setup: Setup,
    orders: link::Sender<Order>,
    reports: link::Receiver<Report>,
) -> Result<ControlHandle, Error> {
    let (inputs, input_rx) = mpsc::unbounded_channel();
    let (ended_tx, ended) = watch::channel(None);
    let handle = ControlHandle { inputs: inputs.clone(), ended };
    let placement = setup.placement;
    crate::runtime::start(placement, "forebay-control", async move {
        let driver = Driver::new(setup, orders, inputs);
        let summary = driver.run(reports, input_rx).await;
        drop(ended_tx.send(Some(Arc::new(summary))));
    })?;
    Ok(handle)
}

#[cfg(test)]
mod tests;
