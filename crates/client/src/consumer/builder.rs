//! Settings of a consumer, one call each.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::ownership::assignor::{Assignor, CooperativeSticky, Range, RoundRobin, Sticky};
use forebay_core::ownership::member::Protocol;
use forebay_core::work::Order;
use forebay_protocol::types::{TopicName, TopicPartition};

use super::handler::{Decision, Failure, FailurePolicy};
use super::listener::Listener;
use super::pattern::Side;
use super::subscription::Subscription;
use super::{Consumer, OwnershipEvent, Settings};
use crate::budget::Budget;
use crate::config::properties::{Draft, Work};
use crate::config::{
    ClientKind, ConfigError, ConsumerConfig, GroupProtocol, IsolationLevel, OffsetReset,
    Properties, parse_addresses,
};
use crate::error::Error;
use crate::net::connector::{Connector, TcpConnector};
use crate::runtime::{Placement, Validity};

/// Handlers that run at once by default.
const CONCURRENCY: usize = 64;

/// Settings of a [`Consumer`]. Every default is the safe one; where it differs from Kafka's, the
/// field of [`ConsumerConfig`] says so.
#[derive(Debug)]
#[must_use]
pub struct ConsumerBuilder {
    settings: Settings,
    /// The first setting that could not be read.
    wrong: Option<Error>,
}

impl Default for ConsumerBuilder {
    fn default() -> Self {
        let settings = Settings {
            config: ConsumerConfig::default(),
            assignment: Vec::new(),
            subscription: Subscription::default(),
            assignors: None,
            validity: Validity::default(),
            listener: None,
            connector: Arc::new(TcpConnector::default()),
            placement: Placement::default(),
            budget: Budget::of_process(),
            order: Order::default(),
            concurrency: CONCURRENCY,
            workers: None,
            policy: FailurePolicy::default(),
        };
        Self { settings, wrong: None }
    }
}

impl ConsumerBuilder {
    /// `bootstrap.servers`: the brokers to ask first, as `host:port,host:port`.
    pub fn bootstrap_servers(mut self, servers: impl AsRef<str>) -> Self {
        match parse_addresses(servers.as_ref()) {
            Ok(servers) => self.settings.config.client.bootstrap_servers = servers,
            Err(error) => self.wrong = self.wrong.or_else(|| Some(error.into())),
        }
        self
    }

    /// `group.id`: under which name finished work is committed. Without it nothing is committed.
    pub fn group_id(mut self, group: impl Into<Arc<str>>) -> Self {
        self.settings.config.group_id = Some(group.into());
        self
    }

    /// `client.id`: the name that brokers see. Default `forebay`.
    pub fn client_id(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.config.client.client_id = name.into();
        self
    }

    /// Adds fixed partitions: this consumer reads them, whoever else does.
    pub fn assign<T: Into<TopicPartition>>(
        mut self,
        partitions: impl IntoIterator<Item = T>,
    ) -> Self {
        self.settings.assignment.extend(partitions.into_iter().map(Into::into));
        self
    }

    /// Adds topics whose partitions are shared with the other members of the group: it needs a
    /// [`group_id`](Self::group_id). Topics that do not exist yet are followed once they do.
    pub fn topics<T: Into<TopicName>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.settings.subscription.add_topics(topics);
        self
    }

    /// Adds all topics whose whole name matches this regular expression, as they come and go;
    /// Kafka's own topics are never among them. New ones are noticed within
    /// [`metadata_max_age`](Self::metadata_max_age).
    pub fn pattern(self, pattern: impl AsRef<str>) -> Self {
        self.add_pattern(Side::Allowed, pattern.as_ref())
    }

    /// Leaves out topics whose whole name matches this, although a [`pattern`](Self::pattern) names
    /// them. Topics that are named one by one stay.
    pub fn pattern_except(self, pattern: impl AsRef<str>) -> Self {
        self.add_pattern(Side::Blocked, pattern.as_ref())
    }

    fn add_pattern(mut self, side: Side, pattern: &str) -> Self {
        if let Err(error) = self.settings.subscription.add(side, pattern) {
            self.wrong = self.wrong.or_else(|| Some(error.into()));
        }
        self
    }

    /// `partition.assignment.strategy`: how partitions are shared, the best liked first; the group
    /// takes one that all members name. Default: range, then cooperative-sticky, as Kafka's, where
    /// the coordinator does not make the plan itself.
    pub fn assignors(mut self, assignors: impl IntoIterator<Item = Arc<dyn Assignor>>) -> Self {
        self.settings.assignors = Some(assignors.into_iter().collect());
        self
    }

    /// `group.protocol`: who makes the plan of who gets which partitions. Default: the coordinator
    /// where it can and no assignor was chosen. With [`GroupProtocol::Consumer`] there can be no
    /// [`assignors`](Self::assignors).
    pub const fn group_protocol(mut self, protocol: GroupProtocol) -> Self {
        self.settings.config.group_protocol = protocol;
        self
    }

    /// `group.remote.assignor`: how the coordinator is to make the plan, such as `uniform` or
    /// `range`. Default: as it likes. It counts where the coordinator makes the plan.
    pub fn group_remote_assignor(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.config.group_remote_assignor = Some(name.into());
        self
    }

    /// Hears of partitions that are gained, drained, released, lost or reset, in order. Called where
    /// the consumer runs: a listener that takes its time holds up records, never heartbeats.
    pub fn on_ownership(
        mut self,
        listener: impl Fn(&OwnershipEvent) + Send + Sync + 'static,
    ) -> Self {
        self.settings.listener = Some(Listener(Arc::new(listener)));
        self
    }

    /// `group.instance.id`: makes this a static member. Default: none.
    pub fn group_instance_id(mut self, instance: impl Into<Arc<str>>) -> Self {
        self.settings.config.group_instance_id = Some(instance.into());
        self
    }

    /// `client.rack`: where this consumer stands. Leaders may send it to a replica in the same rack
    /// (KIP-392), and assignors may give it partitions that have one. Default: not told.
    pub fn client_rack(mut self, rack: impl Into<Arc<str>>) -> Self {
        self.settings.config.client_rack = Some(rack.into());
        self
    }

    /// `session.timeout.ms`. Default 45 s.
    pub const fn session_timeout(mut self, timeout: Duration) -> Self {
        self.settings.config.session_timeout = timeout;
        self
    }

    /// `metadata.max.age.ms`: how soon new topics and partitions are noticed. Default 5 min.
    pub const fn metadata_max_age(mut self, age: Duration) -> Self {
        self.settings.config.client.metadata_max_age = age;
        self
    }

    /// `heartbeat.interval.ms`. Default 3 s.
    pub const fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.settings.config.heartbeat_interval = interval;
        self
    }

    /// `max.poll.interval.ms`: how long the group waits for this member while partitions move.
    /// Default 300 s.
    pub const fn rebalance_timeout(mut self, timeout: Duration) -> Self {
        self.settings.config.rebalance_timeout = timeout;
        self
    }

    /// `auto.offset.reset`: where to start without a committed offset. Default: an error.
    pub const fn auto_offset_reset(mut self, reset: OffsetReset) -> Self {
        self.settings.config.auto_offset_reset = reset;
        self
    }

    /// `isolation.level`. Default: only records of committed transactions.
    pub const fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.settings.config.isolation_level = level;
        self
    }

    /// `auto.commit.interval.ms`. Default 500 ms.
    pub const fn auto_commit_interval(mut self, interval: Duration) -> Self {
        self.settings.config.auto_commit_interval = interval;
        self
    }

    /// How long running records are awaited before the last commit, when a partition is given up and
    /// at a shutdown. Less than [`rebalance_timeout`](Self::rebalance_timeout). Default 20 s.
    pub const fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.config.drain_timeout = timeout;
        self
    }

    /// In which order the records of a partition run. Default [`Order::Partition`].
    pub const fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// How many handlers may run at once, over all partitions; at least 1. Default 64.
    ///
    /// With [`Order::Unordered`] one partition has at most three quarters of them, unless its part of
    /// all is more: the rest is kept for the others.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.settings.concurrency = handlers.max(1);
        self
    }

    /// How many workers the partitions are spread over. Default: as many as the runtime has
    /// threads. A partition stays with its worker.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers.max(1));
        self
    }

    /// The byte budget to share. Default: [`Budget::of_process`], 128 MiB for the whole process.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.settings.budget = budget;
        self
    }

    /// A byte budget of its own.
    pub fn budget_bytes(self, bytes: usize) -> Self {
        self.budget(Budget::new(bytes))
    }

    /// How often a failed record is tried again. Default 0.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.settings.policy.retries = retries;
        self
    }

    /// The wait before the first further try; it doubles each time. Default 500 ms.
    pub const fn retry_backoff(mut self, backoff: Duration) -> Self {
        self.settings.policy.backoff = backoff;
        self
    }

    /// Decides what becomes of a record whose last try failed. Default: its partition stops, and
    /// nothing is committed past it.
    pub fn on_failure(
        mut self,
        decide: impl Fn(&Failure<'_>) -> Decision + Send + Sync + 'static,
    ) -> Self {
        self.settings.policy.decide = Arc::new(decide);
        self
    }

    /// All settings with a Kafka name at once; calls after this one change single ones.
    pub fn config(mut self, config: ConsumerConfig) -> Self {
        self.settings.config = config;
        self
    }

    /// The settings of a JVM client's property file, over those made so far; calls after this one
    /// change single ones. What has no meaning here, or an old name, is logged as a note each, and
    /// told by [`Properties::notes`].
    ///
    /// A setting that cannot be used is told by [`build`](Self::build).
    pub fn properties(mut self, properties: &Properties) -> Self {
        let mut draft = Draft::from_consumer(self.settings.config.clone());
        if let Err(wrong) = properties.apply(ClientKind::Consumer, &mut draft) {
            self.wrong = self.wrong.or_else(|| Some(wrong.into()));
            return self;
        }
        draft.log();
        let Work { concurrency, retries, retry_backoff, assignors } =
            std::mem::take(&mut draft.work);
        self.settings.concurrency = concurrency.unwrap_or(self.settings.concurrency).max(1);
        let policy = &mut self.settings.policy;
        policy.retries = retries.unwrap_or(policy.retries);
        policy.backoff = retry_backoff.unwrap_or(policy.backoff);
        if !assignors.is_empty() {
            self.settings.assignors = Some(assignors.into_iter().filter_map(named).collect());
        }
        self.settings.config = draft.into_consumer();
        self
    }

    /// Another way to reach brokers than TCP: for tests and simulators.
    pub fn connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.settings.connector = connector;
        self
    }

    /// Where the control plane runs. Default: a thread of its own.
    pub const fn placement(mut self, placement: Placement) -> Self {
        self.settings.placement = placement;
        self
    }

    /// The consumer. Its control plane starts at once.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a setting that cannot be used, [`Error::Start`] when the system gives
    /// no thread.
    pub fn build(self) -> Result<Consumer, Error> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        self.settings.config.check()?;
        self.settings.check_sharing()?;
        if self.settings.budget.total() < BUDGET_MIN {
            let found = self.settings.budget.total().to_string();
            return Err(ConfigError::new("budget", found, "at least 4 MiB").into());
        }
        Consumer::start(self.settings)
    }
}

impl Settings {
    /// Fixed partitions or a share of topics, and all that a share needs.
    fn check_sharing(&self) -> Result<(), ConfigError> {
        let is_shared = !self.subscription.is_empty();
        match (self.assignment.is_empty(), !is_shared) {
            (true, true) => {
                Err(ConfigError::new("topics", "", "topics to share, or partitions to assign"))
            }
            (false, false) => {
                let expected = "topics to share or partitions to assign, not both";
                Err(ConfigError::new("assign", "", expected))
            }
            (false, true) => Ok(()),
            (true, false) if self.config.group_id.is_none() => {
                Err(ConfigError::new("group.id", "", "a name: topics are shared in a group"))
            }
            (true, false) if self.assignors.as_ref().is_some_and(Vec::is_empty) => {
                let key = "partition.assignment.strategy";
                Err(ConfigError::new(key, "", "at least one assignor"))
            }
            (true, false) => self.check_plan(),
        }
    }

    /// Whoever makes the plan, what was said of the other way would count for nothing.
    fn check_plan(&self) -> Result<(), ConfigError> {
        let remote = self.config.group_remote_assignor.as_deref();
        match (self.protocol(), &self.assignors, remote) {
            (Protocol::Consumer, Some(assignors), _) => {
                let names: Vec<_> = assignors.iter().map(|it| it.name()).collect();
                let expected = "none with group.protocol=consumer, where the coordinator makes the \
                                plan: group.remote.assignor tells it how";
                Err(ConfigError::new("partition.assignment.strategy", names.join(","), expected))
            }
            (Protocol::Classic, _, Some(name)) => {
                let expected = "none where members make the plan: leave it out, or \
                                group.protocol=classic and partition.assignment.strategy";
                Err(ConfigError::new("group.remote.assignor", name, expected))
            }
            _ => Ok(()),
        }
    }
}

/// Kafka's assignor of this name.
fn named(name: &str) -> Option<Arc<dyn Assignor>> {
    Some(match name {
        "range" => Arc::new(Range),
        "roundrobin" => Arc::new(RoundRobin),
        "sticky" => Arc::new(Sticky),
        "cooperative-sticky" => Arc::new(CooperativeSticky),
        _ => return None,
    })
}

/// Smaller budgets have no room for a chunk in work and one on its way.
const BUDGET_MIN: usize = 4 << 20;
