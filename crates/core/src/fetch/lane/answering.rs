//! What has a response brought of the partition it speaks of now?

use forebay_protocol::fetch_stream::{PartitionHead, PartitionTail};
use forebay_protocol::records::error::RecordsError;

use crate::fetch::aborted::{AbortedTransaction, Filter};
use crate::fetch::size::Brought;
use crate::slot::Slot;

/// The partition whose records are arriving.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) slot: Slot,
    pub(super) filter: Option<Filter>,
    /// Bytes of records that the head announced.
    pub(super) records: u64,
    pub(super) brought: Brought,
    pub(super) corrupt: Option<RecordsError>,
    /// Bytes of a batch that is over the limit, and the limit.
    pub(super) too_large: Option<(u64, u64)>,
    /// The broker refused: somebody else leads the partition.
    pub(super) is_elsewhere: bool,
}

impl Answering {
    /// What the partition brought, and what of it was cut off.
    pub(super) fn judge(&self, tail: &PartitionTail) -> Brought {
        let mut brought = self.brought;
        let Some(partial) = tail.partial else { return brought };
        brought.wasted = self.records.saturating_sub(brought.delivered);
        if brought.delivered == 0 {
            // Nothing but a part: the batch is larger than what was asked for.
            let size = partial.size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
            brought.largest = size;
        }
        brought
    }
}

pub(super) fn aborted(head: &PartitionHead) -> Vec<AbortedTransaction> {
    let list = head.aborted_transactions.iter();
    list.map(|aborted| AbortedTransaction {
        first_offset: aborted.first_offset,
        producer_id: aborted.producer_id,
    })
    .collect()
}
