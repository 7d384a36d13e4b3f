//! A consumer: records of partitions through handlers, finished work committed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use forebay_core::consumer::Assigned;
use forebay_core::orders::{Order as ShardOrder, Report};
use forebay_core::ownership::assignor::{self, Assignor};
use forebay_core::ownership::member;
use forebay_core::work::Order;
use forebay_core::{backoff, fetch, reservoir, shard as shard_core, work};
use forebay_protocol::types::TopicPartition;
use tokio::sync::watch;

use crate::budget::Budget;
use crate::config::{ConsumerConfig, GroupProtocol, IsolationLevel};
use crate::error::Error;
use crate::link;
use crate::net::connector::Connector;
use crate::net::lane;
use crate::net::traffic::Traffic;
use crate::runtime::{self, Clock, Placement, Validity};

mod builder;
pub(crate) mod control;
mod control_driver;
mod direct;
mod group;
mod handle;
pub(crate) mod handler;
mod lease;
mod listener;
mod outcome;
mod pattern;
pub(crate) mod pull;
pub(crate) mod record;
mod shard;
pub(crate) mod stats;
mod subscription;
pub(crate) mod translate;
mod worker;

pub use builder::ConsumerBuilder;
pub use direct::{OwnershipHandle, Parked};
pub use handle::ConsumerHandle;
pub use listener::{GroupTrouble, OwnershipEvent, Right};
pub use subscription::Subscription;

use control::Summary;
use handler::{FailurePolicy, Handler};
use listener::{Hearing, Listener};
use pull::Batches;
use record::{Batch, Record};
use shard::{Question, ShardDriver};

use worker::{ToWorker, Unit, Worker};

/// Also with short waits of fetches the watchdog gives a busy machine so much time.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// How often workers and shards tell how far they are.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// Reads partitions, runs a handler over their records, and commits what is done.
///
/// Made by [`Consumer::builder`]. The control plane starts at once: it looks for brokers and for
/// the positions to start from, while records flow when one of the `run` methods is awaited.
#[derive(Debug)]
pub struct Consumer {
    settings: Settings,
    handle: ConsumerHandle,
    clock: Clock,
    orders: link::Receiver<ShardOrder>,
    reports: link::Sender<Report>,
    questions: link::Receiver<Question>,
    hearing: Hearing,
}

/// What a consumer is made with.
#[derive(Clone, Debug)]
struct Settings {
    config: ConsumerConfig,
    assignment: Vec<TopicPartition>,
    subscription: Subscription,
    /// `None`: nobody chose any.
    assignors: Option<Vec<Arc<dyn Assignor>>>,
    validity: Validity,
    listener: Option<Listener>,
    connector: Arc<dyn Connector>,
    placement: Placement,
    budget: Budget,
    order: Order,
    concurrency: usize,
    workers: Option<usize>,
    policy: FailurePolicy,
}

impl Consumer {
    /// Settings to begin with.
    pub fn builder() -> ConsumerBuilder {
        ConsumerBuilder::default()
    }

    fn start(settings: Settings) -> Result<Self, Error> {
        let clock = match settings.placement {
            Placement::OwnThread => Clock::start(),
            Placement::Caller => Clock::virtual_time(),
        };
        let (order_tx, orders) = link::channel();
        let (reports, report_rx) = link::channel();
        let (question_tx, questions) = link::channel();
        let (event_tx, events) = link::channel();
        let hearing = Hearing { listener: settings.listener.clone(), events };
        let setup = control::Setup {
            config: settings.config.clone(),
            connector: Arc::clone(&settings.connector),
            assigned: settings.assigned(),
            validity: settings.validity.clone(),
            events: event_tx,
            clock,
            placement: settings.placement,
        };
        let control = control::spawn(setup, order_tx, report_rx)?;
        let handle = ConsumerHandle::new(control, question_tx);
        Ok(Self { settings, handle, clock, orders, reports, questions, hearing })
    }

    /// A handle for other tasks: pause, resume, seek, look at, shut down.
    #[must_use]
    pub fn handle(&self) -> ConsumerHandle {
        self.handle.clone()
    }

    /// Runs `handler` over every record, as the order and the concurrency allow, until the consumer
    /// is shut down or cannot go on.
    ///
    /// A record is done when its handler has returned without an error; what is done is committed.
    /// Runs on the caller's Tokio runtime, in tasks of its own.
    ///
    /// # Errors
    ///
    /// What ended the consumer, when it was not a shutdown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future shuts the consumer down as [`ConsumerHandle::shutdown`] does, in the
    /// background and with the drain timeout as its deadline.
    pub async fn run<H>(self, handler: H) -> Result<Summary, Error>
    where
        H: Handler<Record> + Send + Sync + 'static,
        H::Future: Send,
    {
        self.serve::<Record, H>(handler).await
    }

    /// As [`run`](Self::run), a batch at a time: the fastest way, since records are borrowed from
    /// their batch. A batch is done when its handler has returned without an error.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_batches<H>(self, handler: H) -> Result<Summary, Error>
    where
        H: Handler<Batch> + Send + Sync + 'static,
        H::Future: Send,
    {
        self.serve::<Batch, H>(handler).await
    }

    /// As [`run`](Self::run) for handlers that are not `Send`: everything runs inside this future,
    /// on the thread that polls it, with one worker.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels running handlers; what was done before is committed.
    pub async fn run_local<H: Handler<Record> + 'static>(
        self,
        handler: H,
    ) -> Result<Summary, Error> {
        self.serve_here::<Record, H>(handler).await
    }

    /// As [`run_batches`](Self::run_batches) for handlers that are not `Send`; see
    /// [`run_local`](Self::run_local).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run_local`](Self::run_local).
    pub async fn run_batches_local<H: Handler<Batch> + 'static>(
        self,
        handler: H,
    ) -> Result<Summary, Error> {
        self.serve_here::<Batch, H>(handler).await
    }

    /// The batches as a stream, for those who rather pull. Must be called inside a Tokio runtime,
    /// on which the consumer then runs in tasks of its own.
    #[must_use]
    pub fn stream(self) -> Batches {
        Batches::start(self)
    }

    async fn serve<U, H>(self, handler: H) -> Result<Summary, Error>
    where
        U: Unit + Send + 'static,
        H: Handler<U> + Send + Sync + 'static,
        H::Future: Send,
    {
        let (handle, drain) = (self.handle.clone(), self.settings.config.drain_timeout);
        let guard = ShutdownOnDrop { handle: handle.clone(), drain };
        let (shard, workers) = self.planes::<U, H>(Arc::new(handler), None);
        for worker in workers {
            runtime::spawn(worker);
        }
        runtime::spawn(shard.run());
        let summary = handle.ended().await;
        drop(guard);
        finish(&summary)
    }

    async fn serve_here<U: Unit, H: Handler<U>>(self, handler: H) -> Result<Summary, Error> {
        let handle = self.handle.clone();
        let (shard, workers) = self.planes::<U, H>(Arc::new(handler), Some(1));
        let mut workers: Vec<_> = workers.into_iter().map(Box::pin).collect();
        let mut shard: Pin<Box<dyn Future<Output = ()>>> = Box::pin(shard.run());
        let mut ended = Box::pin(handle.ended());
        let mut is_served = false;
        let summary = std::future::poll_fn(|cx| {
            if let Poll::Ready(summary) = ended.as_mut().poll(cx) {
                return Poll::Ready(summary);
            }
            is_served = is_served || shard.as_mut().poll(cx).is_ready();
            workers.retain_mut(|worker| worker.as_mut().poll(cx).is_pending());
            Poll::Pending
        })
        .await;
        finish(&summary)
    }

    /// The data plane: one shard, and its workers.
    fn planes<U: Unit, H: Handler<U>>(
        self,
        handler: Arc<H>,
        workers: Option<usize>,
    ) -> (ShardDriver, Vec<Worker<U, H>>) {
        let count = workers.unwrap_or_else(|| self.settings.worker_count());
        let (progress_tx, progress) = link::channel();
        let concurrency = self.settings.concurrency.div_ceil(count);
        let (senders, workers) = (0..count)
            .map(|_| {
                let (sender, inbox) = link::channel::<ToWorker>();
                let setup = worker::Setup {
                    order: self.settings.order,
                    concurrency,
                    policy: self.settings.policy.clone(),
                    budget: self.settings.budget.clone(),
                    clock: self.clock,
                    validity: self.settings.validity.clone(),
                    flush_every: FLUSH_EVERY,
                    inbox,
                    progress: progress_tx.clone(),
                };
                (sender, Worker::new(Arc::clone(&handler), setup))
            })
            .unzip();
        let (addresses, address_rx) = watch::channel(lane::Addresses::default());
        let setup = shard::Setup {
            config: self.settings.shard_config(count),
            lane: self.settings.lane_setup(self.clock, address_rx),
            addresses,
            orders: self.orders,
            reports: self.reports,
            workers: senders,
            progress,
            questions: self.questions,
            hearing: self.hearing,
        };
        (ShardDriver::new(setup), workers)
    }
}

impl Settings {
    /// Whether the user or a group says which partitions are ours.
    fn assigned(&self) -> Assigned {
        if self.subscription.is_empty() {
            return Assigned::Fixed(self.assignment.clone());
        }
        let (config, client) = (&self.config, &self.config.client);
        let usual = || -> Vec<Arc<dyn Assignor>> {
            vec![Arc::new(assignor::Range), Arc::new(assignor::CooperativeSticky)]
        };
        Assigned::Group(Box::new(member::Config {
            protocol: self.protocol(),
            remote_assignor: config.group_remote_assignor.clone(),
            wish: self.subscription.wish(),
            session_timeout: config.session_timeout,
            heartbeat_interval: config.heartbeat_interval,
            rebalance_timeout: config.rebalance_timeout,
            instance: config.group_instance_id.clone(),
            rack: config.client_rack.clone(),
            assignors: self.assignors.clone().unwrap_or_else(usual),
            retry: backoff::Config { first: client.retry_backoff, max: client.retry_backoff_max },
        }))
    }

    /// Who makes the plan, as far as settings say it.
    const fn protocol(&self) -> member::Protocol {
        match (self.config.group_protocol, &self.assignors) {
            (GroupProtocol::Classic, _) | (GroupProtocol::Auto, Some(_)) => {
                member::Protocol::Classic
            }
            (GroupProtocol::Auto, None) => member::Protocol::Auto,
            (GroupProtocol::Consumer, _) => member::Protocol::Consumer,
        }
    }

    /// As many workers as the runtime has threads, unless a number was set.
    fn worker_count(&self) -> usize {
        let threads = || {
            let runtime = tokio::runtime::Handle::try_current();
            runtime.map_or(1, |runtime| runtime.metrics().num_workers())
        };
        self.workers.unwrap_or_else(threads).max(1)
    }

    fn shard_config(&self, workers: usize) -> shard_core::Config {
        shard_core::Config {
            reservoir: reservoir::Config {
                budget: self.budget.total() as u64,
                ..reservoir::Config::default()
            },
            work: work::Config { workers, ..work::Config::default() },
            flush_every: FLUSH_EVERY,
            patience: self.config.fetch_max_wait.saturating_mul(2).max(LEAST_PATIENCE),
        }
    }

    fn lane_setup(&self, clock: Clock, addresses: watch::Receiver<lane::Addresses>) -> lane::Setup {
        let client = &self.config.client;
        let response_max = u32::try_from(self.budget.total() / 8).unwrap_or(u32::MAX);
        let defaults = fetch::lane::Config::default();
        lane::Setup {
            connector: Arc::clone(&self.connector),
            addresses,
            client_id: Arc::clone(&client.client_id),
            budget: self.budget.clone(),
            clock,
            config: fetch::lane::Config {
                min_bytes: self.config.fetch_min_bytes,
                max_wait: self.config.fetch_max_wait,
                is_read_committed: self.config.isolation_level == IsolationLevel::ReadCommitted,
                response_max: response_max.min(defaults.response_max),
                rack: self.config.client_rack.clone().unwrap_or_default(),
                nearer_for: client.metadata_max_age,
                ..defaults
            },
            setup_timeout: client.connection_setup_timeout,
            request_timeout: client.request_timeout,
            backoff: backoff::Config {
                first: client.reconnect_backoff,
                max: client.reconnect_backoff_max,
            },
            seed: client.seed(),
            traffic: Arc::new(Traffic::default()),
        }
    }
}

/// A dropped `run` is a shutdown.
#[derive(Debug)]
struct ShutdownOnDrop {
    handle: ConsumerHandle,
    drain: Duration,
}

impl Drop for ShutdownOnDrop {
    fn drop(&mut self) {
        self.handle.shutdown(self.drain);
    }
}

fn finish(summary: &Arc<Summary>) -> Result<Summary, Error> {
    match &summary.cause {
        Some(cause) => Err(cause.clone()),
        None => Ok(Summary::clone(summary)),
    }
}
