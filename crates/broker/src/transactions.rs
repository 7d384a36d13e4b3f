//! The transaction coordinator: producer ids, epochs.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::code::ErrorCode;

/// What the coordinators of a cluster remember.
#[derive(Debug, Default)]
pub(crate) struct Coordinator {
    next_producer: i64,
    producers: BTreeMap<String, Producer>,
}

/// A transactional producer.
#[derive(Clone, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
}

impl Coordinator {
    /// An id that no producer had before.
    pub(crate) const fn new_producer(&mut self) -> i64 {
        self.next_producer += 1;
        self.next_producer
    }
}

impl Cluster {
    /// A transactional producer starts: it gets its id and the next epoch, which fences whoever
    /// had the one before. `had` is the id and epoch that it believes to have; -1 when none.
    pub(crate) fn begin_producer(
        &mut self,
        transactional_id: &str,
        had: (i64, i16),
    ) -> Result<(i64, i16), ErrorCode> {
        let fresh = self.coordinator.producers.get(transactional_id).is_none_or(Producer::is_spent);
        if fresh {
            let id = self.coordinator.new_producer();
            let producer = Producer { id, epoch: 0 };
            self.coordinator.producers.insert(transactional_id.to_owned(), producer);
            return Ok((id, 0));
        }
        let known = self.coordinator.producers.get_mut(transactional_id);
        let Some(known) = known else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        if had.0 >= 0 && had != (known.id, known.epoch) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        known.epoch += 1;
        Ok((known.id, known.epoch))
    }
}

impl Producer {
    /// Whether its epochs are used up, so that it needs another id.
    const fn is_spent(&self) -> bool {
        self.epoch >= i16::MAX - 1
    }
}
