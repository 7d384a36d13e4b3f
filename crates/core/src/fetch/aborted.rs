//! Which batches of a response are aborted or control, by header alone.
//!
//! A broker lists, for each partition of a `read_committed` response, the transactions that were
//! aborted in its range: producer and first offset. A batch of that producer from that offset on
//! is left out, until the producer's next control batch, which must be the abort's marker.

use std::collections::{BTreeSet, VecDeque};

use forebay_protocol::types::Offset;

/// One aborted transaction of a response.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AbortedTransaction {
    /// First offset of the transaction.
    pub first_offset: Offset,
    /// Who wrote it.
    pub producer_id: i64,
}

/// What the header of a batch says about transactions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BatchMark {
    /// First offset of the batch.
    pub base: Offset,
    /// Its producer; -1 for none.
    pub producer_id: i64,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
    /// Whether it holds markers and no records of users.
    pub is_control: bool,
}

/// Judges the batches of one partition of one response, in their order.
#[derive(Debug, Default)]
pub struct Filter {
    /// Not reached yet, by first offset.
    ahead: VecDeque<AbortedTransaction>,
    /// Producers whose aborted transaction is open here.
    open: BTreeSet<i64>,
}

impl Filter {
    /// Judges by this list. Brokers send it sorted; one that does not is met here.
    #[must_use]
    pub fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable();
        Self { ahead: aborted.into(), open: BTreeSet::new() }
    }

    /// Whether the batch holds records for us.
    pub fn keeps(&mut self, batch: BatchMark) -> bool {
        while let Some(next) = self.ahead.pop_front_if(|next| next.first_offset <= batch.base) {
            self.open.insert(next.producer_id);
        }
        if batch.is_control {
            self.open.remove(&batch.producer_id);
            return false;
        }
        !(batch.is_transactional && self.open.contains(&batch.producer_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(base: i64, producer_id: i64) -> BatchMark {
        BatchMark { base: Offset(base), producer_id, is_transactional: true, is_control: false }
    }

    fn marker(base: i64, producer_id: i64) -> BatchMark {
        BatchMark { is_control: true, ..data(base, producer_id) }
    }

    fn aborted(first_offset: i64, producer_id: i64) -> AbortedTransaction {
        AbortedTransaction { first_offset: Offset(first_offset), producer_id }
    }

    #[test]
    fn an_aborted_transaction_ends_with_its_marker() {
        let mut filter = Filter::new(vec![aborted(5, 1)]);
        let batches = [data(0, 1), data(5, 1), data(7, 2), marker(9, 1), data(10, 1)];
        let kept: Vec<_> = batches.map(|batch| filter.keeps(batch)).into();
        assert_eq!(kept, [true, false, true, false, true]);
    }

    #[test]
    fn an_unsorted_list_is_sorted() {
        let mut filter = Filter::new(vec![aborted(20, 2), aborted(5, 1)]);
        assert!(!filter.keeps(data(5, 1)));
        assert!(filter.keeps(data(6, 2)));
        assert!(!filter.keeps(data(20, 2)));
    }

    #[test]
    fn a_second_marker_of_a_producer_is_harmless() {
        let mut filter = Filter::new(vec![aborted(0, 1)]);
        assert!(!filter.keeps(data(0, 1)));
        assert!(!filter.keeps(marker(1, 1)));
        assert!(!filter.keeps(marker(2, 1)));
        assert!(filter.keeps(data(3, 1)));
    }

    #[test]
    fn batches_outside_transactions_are_kept() {
        let mut filter = Filter::new(vec![aborted(0, 1)]);
        let plain = BatchMark { producer_id: 1, ..BatchMark::default() };
        assert!(filter.keeps(plain));
    }
}
