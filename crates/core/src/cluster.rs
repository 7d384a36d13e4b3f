//! What we know of the cluster, whom to ask for what, and when to ask again.
//!
//! Requests are tickets here: their bytes stay with the driver. A ticket waits until its
//! destination has a broker, and the broker is not in back-off, and then leaves as
//! [`Output::Send`].

pub mod coordinator;
pub mod metadata;
mod peer;
mod refresh;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{BrokerId, TopicName, TopicPartition};

use crate::backoff;
use crate::connection::Fault;
use crate::orders::{Address, LeaderHint};
use crate::rng::Rng;
use crate::time::Instant;
use coordinator::{CoordinatorKey, Coordinators};
use metadata::{Metadata, Update};
use peer::Peer;
use refresh::Refresh;

/// So many answers in a row must tell an older leader epoch before it is believed.
const DOUBTS: u8 = 5;

/// What the machine needs to know from the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to begin with, kept for ever.
    pub bootstrap: Vec<Address>,
    /// Metadata older than this is asked for again.
    pub metadata_max_age: Duration,
    /// Delays between questions that fail.
    pub retry: backoff::Config,
    /// Delays between attempts to connect to one broker.
    pub reconnect: backoff::Config,
}

/// A request of the driver, by number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// Who is to answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// Anybody.
    Any,
    /// The broker that creates and deletes topics.
    Controller,
    /// This broker.
    Broker(BrokerId),
    /// Who leads this partition.
    Leader(TopicPartition),
    /// The coordinator of a group or transaction.
    Coordinator(CoordinatorKey),
}

/// Why a ticket is given up before it left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Its deadline passed, or its broker is no longer listed; with whose connection failed last, and how.
    Late(Option<(BrokerId, Fault)>),
    /// The coordinator cannot be had: Kafka's error code.
    Coordinator(i16),
}

/// What the machine asks of the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Write the ticket's request to this broker; connect first when there is no connection.
    Send {
        /// Which request.
        ticket: Ticket,
        /// To whom.
        broker: BrokerId,
    },
    /// Fail the ticket's request.
    Fail {
        /// Which request.
        ticket: Ticket,
        /// Why.
        why: Refusal,
    },
    /// Ask this broker for metadata of these topics.
    AskMetadata {
        /// Whom.
        broker: BrokerId,
        /// About what; `None` for all topics there are.
        topics: Option<Vec<TopicName>>,
    },
    /// Ask this broker for a coordinator.
    AskCoordinator {
        /// Whom.
        broker: BrokerId,
        /// Whose.
        key: CoordinatorKey,
    },
    /// The cluster was looked at again, or a hint came: this is the picture now, changed or not.
    Refreshed(Arc<Metadata>),
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    to: Destination,
    deadline: Instant,
}

/// The machine.
#[derive(Debug)]
pub struct Cluster {
    rng: Rng,
    reconnect: backoff::Config,
    metadata: Arc<Metadata>,
    bootstrap: BTreeMap<BrokerId, Address>,
    /// Coordinators may be told before metadata lists their broker.
    told: BTreeMap<BrokerId, Address>,
    peers: BTreeMap<BrokerId, Peer>,
    refresh: Refresh,
    coordinators: Coordinators,
    /// How often in a row a partition's leader epoch was told to be older than the one known.
    doubts: BTreeMap<TopicPartition, u8>,
    topics: BTreeSet<TopicName>,
    /// Somebody picks topics out of all.
    wants_all: bool,
    waiting: Vec<Waiting>,
    outputs: VecDeque<Output>,
}

impl Cluster {
    /// Knows the bootstrap addresses and nothing else.
    #[must_use]
    pub fn new(config: Config, rng: Rng) -> Self {
        let bootstrap = (1..).map(|id: i32| BrokerId(-id)).zip(config.bootstrap).collect();
        Self {
            rng,
            reconnect: config.reconnect,
            metadata: Arc::default(),
            bootstrap,
            told: BTreeMap::new(),
            peers: BTreeMap::new(),
            refresh: Refresh::new(refresh::Config {
                max_age: config.metadata_max_age,
                retry: config.retry,
            }),
            coordinators: Coordinators::new(config.retry),
            doubts: BTreeMap::new(),
            topics: BTreeSet::new(),
            wants_all: false,
            waiting: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The picture now.
    #[must_use]
    pub const fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }

    /// Where a broker is.
    #[must_use]
    pub fn address(&self, broker: BrokerId) -> Option<&Address> {
        let known = self.metadata.brokers.get(&broker);
        known.or_else(|| self.told.get(&broker)).or_else(|| self.bootstrap.get(&broker))
    }

    /// A request wants to leave; it is failed when it has not left by `deadline`.
    pub fn handle_request(
        &mut self,
        now: Instant,
        ticket: Ticket,
        to: Destination,
        deadline: Instant,
    ) {
        if let Destination::Leader(tp) = &to {
            self.want_topic(&tp.topic.clone());
        }
        self.waiting.push(Waiting { ticket, to, deadline });
        self.advance(now);
    }

    /// These topics are to be part of every metadata request from now on.
    pub fn handle_topics(&mut self, now: Instant, topics: impl IntoIterator<Item = TopicName>) {
        topics.into_iter().for_each(|topic| self.want_topic(&topic));
        self.advance(now);
    }

    /// All topics there are, are to be part of every metadata answer from now on.
    pub fn handle_all_topics(&mut self, now: Instant) {
        self.wants_all = true;
        self.refresh.demand();
        self.advance(now);
    }

    /// Somebody found the picture wrong: ask again soon.
    pub fn handle_stale(&mut self, now: Instant) {
        self.refresh.demand();
        self.advance(now);
    }

    /// A broker said who leads a partition now.
    pub fn handle_hint(&mut self, now: Instant, tp: &TopicPartition, hint: &LeaderHint) {
        if let Some(next) = self.metadata.with_hint(tp, hint) {
            self.replace(next);
        } else {
            self.refresh.demand();
        }
        self.advance(now);
    }

    /// Who was thought to be the coordinator is not, or does not answer.
    pub fn handle_wrong_coordinator(&mut self, now: Instant, key: &CoordinatorKey) {
        self.coordinators.forget(now, key, &mut self.rng);
        self.advance(now);
    }

    /// The handshake with a broker is done.
    pub fn handle_up(&mut self, now: Instant, broker: BrokerId) {
        self.peer(broker).up();
        self.advance(now);
    }

    /// A connection ended, or could not be made. Tickets that were not written come again through
    /// [`handle_request`](Self::handle_request).
    pub fn handle_down(&mut self, now: Instant, broker: BrokerId, fault: Fault) {
        if fault != Fault::ClosedHere {
            self.coordinators.forget_broker(now, broker);
            self.refresh.demand();
        }
        let reconnect = self.reconnect;
        let peer = self.peers.entry(broker).or_insert_with(|| Peer::new(reconnect));
        peer.down(now, fault, &mut self.rng);
        self.advance(now);
    }

    /// An answer to [`Output::AskMetadata`].
    pub fn handle_metadata(&mut self, now: Instant, update: Update) {
        let known = self.doubted(&update);
        let next = known.merge(update);
        if next != *self.metadata {
            self.refresh.brought_news();
        }
        self.replace(next);
        self.refresh.answered(now, &mut self.rng);
        self.advance(now);
    }

    /// [`Output::AskMetadata`] failed.
    pub fn handle_no_metadata(&mut self, now: Instant, broker: BrokerId) {
        self.refresh.failed(now, broker, &mut self.rng);
        self.advance(now);
    }

    /// A broker answered `REBOOTSTRAP_REQUIRED` (KIP-1102): the bootstrap addresses come next.
    pub fn handle_rebootstrap(&mut self, now: Instant, broker: BrokerId) {
        let known: Vec<_> = self.metadata.brokers.keys().copied().collect();
        self.refresh.rebootstrap(&known);
        self.handle_no_metadata(now, broker);
    }

    /// An answer to [`Output::AskCoordinator`].
    pub fn handle_coordinator(
        &mut self,
        now: Instant,
        key: &CoordinatorKey,
        broker: BrokerId,
        address: Address,
    ) {
        // Kept even when metadata lists it: a broker that is down is no longer listed.
        self.told.insert(broker, address);
        self.coordinators.found(key, broker);
        self.advance(now);
    }

    /// [`Output::AskCoordinator`] failed. With a code that waiting does not cure, whoever waits for
    /// this coordinator is failed.
    pub fn handle_no_coordinator(
        &mut self,
        now: Instant,
        key: &CoordinatorKey,
        fatal: Option<i16>,
    ) {
        self.coordinators.failed(now, key, &mut self.rng);
        if let Some(code) = fatal {
            let wanted = Destination::Coordinator(key.clone());
            for waiting in self.waiting.extract_if(.., |waiting| waiting.to == wanted) {
                let why = Refusal::Coordinator(code);
                self.outputs.push_back(Output::Fail { ticket: waiting.ticket, why });
            }
        }
        self.advance(now);
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let waiting = self.waiting.iter().map(|waiting| self.wake_at(now, waiting));
        waiting.chain(self.refresh.due_at()).min()
    }

    /// What is known, less the epochs that this is once too often told to be older: who told them
    /// was wrong, or the cluster was set back.
    fn doubted(&mut self, update: &Update) -> Metadata {
        let mut known = Metadata::clone(&self.metadata);
        let older = known.newer_than(update);
        self.doubts.retain(|tp, _| older.contains(tp));
        for tp in older {
            let doubts = self.doubts.entry(tp.clone()).or_default();
            *doubts += 1;
            if *doubts == DOUBTS {
                self.doubts.remove(&tp);
                known.forget_epoch(&tp);
            }
        }
        known
    }

    fn replace(&mut self, next: Metadata) {
        self.metadata = Arc::new(next);
        self.outputs.push_back(Output::Refreshed(Arc::clone(&self.metadata)));
    }

    fn want_topic(&mut self, topic: &TopicName) {
        if self.topics.insert(topic.clone()) {
            self.refresh.demand();
        }
    }

    fn peer(&mut self, broker: BrokerId) -> &mut Peer {
        let reconnect = self.reconnect;
        self.peers.entry(broker).or_insert_with(|| Peer::new(reconnect))
    }

    fn advance(&mut self, now: Instant) {
        if self.refresh.is_due(now) {
            self.ask_metadata();
        }
        for waiting in std::mem::take(&mut self.waiting) {
            self.try_send(now, waiting);
        }
    }

    fn ask_metadata(&mut self) {
        let known: Vec<_> = self.metadata.brokers.keys().copied().collect();
        let bootstrap: Vec<_> = self.bootstrap.keys().copied().collect();
        let Some(broker) = self.refresh.pick(&known, &bootstrap, &mut self.rng) else { return };
        self.refresh.asking();
        self.peer(broker).used();
        let topics = (!self.wants_all).then(|| self.topics.iter().cloned().collect());
        self.outputs.push_back(Output::AskMetadata { broker, topics });
    }

    fn try_send(&mut self, now: Instant, waiting: Waiting) {
        let ticket = waiting.ticket;
        let target = self.resolve(now, &waiting.to);
        let is_gone = matches!(waiting.to, Destination::Broker(_)) && target.is_none();
        if waiting.deadline <= now || is_gone {
            let why = Refusal::Late(self.last_fault(target));
            self.outputs.push_back(Output::Fail { ticket, why });
            return;
        }
        match target.filter(|broker| self.usable_at(now, *broker) <= now) {
            Some(broker) => {
                self.peer(broker).used();
                self.outputs.push_back(Output::Send { ticket, broker });
            }
            None => self.waiting.push(waiting),
        }
    }

    /// Which broker a destination means now; asks for what is missing.
    fn resolve(&mut self, now: Instant, to: &Destination) -> Option<BrokerId> {
        match to {
            Destination::Any => self.anybody(now),
            Destination::Broker(broker) => self.address(*broker).map(|_| *broker),
            Destination::Controller => {
                let controller = self.metadata.controller;
                controller.filter(|id| self.metadata.brokers.contains_key(id)).or_else(|| {
                    self.refresh.demand();
                    None
                })
            }
            Destination::Leader(tp) => {
                let leader = self.metadata.leader(tp);
                if leader.is_none() {
                    self.refresh.demand();
                }
                leader.map(|leader| leader.broker)
            }
            Destination::Coordinator(key) => self.coordinator(now, key),
        }
    }

    fn coordinator(&mut self, now: Instant, key: &CoordinatorKey) -> Option<BrokerId> {
        if let Some(broker) = self.coordinators.get(key) {
            return self.address(broker).map(|_| broker);
        }
        let broker = self.anybody(now).filter(|broker| self.usable_at(now, *broker) <= now)?;
        if self.coordinators.begin(now, key) {
            self.peer(broker).used();
            self.outputs.push_back(Output::AskCoordinator { broker, key: key.clone() });
        }
        None
    }

    /// A broker for what any broker can answer: connected ones first, then the soonest usable.
    fn anybody(&mut self, now: Instant) -> Option<BrokerId> {
        let pool =
            if self.metadata.brokers.is_empty() { &self.bootstrap } else { &self.metadata.brokers };
        let up: Vec<_> = pool.keys().filter(|id| self.is_up(**id)).copied().collect();
        if let Some(broker) = up.get(self.rng.below(up.len())) {
            return Some(*broker);
        }
        let soonest = pool.keys().map(|id| self.usable_at(now, *id)).min()?;
        let ready: Vec<_> =
            pool.keys().filter(|id| self.usable_at(now, **id) == soonest).copied().collect();
        ready.get(self.rng.below(ready.len())).copied()
    }

    fn is_up(&self, broker: BrokerId) -> bool {
        self.peers.get(&broker).is_some_and(Peer::is_up)
    }

    fn usable_at(&self, now: Instant, broker: BrokerId) -> Instant {
        self.peers.get(&broker).map_or(now, |peer| peer.usable_at(now))
    }

    /// How the connection to `broker` ended, else that to any other.
    fn last_fault(&self, broker: Option<BrokerId>) -> Option<(BrokerId, Fault)> {
        let own = broker.and_then(|id| self.peers.get_key_value(&id));
        let faults = own.into_iter().chain(&self.peers);
        faults.filter_map(|(id, peer)| Some((*id, peer.last_fault()?.clone()))).next()
    }

    /// When looking at `waiting` again may help.
    fn wake_at(&self, now: Instant, waiting: &Waiting) -> Instant {
        let pool = || self.metadata.brokers.keys().chain(self.bootstrap.keys());
        let back_off_ends = || {
            let ends = pool().map(|id| self.usable_at(now, *id)).filter(|at| now < *at);
            ends.min()
        };
        let ready = match &waiting.to {
            Destination::Any => back_off_ends(),
            Destination::Broker(broker) => Some(self.usable_at(now, *broker)),
            Destination::Leader(tp) => {
                let leader = self.metadata.leader(tp);
                leader.map(|leader| self.usable_at(now, leader.broker))
            }
            Destination::Controller => {
                self.metadata.controller.map(|broker| self.usable_at(now, broker))
            }
            Destination::Coordinator(key) => match self.coordinators.get(key) {
                Some(broker) => Some(self.usable_at(now, broker)),
                None => self.coordinators.ask_at(key).into_iter().chain(back_off_ends()).max(),
            },
        };
        ready.filter(|at| now < *at).map_or(waiting.deadline, |at| at.min(waiting.deadline))
    }
}

#[cfg(test)]
mod tests;
