//! The router of the produce side: sealed batches into requests per broker, answers into results.
//!
//! Batches are numbers here; their bytes stay with the driver. Per broker at most so many requests
//! are on their way, each with at most one batch per partition; batches of a partition are stored
//! in the order they were handed in, or fail.

mod partition;
pub mod partitioner;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::error_code::{ErrorCode, Refresh};
use forebay_protocol::types::{BrokerId, Offset, TopicPartition};

use crate::backoff::{self, Backoff};
use crate::cluster::metadata::Metadata;
use crate::rng::Rng;
use crate::time::Instant;
use partition::{Batch, Partition, Place};
pub use partition::{BatchId, Identity, Stamp};

/// What the machine needs to know from the start.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Whether batches carry a sequence, so that retries write nothing twice.
    pub sequencing: Sequencing,
    /// Requests on their way to one broker, 1 to 5.
    pub max_in_flight: usize,
    /// Bytes of batches in one request; a single larger batch goes alone.
    pub max_request_bytes: usize,
    /// From handing in to giving up.
    pub delivery_timeout: Duration,
    /// Delays between attempts.
    pub retry: backoff::Config,
}

/// Whether batches carry a sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sequencing {
    /// `enable.idempotence`.
    Idempotent,
    /// None: a retry may write twice.
    None,
}

/// A request on its way, by number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// What a broker said about one batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Whose.
    pub tp: TopicPartition,
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// Offset of the batch's first record; -1 when not told.
    pub base_offset: Offset,
}

/// What became of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The broker answered.
    Told(Vec<Told>),
    /// It may have happened: the connection failed, or time ran out.
    Lost,
    /// It never left: the broker could not be reached.
    NotSent,
    /// The broker cannot take such a request; it was not sent.
    NotOffered,
}

/// Why a batch failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// A broker refused it: Kafka's error code. It was not written.
    Refused {
        /// Kafka's error code.
        code: i16,
    },
    /// Time ran out before it could be sent. It was not written.
    Late,
    /// Nobody knows whether it was written.
    Unknown,
    /// The broker cannot take such a batch.
    NotOffered,
    /// The producer ended first. It was not written.
    Closed,
}

/// What the machine asks of the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send these batches, stamped, in one request.
    Send {
        /// Under this number.
        request: RequestId,
        /// To whom.
        broker: BrokerId,
        /// What.
        batches: Stamped,
        /// How long until the first of them is late.
        patience: Duration,
    },
    /// Get a producer id.
    InitProducerId,
    /// The leader is not where it was thought to be.
    StaleMetadata,
    /// The batch is through: the offset of its first record, when the broker told it.
    Done {
        /// Which batch.
        batch: BatchId,
        /// How it ended.
        result: Result<Option<Offset>, Failure>,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Producer {
    config: Config,
    rng: Rng,
    metadata: Arc<Metadata>,
    /// Whether this picture was found to lack a leader that is needed.
    is_incomplete: bool,
    partitions: BTreeMap<TopicPartition, Partition>,
    requests: BTreeMap<RequestId, (BrokerId, Vec<(TopicPartition, BatchId)>)>,
    in_flight: BTreeMap<BrokerId, usize>,
    next_request: u64,
    identity: Identified,
    identity_backoff: Backoff,
    outputs: VecDeque<Output>,
}

/// How far we are with getting an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Identified {
    /// Ask from this time on, when somebody needs it.
    Not { ask_at: Instant },
    /// A request is on its way.
    Asking,
    /// This is who we are.
    As(Identity),
}

impl Producer {
    /// Nothing to send yet.
    #[must_use]
    pub fn new(config: Config, rng: Rng) -> Self {
        Self {
            rng,
            metadata: Arc::default(),
            is_incomplete: false,
            partitions: BTreeMap::new(),
            requests: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            next_request: 0,
            identity: Identified::Not { ask_at: Instant::default() },
            identity_backoff: Backoff::new(config.retry),
            config,
            outputs: VecDeque::new(),
        }
    }

    /// A sealed batch. Numbers must count up.
    pub fn handle_batch(
        &mut self,
        now: Instant,
        tp: &TopicPartition,
        id: BatchId,
        (records, bytes): (u32, usize),
    ) {
        let deadline = now.after(self.config.delivery_timeout);
        let batch = Batch { id, records, bytes, deadline, stamp: None, in_doubt: false };
        let retry = self.config.retry;
        let fresh = || Partition::new(Backoff::new(retry));
        self.partitions.entry(tp.clone()).or_insert_with(fresh).queue.push_back(batch);
        self.advance(now);
    }

    /// The cluster was looked at.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = metadata;
        self.is_incomplete = false;
        self.advance(now);
    }

    /// The answer to [`Output::InitProducerId`]; `None` when there was none.
    pub fn handle_identity(&mut self, now: Instant, identity: Option<Identity>) {
        self.identity = if let Some(identity) = identity {
            self.identity_backoff.succeed();
            Identified::As(identity)
        } else {
            Identified::Not { ask_at: now.after(self.identity_backoff.fail(&mut self.rng)) }
        };
        self.advance(now);
    }

    /// No producer id can be had: Kafka's error code. Everything that waits fails.
    pub fn handle_no_identity(&mut self, now: Instant, code: i16) {
        self.identity = Identified::Not { ask_at: now.after(self.config.retry.max) };
        self.fail_waiting(Failure::Refused { code });
        self.advance(now);
    }

    /// What became of a request.
    pub fn handle_answer(&mut self, now: Instant, request: RequestId, answer: Answer) {
        let Some((broker, batches)) = self.requests.remove(&request) else { return };
        if let Some(count) = self.in_flight.get_mut(&broker) {
            *count = count.saturating_sub(1);
        }
        let told = if let Answer::Told(told) = &answer { told.as_slice() } else { &[] };
        for (tp, batch) in batches {
            let told = told.iter().find(|told| told.tp == tp);
            match (&answer, told) {
                (Answer::NotOffered, _) => {
                    self.settle(now, &tp, batch, Verdict::Failed(Failure::NotOffered));
                }
                (_, Some(told)) => self.settle(now, &tp, batch, verdict(told)),
                (Answer::Lost | Answer::NotSent | Answer::Told(_), None) => {
                    let in_doubt = answer != Answer::NotSent;
                    self.outputs.push_back(Output::StaleMetadata);
                    self.settle(now, &tp, batch, Verdict::Again { in_doubt });
                }
            }
        }
        self.advance(now);
    }

    /// The end: what waits fails; what is in flight is nobody's any more.
    pub fn handle_close(&mut self) {
        self.fail_waiting(Failure::Closed);
        for partition in self.partitions.values_mut() {
            for batch in partition.in_flight.drain(..) {
                let result = Err(Failure::Unknown);
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
        let queued = || self.partitions.values().filter(|partition| !partition.queue.is_empty());
        let retries = queued().map(|partition| partition.not_before).filter(|at| now < *at);
        let expiries = queued().filter_map(|it| Some(it.queue.front()?.deadline));
        let ask_at = match self.identity {
            Identified::Not { ask_at } if now < ask_at => Some(ask_at),
            Identified::Not { .. } | Identified::Asking | Identified::As(_) => None,
        };
        retries.chain(expiries).chain(ask_at).min()
    }

    fn fail_waiting(&mut self, failure: Failure) {
        for batch in self.partitions.values_mut().flat_map(|it| it.queue.drain(..)) {
            let failure = if batch.in_doubt { Failure::Unknown } else { failure };
            self.outputs.push_back(Output::Done { batch: batch.id, result: Err(failure) });
        }
    }

    /// Books the answer about one batch.
    fn settle(&mut self, now: Instant, tp: &TopicPartition, id: BatchId, verdict: Verdict) {
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        let Some((mut batch, place)) = partition.settle(id) else { return };
        let is_sequenced = batch.stamp.is_some();
        let result = match verdict {
            Verdict::Stored(offset) => {
                partition.backoff.succeed();
                partition.is_known = true;
                Ok(offset)
            }
            Verdict::Failed(failure) => {
                partition.is_broken |= is_sequenced;
                Err(if batch.in_doubt { Failure::Unknown } else { failure })
            }
            // A gap before it is being filled, or a broken sequence mended: it was not written.
            Verdict::OutOfOrder if place == Place::Behind || partition.is_broken => {
                batch.in_doubt = false;
                partition.put_back(batch);
                return;
            }
            Verdict::OutOfOrder => {
                partition.is_broken |= is_sequenced;
                Err(Failure::Unknown)
            }
            Verdict::Again { in_doubt } => {
                partition.not_before = now.after(partition.backoff.fail(&mut self.rng));
                batch.in_doubt |= in_doubt;
                partition.put_back(batch);
                return;
            }
            Verdict::Moved => {
                self.outputs.push_back(Output::StaleMetadata);
                partition.not_before = now.after(partition.backoff.fail(&mut self.rng));
                batch.in_doubt = true;
                partition.put_back(batch);
                return;
            }
        };
        self.outputs.push_back(Output::Done { batch: id, result });
    }

    fn advance(&mut self, now: Instant) {
        self.mend();
        self.expire(now);
        self.identify(now);
        self.miss_leaders();
        while let Some((broker, batches, late_at)) = self.next_request(now) {
            let request = RequestId(self.next_request);
            self.next_request = self.next_request.wrapping_add(1);
            *self.in_flight.entry(broker).or_default() += 1;
            let sent = batches.iter().map(|(tp, id, _)| (tp.clone(), *id)).collect();
            self.requests.insert(request, (broker, sent));
            let patience = late_at.since(now);
            self.outputs.push_back(Output::Send { request, broker, batches, patience });
        }
    }

    /// Asks for another picture, once per picture, when a partition that wants to send has no
    /// leader in this one.
    fn miss_leaders(&mut self) {
        let mut waiting = self.partitions.iter().filter(|(_, it)| !it.queue.is_empty());
        if !self.is_incomplete && waiting.any(|(tp, _)| self.metadata.leader(tp).is_none()) {
            self.is_incomplete = true;
            self.outputs.push_back(Output::StaleMetadata);
        }
    }

    /// Partitions whose sequence broke go on under a new identity.
    fn mend(&mut self) {
        for partition in self.partitions.values_mut() {
            if !partition.is_broken || !partition.in_flight.is_empty() {
                continue;
            }
            if let Identified::As(identity) = self.identity
                && partition.identity == Some(identity)
            {
                self.identity = Identified::Not { ask_at: Instant::default() };
            }
            for batch in partition.mend() {
                let result = Err(Failure::Unknown);
                self.outputs.push_back(Output::Done { batch: batch.id, result });
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        for partition in self.partitions.values_mut() {
            while let Some(batch) = partition.queue.pop_front_if(|batch| batch.deadline <= now) {
                partition.is_broken |= batch.stamp.is_some();
                let failure = if batch.in_doubt { Failure::Unknown } else { Failure::Late };
                self.outputs.push_back(Output::Done { batch: batch.id, result: Err(failure) });
            }
        }
        self.mend();
    }

    /// Asks for an identity when a batch needs one, and hands it to partitions without.
    fn identify(&mut self, now: Instant) {
        if self.config.sequencing == Sequencing::None {
            return;
        }
        let mut needy = self.partitions.values_mut().filter(|partition| {
            partition.identity.is_none() && !partition.is_broken && !partition.queue.is_empty()
        });
        match self.identity {
            Identified::As(identity) => needy.for_each(|it| it.identity = Some(identity)),
            Identified::Not { ask_at } if ask_at <= now && needy.next().is_some() => {
                self.identity = Identified::Asking;
                self.outputs.push_back(Output::InitProducerId);
            }
            Identified::Not { .. } | Identified::Asking => {}
        }
    }

    /// The batches of the next request, if any may leave, the oldest first; and when the first of
    /// them is late.
    fn next_request(&mut self, now: Instant) -> Option<(BrokerId, Stamped, Instant)> {
        let mut ready = self.ready(now);
        ready.sort_unstable_by_key(|ready| ready.batch);
        let broker = ready.first()?.leader;
        let mut room = self.config.max_request_bytes;
        let mut batches = Vec::new();
        let mut late_at = now.after(self.config.delivery_timeout);
        for Ready { tp, bytes, leader, .. } in ready {
            let fits = bytes <= room || batches.is_empty();
            if leader != broker || !fits {
                continue;
            }
            let Some(partition) = self.partitions.get_mut(&tp) else { continue };
            let Some(batch) = partition.send() else { continue };
            room = room.saturating_sub(bytes);
            late_at = late_at.min(batch.deadline);
            batches.push((tp, batch.id, batch.stamp));
        }
        Some((broker, batches, late_at))
    }

    /// The first batches of all partitions that may send now.
    fn ready(&self, now: Instant) -> Vec<Ready> {
        let most = self.config.max_in_flight;
        let is_known = |partition: &Partition| {
            self.config.sequencing == Sequencing::None || partition.identity.is_some()
        };
        let waiting =
            self.partitions.iter().filter(|(_, it)| it.may_send(now, most) && is_known(it));
        waiting
            .filter_map(|(tp, partition)| {
                let leader = self.metadata.leader(tp)?.broker;
                let busy = self.in_flight.get(&leader).copied().unwrap_or_default();
                let batch = partition.queue.front().filter(|_| busy < most)?;
                Some(Ready { batch: batch.id, tp: tp.clone(), bytes: batch.bytes, leader })
            })
            .collect()
    }
}

/// What one request carries, in order.
pub type Stamped = Vec<(TopicPartition, BatchId, Option<Stamp>)>;

/// A batch that may leave.
struct Ready {
    batch: BatchId,
    tp: TopicPartition,
    bytes: usize,
    leader: BrokerId,
}

/// What an answer about one batch means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// It is there; the offset when told.
    Stored(Option<Offset>),
    /// It was not written and never will be.
    Failed(Failure),
    /// The broker has a gap before it: it was not written.
    OutOfOrder,
    /// Try again.
    Again {
        /// Whether it may have been written.
        in_doubt: bool,
    },
    /// The leader is elsewhere, and this attempt may have been written all the same.
    Moved,
}

/// Table. What each error of `Produce` means.
fn verdict(told: &Told) -> Verdict {
    match ErrorCode(told.code) {
        ErrorCode::NONE => Verdict::Stored((0 <= told.base_offset.0).then_some(told.base_offset)),
        // It was written by an earlier attempt; where, the broker does not say.
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Stored(None),
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH => Verdict::OutOfOrder,
        // The leader has it, the replicas not yet.
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            Verdict::Again { in_doubt: true }
        }
        // NOT_LEADER_OR_FOLLOWER may come after the append (KAFKA-13574).
        code if code.refresh() == Refresh::Metadata => Verdict::Moved,
        code if code.is_retriable() => Verdict::Again { in_doubt: true },
        ErrorCode(code) => Verdict::Failed(Failure::Refused { code }),
    }
}

#[cfg(test)]
mod tests;
