//! Which batches go into one request?

use forebay_protocol::types::TopicPartition;

use super::partition::Batch;
use super::{BatchId, Stamped};
use crate::orders::Leader;
use crate::time::Instant;

/// A batch that may leave.
pub(super) struct Ready {
    pub(super) batch: BatchId,
    pub(super) at: usize,
    pub(super) bytes: usize,
    pub(super) leader: Leader,
}

/// A request that is being filled.
pub(super) struct Request {
    room: usize,
    pub(super) late_at: Option<Instant>,
    pub(super) stamped: Stamped,
    pub(super) batches: Vec<(usize, BatchId)>,
}

impl Request {
    pub(super) const fn new(room: usize) -> Self {
        Self { room, late_at: None, stamped: Vec::new(), batches: Vec::new() }
    }

    /// Whether so many bytes fit in; into an empty one anything does.
    pub(super) const fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.room || self.stamped.is_empty()
    }

    pub(super) fn add(&mut self, at: usize, tp: TopicPartition, batch: &Batch) {
        self.room = self.room.saturating_sub(batch.bytes);
        self.late_at =
            Some(self.late_at.map_or(batch.deadline, |late_at| late_at.min(batch.deadline)));
        self.stamped.push((tp, batch.id, batch.stamp));
        self.batches.push((at, batch.id));
    }
}
