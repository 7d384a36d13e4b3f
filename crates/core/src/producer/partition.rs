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

use forebay_protocol::types::TopicPartition;

use super::verdict::Fence;
use super::{Failure, Identity, NewBatch, Stamp};
use crate::backoff::Backoff;
use crate::orders::Leader;
use crate::time::Instant;

/// Numbers between two batches that were handed in: for the parts of one that is split.
const SPACING: u64 = 1 << 20;

/// A sealed batch, by number; its bytes stay with the driver.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BatchId(pub(super) u64);

impl BatchId {
    /// The number of the `nth` batch that is handed in.
    #[must_use]
    pub const fn nth(nth: u64) -> Self {
        Self(nth.wrapping_mul(SPACING))
    }
}

/// One batch.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Numbers count up, so they tell the order of batches too.
    pub(super) id: BatchId,
    /// How many numbers it and its parts may use.
    span: u64,
    pub(super) records: u32,
    pub(super) bytes: usize,
    pub(super) deadline: Instant,
    pub(super) stamp: Option<Stamp>,
    /// Whether an earlier attempt may have written it.
    pub(super) in_doubt: bool,
    /// What a broker said last about it, 0 when none did.
    pub(super) last_code: i16,
}

impl Batch {
    pub(super) const fn new(new: &NewBatch, deadline: Instant) -> Self {
        Self {
            id: new.id,
            span: SPACING,
            records: new.records,
            bytes: new.bytes,
            deadline,
            stamp: None,
            in_doubt: false,
            last_code: 0,
        }
    }

    /// How it fails: with `failure`, unless it may have been written.
    pub(super) const fn failure(&self, failure: Failure) -> Failure {
        if self.in_doubt { Failure::Unknown { last: self.last_code } } else { failure }
    }

    /// Its two halves, with the sequences that its records had; `None` when it cannot be split, or
    /// may have been written as it is.
    pub(super) fn split(&self) -> Option<[Self; 2]> {
        let (records, span) = (self.records / 2, self.span / 2);
        if self.in_doubt || records == 0 || span == 0 {
            return None;
        }
        let bytes = self.bytes / 2;
        let first = Self { records, span, bytes, ..self.clone() };
        let rest = Self {
            id: BatchId(self.id.0.wrapping_add(span)),
            records: self.records.saturating_sub(records),
            span,
            bytes,
            stamp: self
                .stamp
                .map(|it| Stamp { sequence: sequence_after(it.sequence, records), ..it }),
            ..self.clone()
        };
        Some([first, rest])
    }
}

/// Sequences have 31 bits and begin again at 0.
fn sequence_after(sequence: i32, records: u32) -> i32 {
    let records = i32::try_from(records).unwrap_or(i32::MAX);
    sequence.wrapping_add(records) & i32::MAX
}

/// How its sequence stands under the present identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sequence {
    /// The leader has stored nothing yet. A leader that knows nothing of a producer takes whichever
    /// of its sequences comes first: were a first batch refused (the topic is new, say) and the
    /// second one on its way taken, the first could never be stored.
    Fresh,
    /// The leader has stored something.
    Known,
    /// A gap is in it.
    Broken(Fence),
}

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) tp: TopicPartition,
    pub(super) queue: VecDeque<Batch>,
    pub(super) in_flight: VecDeque<Batch>,
    /// Who got the last batch: while one is in flight, all go there.
    pub(super) sent_to: Option<Leader>,
    pub(super) identity: Option<Identity>,
    next_sequence: i32,
    sequence: Sequence,
    /// Whether it stands in the list of those that wait.
    pub(super) is_listed: bool,
    pub(super) not_before: Instant,
    pub(super) backoff: Backoff,
}

impl Partition {
    pub(super) const fn new(tp: TopicPartition, backoff: Backoff) -> Self {
        Self {
            tp,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            sent_to: None,
            identity: None,
            next_sequence: 0,
            sequence: Sequence::Fresh,
            is_listed: false,
            not_before: Instant::from_nanos(0),
            backoff,
        }
    }

    /// Whether its first batch may leave for `leader`, as far as order and back-off go.
    pub(super) fn may_send(&self, now: Instant, max_in_flight: usize, leader: Leader) -> bool {
        let is_resend = self.queue.front().is_some_and(|batch| batch.stamp.is_some());
        let is_first = self.identity.is_some() && self.sequence == Sequence::Fresh;
        let careful = is_resend || is_first || 0 < self.backoff.failures();
        let limit = if careful { 1 } else { max_in_flight };
        // Two leaders at once would store in the order of their own hurry.
        let is_elsewhere = self.sent_to.is_some_and(|it| it.broker != leader.broker);
        !self.queue.is_empty()
            && !self.is_broken()
            && self.not_before <= now
            && self.in_flight.len() < limit
            && (self.in_flight.is_empty() || !is_elsewhere)
    }

    /// Takes the first batch, stamped when there is an identity.
    pub(super) fn send(&mut self, leader: Leader) -> Option<Batch> {
        let mut batch = self.queue.pop_front()?;
        if let (None, Some(identity)) = (batch.stamp, self.identity) {
            batch.stamp = Some(Stamp { identity, sequence: self.next_sequence });
            self.next_sequence = sequence_after(self.next_sequence, batch.records);
        }
        self.sent_to = Some(leader);
        self.in_flight.push_back(batch.clone());
        Some(batch)
    }

    /// The leader has stored a batch.
    pub(super) const fn stored(&mut self) {
        self.backoff.succeed();
        if matches!(self.sequence, Sequence::Fresh) {
            self.sequence = Sequence::Known;
        }
    }

    /// Whether a new identity is needed before anything more is sent.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self.sequence, Sequence::Broken(_))
    }

    /// Whether its identity can be followed by its next epoch.
    pub(super) const fn fence(&self) -> Fence {
        match self.sequence {
            Sequence::Broken(fence) => fence,
            Sequence::Fresh | Sequence::Known => Fence::Open,
        }
    }

    /// A batch is not stored under the sequence that it has, if it has one.
    pub(super) fn breaks_by(&mut self, batch: &Batch, fence: Fence) {
        if batch.stamp.is_some() && self.fence() == Fence::Open {
            self.sequence = Sequence::Broken(fence);
        }
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
    pub(super) fn mend(&mut self) -> VecDeque<Batch> {
        self.sequence = Sequence::Fresh;
        self.identity = None;
        self.next_sequence = 0;
        let (doubtful, sure) = self.queue.drain(..).partition(|batch| batch.in_doubt);
        self.queue = sure;
        self.queue.iter_mut().for_each(|batch| batch.stamp = None);
        doubtful
    }
}

/// Whether an earlier batch of the partition is still unsettled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    First,
    Behind,
}
