//! Carries out what the control plane's router wants: requests, orders to the shard, answers to
//! users. Decides nothing.

mod journal;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use forebay_core::backoff;
use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::cluster::metadata::Metadata;
use forebay_core::consumer::{self, Assigned, Commits, Consumer, Event, Outcome, Output};
use forebay_core::offsets::commit;
use forebay_core::offsets::start::Policy;
use forebay_core::orders::{Order, Report};
use forebay_core::ownership::member::Wish;
use forebay_core::rng::Rng;
use forebay_protocol::types::{TopicName, TopicPartition};
use tokio::sync::{mpsc, watch};

use super::control::{Input, Reply, Setup, Summary};
use super::direct::Waiters;
use super::listener::OwnershipEvent;
use super::{group, outcome};
use crate::cluster::Cluster;
use crate::config::{ConfigError, ConsumerConfig, OffsetReset};
use crate::error::Error;
use crate::link;
use crate::runtime::{Clock, Validity};

/// Owns the router of one consumer.
pub(super) struct Driver {
    machine: Consumer,
    cluster: Cluster,
    metadata: watch::Receiver<Arc<Metadata>>,
    group: Arc<str>,
    config: ConsumerConfig,
    clock: Clock,
    validity: Validity,
    /// How long a session is, as far as we know: by KIP-848 the cluster says it.
    session: Duration,
    /// What every heartbeat by KIP-848 says.
    constant: group::Constant,
    orders: link::Sender<Order>,
    events: link::Sender<OwnershipEvent>,
    /// For answers of brokers.
    inputs: mpsc::UnboundedSender<Input>,
    /// Who waits for partitions to be parked.
    waiters: Waiters,
    /// Who waits until the group is left.
    leaving: Vec<Reply<()>>,
    done: Option<Outcome>,
}

impl Driver {
    /// Must be called where the control plane runs: the cluster's tasks are started here.
    pub(super) fn new(
        setup: Setup,
        orders: link::Sender<Order>,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let Setup { config, connector, assigned, clock, validity, events, .. } = setup;
        let cluster = Cluster::spawn(&config.client, connector, clock);
        match topics(&assigned) {
            Some(topics) => cluster.want_topics(topics),
            None => cluster.want_all_topics(),
        }
        // Another seed than the cluster's, from the same number: a run can still be repeated.
        let rng = Rng::from_seed(config.client.seed().wrapping_add(1));
        let machine = Consumer::new(machine_config(&config), assigned, rng, clock.now());
        Self {
            machine,
            metadata: cluster.metadata(),
            cluster,
            group: config.group_id.clone().unwrap_or_default(),
            constant: group::Constant {
                rack: config.client_rack.clone(),
                assignor: config.group_remote_assignor.clone(),
            },
            session: config.session_timeout,
            config,
            clock,
            validity,
            orders,
            events,
            inputs,
            waiters: Waiters::default(),
            leaving: Vec::new(),
            done: None,
        }
    }

    /// Runs until the consumer is over; says how it ended.
    pub(super) async fn run(
        mut self,
        mut reports: link::Receiver<Report>,
        mut inputs: mpsc::UnboundedReceiver<Input>,
    ) -> Summary {
        let mut shard_lives = true;
        loop {
            self.deliver();
            if let Some(outcome) = self.done.take() {
                return outcome::summary(outcome, &self.group);
            }
            let deadline = self.machine.poll_timeout();
            tokio::select! {
                biased;
                report = reports.recv(), if shard_lives => {
                    shard_lives = report.is_some();
                    self.handle_report(report);
                }
                Some(input) = inputs.recv() => self.handle_input(input),
                Ok(()) = self.metadata.changed() => self.handle_metadata(),
                () = self.clock.sleep_until(deadline) => {
                    self.machine.handle_timeout(self.clock.now());
                }
            }
        }
    }

    fn handle_report(&mut self, report: Option<Report>) {
        let now = self.clock.now();
        match report {
            Some(report) => self.machine.handle_report(now, report),
            None => self.machine.handle_shard_lost(now),
        }
    }

    fn handle_metadata(&mut self) {
        let metadata = Arc::clone(&self.metadata.borrow_and_update());
        self.machine.handle_metadata(self.clock.now(), metadata);
    }

    fn handle_input(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Pause(tps, reply) => self.answer_all(&tps, reply, Consumer::handle_pause),
            Input::Resume(tps, reply) => self.answer_all(&tps, reply, Consumer::handle_resume),
            Input::Seek(tp, position, reply) => {
                let is_ours = self.machine.handle_seek(now, &tp, position);
                answer(reply, tp, is_ours.then_some(()));
            }
            Input::Position(tp, reply) => {
                let position = self.machine.position(&tp);
                answer(reply, tp, position);
            }
            Input::Committed(tp, reply) => {
                let committed = self.machine.committed(&tp);
                answer(reply, tp, committed);
            }
            Input::Direct(tps, want, reply) => {
                self.waiters.direct((&mut self.machine, now), tps, want, reply);
            }
            Input::Subscribe(wish, reply) => {
                let is_shared = self.machine.handle_subscribe(now, wish);
                drop(reply.send(is_shared.then_some(()).ok_or_else(not_shared)));
            }
            Input::Unsubscribe(reply) => {
                if self.machine.handle_unsubscribe(now) {
                    self.leaving.push(reply);
                } else {
                    drop(reply.send(Err(not_shared())));
                }
            }
            Input::Shutdown(within) => self.machine.handle_shutdown(now, now.after(within)),
            Input::Fetched(asked, told) => self.machine.handle_committed(now, &asked, told),
            Input::Listed(asked, told) => self.machine.handle_listed(now, &asked, told),
            Input::Stored(answer) => self.machine.handle_commit_answer(now, answer),
            Input::Session(timeout) => {
                tracing::debug!(target: "forebay::group", ?timeout, "a session, as the cluster says");
                self.session = timeout;
                self.machine.handle_session(now, timeout);
            }
            Input::Member(sent, stamp, answer) => {
                self.machine.handle_member_answer(now, sent, stamp, answer);
            }
        }
    }

    fn answer_all(
        &mut self,
        tps: &[TopicPartition],
        reply: Reply<()>,
        apply: impl Fn(&mut Consumer, &TopicPartition) -> bool,
    ) {
        let foreign = tps.iter().find(|tp| self.machine.position(tp).is_none());
        if foreign.is_none() {
            for tp in tps {
                apply(&mut self.machine, tp);
            }
        }
        let error = foreign.map(|tp| Error::NotAssigned { tp: tp.clone() });
        drop(reply.send(error.map_or(Ok(()), Err)));
    }

    /// Carries out what the router asks for.
    fn deliver(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Order(order) => drop(self.orders.send(order)),
                Output::FetchCommitted(asked) => self.fetch_committed(asked),
                Output::List { leader, asks } => self.list(leader, asks),
                Output::Commit { entries, by } => self.commit(entries, by.as_ref()),
                Output::Ask(stamp, request) => self.ask(stamp, request),
                Output::AskSession => self.ask_session(),
                Output::WantTopics(topics) => {
                    self.cluster.want_topics(topics.into_iter().collect());
                }
                Output::WantAllTopics => self.cluster.want_all_topics(),
                Output::ValidUntil(until) => self.validity.set(until),
                Output::WrongCoordinator => self.cluster.wrong_coordinator(self.key()),
                Output::StaleMetadata => self.cluster.stale(),
                Output::Hint(tp, hint) => self.cluster.hint(tp, hint),
                Output::Event(event) => {
                    journal::note(&event);
                    self.waiters.hear(&event);
                    if event == Event::Unsubscribed {
                        self.leaving.drain(..).for_each(|reply| drop(reply.send(Ok(()))));
                    }
                    if let Some(event) = OwnershipEvent::of(&event) {
                        self.events.send(event);
                    }
                }
                Output::Done(outcome) => self.done = Some(outcome),
            }
        }
    }

    fn key(&self) -> CoordinatorKey {
        CoordinatorKey::Group(Arc::clone(&self.group))
    }
}

/// The topics to know of; `None` for all there are.
fn topics(assigned: &Assigned) -> Option<Vec<TopicName>> {
    match assigned {
        Assigned::Fixed(fixed) => Some(fixed.iter().map(|tp| tp.topic.clone()).collect()),
        Assigned::Group(group) => match &group.wish {
            Wish::Topics(topics) => Some(topics.iter().cloned().collect()),
            Wish::Matching(_) => None,
        },
    }
}

fn answer<T>(reply: Reply<T>, tp: TopicPartition, value: Option<T>) {
    drop(reply.send(value.ok_or(Error::NotAssigned { tp })));
}

/// Topics are shared in a group alone.
fn not_shared() -> Error {
    let expected = "a consumer of topics: this one has fixed partitions";
    ConfigError::new("subscribe", "", expected).into()
}

fn machine_config(config: &ConsumerConfig) -> consumer::Config {
    let client = &config.client;
    let retry = backoff::Config { first: client.retry_backoff, max: client.retry_backoff_max };
    consumer::Config {
        commits: if config.group_id.is_some() { Commits::Group } else { Commits::Nowhere },
        policy: match config.auto_offset_reset {
            OffsetReset::None => Policy::None,
            OffsetReset::Earliest => Policy::Earliest,
            OffsetReset::Latest => Policy::Latest,
            OffsetReset::ByDuration(age) => Policy::Since(age),
        },
        commit: commit::Config { interval: config.auto_commit_interval, retry },
        retry,
        unknown_for: client.api_timeout,
        drain_timeout: config.drain_timeout,
    }
}
