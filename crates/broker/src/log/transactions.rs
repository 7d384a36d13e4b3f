//! Which transactions of one log are open, and which were aborted?

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::batch::{self, Head, Refusal};

/// The transactions of a log.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// Producer to the first offset of its open transaction.
    open: BTreeMap<i64, i64>,
    aborted: Vec<Aborted>,
}

/// A transaction that does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    /// Its first record.
    pub(crate) first_offset: i64,
    /// Its marker.
    pub(crate) last_offset: i64,
}

impl Transactions {
    /// The first offset of the oldest open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.values().min().copied()
    }

    /// The aborted transactions that reach into these offsets; the end is left out.
    pub(crate) fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = &Aborted> {
        self.aborted.iter().filter(move |one| one.last_offset >= from && one.first_offset < to)
    }

    /// Learns from a batch that is appended.
    pub(super) fn note(&mut self, head: &Head, body: &Bytes) -> Result<(), Refusal> {
        if !head.is_transactional() {
            return Ok(());
        }
        if !head.is_control() {
            self.open.entry(head.producer_id).or_insert(head.base_offset);
            return Ok(());
        }
        let mut aborts = false;
        batch::walk_body(body, head, |record| {
            aborts |= record.key.is_some_and(|key| key.get(2..4) == Some(&[0, 0]));
        })?;
        let first_offset = self.open.remove(&head.producer_id);
        if let (true, Some(first_offset)) = (aborts, first_offset) {
            let (producer_id, last_offset) = (head.producer_id, head.base_offset);
            self.aborted.push(Aborted { producer_id, first_offset, last_offset });
        }
        Ok(())
    }
}
