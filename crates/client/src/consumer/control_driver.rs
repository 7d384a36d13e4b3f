//! Carries out what the control plane's router wants: requests, orders to the shard, answers to
//! users. Decides nothing.

use std::sync::Arc;

use forebay_core::backoff;
use forebay_core::cluster::Destination;
use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::cluster::metadata::Metadata;
use forebay_core::consumer::{self, Commits, Consumer, Event, Outcome, Output};
use forebay_core::offsets::commit::{self, Answer, Entry};
use forebay_core::offsets::start::{Ask, Policy};
use forebay_core::orders::{Order, Report};
use forebay_core::rng::Rng;
use forebay_protocol::types::{BrokerId, TopicName, TopicPartition};
use tokio::sync::{mpsc, watch};

use super::control::{Input, Reply, Setup, Summary};
use super::{outcome, translate};
use crate::cluster::Cluster;
use crate::config::{ConsumerConfig, OffsetReset};
use crate::error::Error;
use crate::link;
use crate::runtime::Clock;

/// Owns the router of one consumer.
pub(super) struct Driver {
    machine: Consumer,
    cluster: Cluster,
    metadata: watch::Receiver<Arc<Metadata>>,
    group: Arc<str>,
    config: ConsumerConfig,
    clock: Clock,
    orders: link::Sender<Order>,
    /// For answers of brokers.
    inputs: mpsc::UnboundedSender<Input>,
    done: Option<Outcome>,
}

impl Driver {
    /// Must be called where the control plane runs: the cluster's tasks are started here.
    pub(super) fn new(
        setup: Setup,
        orders: link::Sender<Order>,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let Setup { config, connector, assignment, clock, .. } = setup;
        let cluster = Cluster::spawn(&config.client, connector, clock);
        let topics: Vec<TopicName> = assignment.iter().map(|tp| tp.topic.clone()).collect();
        cluster.want_topics(topics);
        // Another seed than the cluster's, from the same number: a run can still be repeated.
        let rng = Rng::from_seed(config.client.seed().wrapping_add(1));
        let machine = Consumer::new(machine_config(&config), assignment, rng, clock.now());
        Self {
            machine,
            metadata: cluster.metadata(),
            cluster,
            group: config.group_id.clone().unwrap_or_default(),
            config,
            clock,
            orders,
            inputs,
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
            Input::Shutdown(within) => self.machine.handle_shutdown(now, now.after(within)),
            Input::Fetched(asked, told) => self.machine.handle_committed(now, &asked, told),
            Input::Listed(asked, told) => self.machine.handle_listed(now, &asked, told),
            Input::Stored(answer) => self.machine.handle_commit_answer(now, answer),
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
                Output::Commit(entries) => self.commit(entries),
                Output::WrongCoordinator => self.cluster.wrong_coordinator(self.key()),
                Output::StaleMetadata => self.cluster.stale(),
                Output::Hint(tp, hint) => self.cluster.hint(tp, hint),
                Output::Event(event) => note(&event),
                Output::Done(outcome) => self.done = Some(outcome),
            }
        }
    }

    fn key(&self) -> CoordinatorKey {
        CoordinatorKey::Group(Arc::clone(&self.group))
    }

    fn fetch_committed(&self, asked: Vec<TopicPartition>) {
        let (group, tps) = (Arc::clone(&self.group), asked.clone());
        let make = move |version| translate::offset_fetch(&group, &tps, version);
        let to = Destination::Coordinator(self.key());
        let inputs = self.inputs.clone();
        self.cluster.send(to, make, (0, translate::OFFSET_FETCH_AT_MOST), move |answer| {
            let told = match answer {
                Ok(answer) => translate::committed(&asked, &answer),
                Err(error) => silence(&error, &asked),
            };
            drop(inputs.send(Input::Fetched(asked, told)));
        });
    }

    fn list(&self, leader: BrokerId, asks: Vec<Ask>) {
        let now = self.clock.wall_millis();
        let body = translate::list_offsets(&asks, self.config.isolation_level, now);
        let inputs = self.inputs.clone();
        self.cluster.send(
            Destination::Broker(leader),
            move |_| body.clone(),
            (0, i16::MAX),
            move |answer| {
                let told = match answer {
                    Ok(answer) => translate::listed(&answer),
                    Err(error) => {
                        let asked: Vec<_> = asks.iter().map(|ask| ask.tp.clone()).collect();
                        silence(&error, &asked)
                    }
                };
                drop(inputs.send(Input::Listed(asks, told)));
            },
        );
    }

    fn commit(&self, entries: Vec<(TopicPartition, Entry)>) {
        let body = translate::offset_commit(&self.group, &entries);
        let to = Destination::Coordinator(self.key());
        let inputs = self.inputs.clone();
        self.cluster.send(
            to,
            move |_| body.clone(),
            (0, translate::OFFSET_COMMIT_AT_MOST),
            move |answer| {
                let answer = match answer {
                    Ok(answer) => translate::commit_answer(&answer),
                    Err(error) => {
                        translate::final_code(&error).map_or(Answer::Unreachable, |code| {
                            let tps = entries.into_iter().map(|(tp, _)| (tp, code));
                            Answer::Partitions(tps.collect())
                        })
                    }
                };
                drop(inputs.send(Input::Stored(answer)));
            },
        );
    }
}

/// What a failed call tells: nothing, or one final code about everything.
fn silence(error: &Error, asked: &[TopicPartition]) -> Vec<forebay_core::offsets::start::Told> {
    tracing::debug!(target: "forebay::control", %error, "no answer about offsets");
    translate::final_code(error).map_or_else(Vec::new, |code| translate::refused(asked, code))
}

fn answer<T>(reply: Reply<T>, tp: TopicPartition, value: Option<T>) {
    drop(reply.send(value.ok_or(Error::NotAssigned { tp })));
}

fn note(event: &Event) {
    match event {
        Event::Started { tp, position, source } => {
            tracing::info!(target: "forebay::control", %tp, %position, ?source, "starts");
        }
        Event::OffsetReset { tp, from, to } => {
            tracing::warn!(target: "forebay::control", %tp, %from, %to, "offset reset");
        }
        Event::PartitionFailed { tp, why } => {
            let error = outcome::trouble(tp, why.clone());
            tracing::error!(target: "forebay::control", %tp, %error, "stopped");
        }
        Event::Committed { tp, position } => {
            tracing::debug!(target: "forebay::control", %tp, %position, "committed");
        }
    }
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
