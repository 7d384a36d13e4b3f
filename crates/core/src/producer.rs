//! The router of the produce side: sealed batches into requests per broker, answers into results.
//!
//! Batches are numbers here; their bytes stay with the driver. Per broker at most so many requests
//! are on their way, each with at most one batch per partition; batches of a partition are stored
//! in the order they were handed in, or fail. A batch leaves only over a connection that is up, so
//! that until then it can follow its leader, or expire.

mod broker;
mod identity;
mod partition;
pub mod partitioner;
mod request;
mod results;
mod sending;
mod talk;
mod verdict;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{BrokerId, TopicPartition};

use crate::backoff::{self, Backoff};
use crate::cluster::metadata::Metadata;
use crate::rng::Rng;
use crate::time::Instant;
use broker::Broker;
pub use broker::Memory;
use identity::Identities;
pub use identity::{Identity, Stamp};
pub use partition::BatchId;
use partition::{Batch, Partition};
pub use talk::{Answer, Down, Failure, NewBatch, Output, RequestId, Stamped, Told};
use verdict::{Fence, Verdict, verdict};

/// Requests on their way to a broker beyond which batches that are not full go on gathering. More
/// small requests would wait for each other at the broker, and each costs it as much as a large one.
const EAGER_MAX: usize = 2;

/// What the machine needs to know from the start.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Whether batches carry a sequence, so that retries write nothing twice.
    pub sequencing: Sequencing,
    /// Requests on their way to one broker, 1 to 5.
    pub max_in_flight: usize,
    /// Bytes of batches in one request; a single larger batch goes alone.
    pub max_request_bytes: usize,
    /// From the first record's `send` to giving up.
    pub delivery_timeout: Duration,
    /// Delays between attempts.
    pub retry: backoff::Config,
    /// Delays between attempts to connect.
    pub reconnect: backoff::Config,
}

/// Whether batches carry a sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sequencing {
    /// `enable.idempotence`.
    Idempotent,
    /// None: a retry may write twice.
    None,
}

/// The machine.
#[derive(Debug)]
pub struct Producer {
    config: Config,
    rng: Rng,
    metadata: Arc<Metadata>,
    /// Whether this picture was found to lack a leader that is needed.
    is_incomplete: bool,
    index: BTreeMap<TopicPartition, usize>,
    partitions: Vec<Partition>,
    /// Those with something to send or to mend, in no order.
    waiting: Vec<usize>,
    brokers: BTreeMap<BrokerId, Broker>,
    requests: BTreeMap<RequestId, Sent>,
    next_request: u64,
    identities: Identities,
    outputs: VecDeque<Output>,
}

/// What a request on its way carries.
#[derive(Debug)]
struct Sent {
    broker: BrokerId,
    batches: Vec<(usize, BatchId)>,
}

impl Producer {
    /// Nothing to send yet.
    #[must_use]
    pub fn new(config: Config, rng: Rng) -> Self {
        Self {
            rng,
            metadata: Arc::default(),
            is_incomplete: false,
            index: BTreeMap::new(),
            partitions: Vec::new(),
            waiting: Vec::new(),
            brokers: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            identities: Identities::new(config.retry),
            config,
            outputs: VecDeque::new(),
        }
    }

    /// Sealed batches, which may go into one request.
    pub fn handle_batches(&mut self, now: Instant, batches: impl IntoIterator<Item = NewBatch>) {
        for new in batches {
            let deadline = new.since.after(self.config.delivery_timeout);
            let at = self.partition(&new.tp);
            if let Some(partition) = self.partitions.get_mut(at) {
                partition.queue.push_back(Batch::new(&new, deadline));
            }
            self.list(at);
        }
        self.advance(now);
    }

    /// The cluster was looked at.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = metadata;
        self.is_incomplete = false;
        for at in &self.waiting {
            let Some(partition) = self.partitions.get_mut(*at) else { continue };
            // Back-off is patience with a leader; another one gets its first chance now (KIP-951).
            let leader = self.metadata.leader(&partition.tp);
            if leader.is_some() && leader != partition.sent_to {
                partition.not_before = now;
            }
        }
        self.advance(now);
    }

    /// The connection to a broker is up.
    pub fn handle_up(&mut self, now: Instant, broker: BrokerId, memory: Memory) {
        self.broker(broker).up(memory);
        self.advance(now);
    }

    /// The connection to a broker ended, or could not be made. What was on it is answered
    /// separately.
    pub fn handle_down(&mut self, now: Instant, broker: BrokerId, how: Down) {
        let mut rng = self.rng.fork();
        self.broker(broker).down(now, how, &mut rng);
        if how == Down::Failed {
            self.outputs.push_back(Output::StaleMetadata);
        }
        self.advance(now);
    }

    /// The answer to [`Output::InitProducerId`]; `None` when there was none.
    pub fn handle_identity(&mut self, now: Instant, identity: Option<Identity>) {
        self.identities.answered(now, identity, &mut self.rng);
        self.advance(now);
    }

    /// No producer id can be had: Kafka's error code. Everything that waits fails.
    pub fn handle_no_identity(&mut self, now: Instant, code: i16) {
        self.identities.refused(now.after(self.config.retry.max));
        self.fail_waiting(Failure::Refused { code });
        self.advance(now);
    }

    /// What became of a request.
    pub fn handle_answer(&mut self, now: Instant, request: RequestId, answer: &Answer) {
        let Some(Sent { broker, batches }) = self.requests.remove(&request) else { return };
        self.broker(broker).answered();
        let all = if let Answer::Told(told) = answer { told.as_slice() } else { &[] };
        for (at, batch) in batches {
            let tp = self.partitions.get(at).map(|partition| &partition.tp);
            let told = all.iter().find(|told| Some(&told.tp) == tp);
            let verdict = match (answer, told) {
                (Answer::NotOffered, _) => Verdict::Failed(Failure::NotOffered),
                (_, Some(told)) => verdict(told),
                (Answer::NotSent, None) => Verdict::Again { in_doubt: false },
                (Answer::Lost | Answer::Told(_), None) => Verdict::Again { in_doubt: true },
            };
            if told.is_none() && *answer != Answer::NotOffered {
                self.outputs.push_back(Output::StaleMetadata);
            }
            self.settle(now, (at, batch), verdict, told.map_or(0, |told| told.code));
        }
        self.advance(now);
    }

    /// The end: what waits fails; what is in flight is nobody's any more.
    pub fn handle_close(&mut self) {
        self.fail_waiting(Failure::Closed);
        for partition in &mut self.partitions {
            for batch in partition.in_flight.drain(..) {
                let result = Err(Failure::Unknown { last: batch.last_code });
                self.outputs.push_back(Output::Done { batch: batch.id, result });
            }
        }
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
        let waiting = || self.waiting.iter().filter_map(|at| self.partitions.get(*at));
        let retries = waiting().map(|partition| partition.not_before).filter(|at| now < *at);
        let expiries = waiting().filter_map(|it| Some(it.queue.front()?.deadline));
        let dials = self.brokers.values().filter_map(Broker::dial_at).filter(|at| now < *at);
        let dials = dials.filter(|_| !self.waiting.is_empty());
        let ask_at = self.identities.ask_at().filter(|at| now < *at);
        retries.chain(expiries).chain(dials).chain(ask_at).min()
    }

    /// Whether a batch that was handed in now for `tp` would wait for earlier ones. As long as it
    /// would, records had better go on gathering in an open batch.
    #[must_use]
    pub fn is_busy(&self, tp: &TopicPartition) -> bool {
        let known = self.index.get(tp).and_then(|at| self.partitions.get(*at));
        let leader = self.metadata.leader(tp).and_then(|it| self.brokers.get(&it.broker));
        let most = self.config.max_in_flight;
        let most = leader.map_or(most, |it| it.remembers(most));
        let waits = known.is_some_and(|it| !it.queue.is_empty() || most <= it.in_flight.len());
        waits || leader.is_some_and(|it| it.is_full(EAGER_MAX.min(self.config.max_in_flight)))
    }

    /// Where the partition is kept.
    fn partition(&mut self, tp: &TopicPartition) -> usize {
        if let Some(at) = self.index.get(tp) {
            return *at;
        }
        let at = self.partitions.len();
        self.partitions.push(Partition::new(tp.clone(), Backoff::new(self.config.retry)));
        self.index.insert(tp.clone(), at);
        at
    }

    fn broker(&mut self, id: BrokerId) -> &mut Broker {
        let reconnect = self.config.reconnect;
        self.brokers.entry(id).or_insert_with(|| Broker::new(reconnect))
    }

    /// Puts a partition among those that wait.
    fn list(&mut self, at: usize) {
        if let Some(partition) = self.partitions.get_mut(at)
            && !std::mem::replace(&mut partition.is_listed, true)
        {
            self.waiting.push(at);
        }
    }

    fn fail_waiting(&mut self, failure: Failure) {
        for partition in &mut self.partitions {
            while let Some(batch) = partition.queue.pop_front() {
                partition.breaks_by(&batch, Fence::Open);
                let result = Err(batch.failure(failure));
                self.outputs.push_back(Output::Done { batch: batch.id, result });
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        self.expire(now);
        self.mend();
        self.identify(now);
        self.miss_leaders();
        self.send(now);
        let partitions = &mut self.partitions;
        self.waiting.retain(|at| {
            let Some(partition) = partitions.get_mut(*at) else { return false };
            partition.is_listed = partition.is_broken() || !partition.queue.is_empty();
            partition.is_listed
        });
    }
}

#[cfg(test)]
mod tests;
