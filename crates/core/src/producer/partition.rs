//! The batches of one partition on their way to its leader, and the sequence they must keep.
//!
//! ```text
//!   queue --send, stamped--> in flight --stored--> gone
//!     ^                          |
//!     +------- retriable --------+     in order; then one at a time until one succeeds
//! ```
//!
//! A stamp (who, and which sequence) is given once and kept over retries: the broker drops what it
//! has already. A batch that failed for good leaves a gap in the sequence, so the partition goes
//! on under a new identity, once nothing is in flight (KIP-360).

use std::collections::VecDeque;

use crate::backoff::Backoff;
use crate::time::Instant;

/// A sealed batch, by number; its bytes stay with the driver.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BatchId(pub u64);

/// Who writes: what `InitProducerId` gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// What a batch is sent under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Who.
    pub identity: Identity,
    /// The sequence of the batch's first record.
    pub sequence: i32,
}

/// One batch.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Numbers count up, so they tell the order of batches too.
    pub(super) id: BatchId,
    pub(super) records: u32,
    pub(super) bytes: usize,
    pub(super) deadline: Instant,
    pub(super) stamp: Option<Stamp>,
    /// Whether an earlier attempt may have written it.
    pub(super) in_doubt: bool,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) queue: VecDeque<Batch>,
    pub(super) in_flight: VecDeque<Batch>,
    pub(super) identity: Option<Identity>,
    next_sequence: i32,
    /// Whether the leader has stored anything under this identity. A leader that knows nothing of
    /// a producer takes whichever of its sequences comes first: were a first batch refused (the
    /// topic is new, say) and the second one on its way taken, the first could never be stored.
    pub(super) is_known: bool,
    /// A gap is in the sequence: a new identity is needed before anything more is sent.
    pub(super) is_broken: bool,
    pub(super) not_before: Instant,
    pub(super) backoff: Backoff,
}

impl Partition {
    pub(super) const fn new(backoff: Backoff) -> Self {
        Self {
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            identity: None,
            next_sequence: 0,
            is_known: false,
            is_broken: false,
            not_before: Instant::from_nanos(0),
            backoff,
        }
    }

    /// Whether its first batch may leave, as far as order and back-off go.
    pub(super) fn may_send(&self, now: Instant, max_in_flight: usize) -> bool {
        let is_resend = self.queue.front().is_some_and(|batch| batch.stamp.is_some());
        let is_first = self.identity.is_some() && !self.is_known;
        let careful = is_resend || is_first || 0 < self.backoff.failures();
        let limit = if careful { 1 } else { max_in_flight };
        !self.queue.is_empty()
            && !self.is_broken
            && self.not_before <= now
            && self.in_flight.len() < limit
    }

    /// Takes the first batch, stamped when there is an identity.
    pub(super) fn send(&mut self) -> Option<Batch> {
        let mut batch = self.queue.pop_front()?;
        if let (None, Some(identity)) = (batch.stamp, self.identity) {
            batch.stamp = Some(Stamp { identity, sequence: self.next_sequence });
            let records = i32::try_from(batch.records).unwrap_or(i32::MAX);
            self.next_sequence = self.next_sequence.wrapping_add(records) & i32::MAX;
        }
        self.in_flight.push_back(batch.clone());
        Some(batch)
    }

    /// Takes `id` out of what is in flight; says too whether an earlier batch is still unsettled.
    pub(super) fn settle(&mut self, id: BatchId) -> Option<(Batch, Place)> {
        let at = self.in_flight.iter().position(|batch| batch.id == id)?;
        let batch = self.in_flight.remove(at)?;
        let has_earlier = self.in_flight.iter().chain(&self.queue).any(|other| other.id < id);
        Some((batch, if has_earlier { Place::Behind } else { Place::First }))
    }

    /// Puts a batch back, in order.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let at = self.queue.partition_point(|other| other.id < batch.id);
        self.queue.insert(at, batch);
    }

    /// Mends a broken sequence once nothing is in flight: answers the batches that nobody can vouch
    /// for; the others wait for a new identity.
    pub(super) fn mend(&mut self) -> Vec<Batch> {
        if !self.is_broken || !self.in_flight.is_empty() {
            return Vec::new();
        }
        self.is_broken = false;
        self.identity = None;
        self.next_sequence = 0;
        self.is_known = false;
        let (doubtful, sure) = self.queue.drain(..).partition(|batch| batch.in_doubt);
        self.queue = sure;
        self.queue.iter_mut().for_each(|batch| batch.stamp = None);
        Vec::from(doubtful as VecDeque<Batch>)
    }
}

/// Whether an earlier batch of the partition is still unsettled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    First,
    Behind,
}
