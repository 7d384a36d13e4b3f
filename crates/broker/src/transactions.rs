//! The transaction coordinator: producer ids and epochs, what is open, and how it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::batch::{BatchBuilder, Head, Marker};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{Call, TimerKey};

/// What the coordinators of a cluster remember.
#[derive(Debug, Default)]
pub(crate) struct Coordinator {
    next_producer: i64,
    producers: BTreeMap<String, Producer>,
}

/// A transactional producer.
#[derive(Debug)]
struct Producer {
    id: i64,
    epoch: i16,
    timeout: Duration,
    open: Option<Open>,
    /// How its last transaction ended: asked again, the answer is the same.
    ended: Option<Marker>,
}

/// A transaction that has not ended.
#[derive(Debug)]
struct Open {
    partitions: BTreeSet<(String, i32)>,
    /// Groups whose offsets it commits.
    groups: BTreeSet<String>,
    due: TimerKey,
}

/// Who says that it is the producer of a transactional id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

impl Coordinator {
    /// An id that no producer had before.
    pub(crate) const fn new_producer(&mut self) -> i64 {
        self.next_producer += 1;
        self.next_producer
    }

    /// Whether this batch may be written: the transaction of its producer has this partition.
    pub(crate) fn may_write(
        &self,
        head: &Head,
        topic: &str,
        partition: i32,
    ) -> Result<(), ErrorCode> {
        let producer = self.producers.values().find(|known| known.id == head.producer_id);
        let producer = producer.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if producer.epoch != head.producer_epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let place = (topic.to_owned(), partition);
        let has = producer.open.as_ref().is_some_and(|open| open.partitions.contains(&place));
        if has { Ok(()) } else { Err(ErrorCode::INVALID_TXN_STATE) }
    }

    /// Whether offsets of this group may wait for the producer's transaction.
    pub(crate) fn may_pend(&self, claim: &Claim<'_>, group: &str) -> Result<(), ErrorCode> {
        let known = self.producers.get(claim.transactional_id);
        let known = known.filter(|known| known.id == claim.producer_id);
        let known = known.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if known.epoch != claim.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let has = known.open.as_ref().is_some_and(|open| open.groups.contains(group));
        if has { Ok(()) } else { Err(ErrorCode::INVALID_TXN_STATE) }
    }
}

impl Cluster {
    /// A transactional producer starts: what it left open is aborted, and it gets its id and the
    /// next epoch, which fences whoever had the one before. `had` is the id and epoch that it
    /// believes to have; -1 when none.
    pub(crate) fn begin_producer(
        &mut self,
        transactional_id: &str,
        had: (i64, i16),
        timeout: Duration,
    ) -> Result<(i64, i16), ErrorCode> {
        let known = self.coordinator.producers.get_mut(transactional_id);
        let Some(known) = known.filter(|known| known.epoch < i16::MAX - 1) else {
            let id = self.coordinator.new_producer();
            let producer = Producer { id, epoch: 0, timeout, open: None, ended: None };
            self.coordinator.producers.insert(transactional_id.to_owned(), producer);
            return Ok((id, 0));
        };
        if had.0 >= 0 && had != (known.id, known.epoch) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        known.epoch += 1;
        known.timeout = timeout;
        let now = (known.id, known.epoch);
        self.conclude_transaction(transactional_id, Marker::Abort);
        Ok(now)
    }

    /// Adds partitions to the producer's transaction, and opens it.
    pub(crate) fn add_to_transaction(
        &mut self,
        call: &Call,
        claim: Claim<'_>,
        partitions: impl IntoIterator<Item = (String, i32)>,
        group: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let timeout = self.claimed(call, claim)?.timeout;
        let due = self.transaction_timer(timeout, claim.transactional_id);
        let producer = self.claimed(call, claim)?;
        let fresh = Open { partitions: BTreeSet::new(), groups: BTreeSet::new(), due };
        let was_open = producer.open.is_some();
        let open = producer.open.get_or_insert(fresh);
        open.partitions.extend(partitions);
        open.groups.extend(group.map(str::to_owned));
        if was_open {
            self.cancel_timer(due);
        }
        Ok(())
    }

    /// Ends the producer's transaction as it asks.
    pub(crate) fn end_transaction(
        &mut self,
        call: &Call,
        claim: Claim<'_>,
        marker: Marker,
    ) -> Result<(), ErrorCode> {
        let producer = self.claimed(call, claim)?;
        if producer.open.is_none() {
            // An answer that was lost is asked for again.
            let again = producer.ended == Some(marker);
            return if again { Ok(()) } else { Err(ErrorCode::INVALID_TXN_STATE) };
        }
        self.conclude_transaction(claim.transactional_id, marker);
        Ok(())
    }

    /// The transaction took too long: it is aborted, and its producer fenced.
    pub(crate) fn transaction_due(&mut self, transactional_id: &str, key: TimerKey) {
        let Some(producer) = self.coordinator.producers.get_mut(transactional_id) else { return };
        if producer.open.as_ref().is_some_and(|open| open.due == key) {
            producer.epoch = producer.epoch.saturating_add(1);
            self.conclude_transaction(transactional_id, Marker::Abort);
        }
    }

    /// The producer, when the claim is right and this is its coordinator.
    fn claimed(&mut self, call: &Call, claim: Claim<'_>) -> Result<&mut Producer, ErrorCode> {
        if let Some(code) = call.forced() {
            return Err(code);
        }
        if self.coordinator_of(claim.transactional_id) != Some(call.node) {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let known = self.coordinator.producers.get_mut(claim.transactional_id);
        let known = known.filter(|known| known.id == claim.producer_id);
        let known = known.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if known.epoch != claim.epoch {
            // The newer code came with version 2 of these requests.
            let fenced = if call.version >= 2 {
                ErrorCode::PRODUCER_FENCED
            } else {
                ErrorCode::INVALID_PRODUCER_EPOCH
            };
            return Err(fenced);
        }
        Ok(known)
    }

    /// Writes the markers, and counts or drops the offsets.
    fn conclude_transaction(&mut self, transactional_id: &str, marker: Marker) {
        let time = self.wall_clock();
        let Some(producer) = self.coordinator.producers.get_mut(transactional_id) else { return };
        let Some(open) = producer.open.take() else { return };
        producer.ended = Some(marker);
        let (id, epoch) = (producer.id, producer.epoch);
        self.cancel_timer(open.due);
        let batch = BatchBuilder::marker(time, (id, epoch), marker);
        let Some(head) = Head::read(&batch) else { return };
        for (topic, partition) in open.partitions {
            let written = self.topics.change(&topic, partition, |partition| {
                partition.log.append(&batch, head, (partition.epoch, None)).is_ok()
            });
            if written == Some(true) {
                self.changed(&topic, partition);
            }
        }
        for group in open.groups {
            if let Some(group) = self.groups.get_mut(&group) {
                group.end_pending(id, marker);
            }
        }
    }
}
