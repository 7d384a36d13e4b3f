//! What crosses tasks on the data plane: runs of whole batches, never records.

use std::fmt;

use bytes::Bytes;
use forebay_protocol::types::{LeaderEpoch, Offset, Position};

use crate::fence::Fence;
use crate::slot::Slot;

/// Neighbouring whole batches of one partition that arrived together.
///
/// `bytes` pins the chunk it was read into; the chunk's bytes return to the budget when the last
/// slice is dropped. A run without bytes only moves the position over batches that hold no record
/// for us: control, aborted and empty ones.
#[derive(Clone)]
pub struct BatchRun {
    /// The partition, as its shard numbers it.
    pub slot: Slot,
    /// Which gain and start it was fetched under.
    pub fence: Fence,
    /// First offset wanted: the first batch may begin before it.
    pub from: Position,
    /// Where fetching goes on after this run, left-out batches included.
    pub next: Position,
    /// Epoch of the last batch.
    pub epoch: LeaderEpoch,
    /// Whole batches.
    pub bytes: Bytes,
    /// What the leader told with it.
    pub watermarks: Watermarks,
    /// Records by the headers' word; `None` for formats v0 and v1, which do not tell.
    pub count: Option<u32>,
}

impl BatchRun {
    /// Whether there is nothing to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl fmt::Debug for BatchRun {
    /// Sizes and offsets only: payloads are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRun")
            .field("slot", &self.slot)
            .field("from", &self.from)
            .field("next", &self.next)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// How far a partition's log reaches, as its leader told last; -1 where it did not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watermarks {
    /// One past the last replicated record.
    pub high: Offset,
    /// One past the last record outside open transactions.
    pub last_stable: Offset,
    /// First record of the log.
    pub log_start: Offset,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self { high: Offset(-1), last_stable: Offset(-1), log_start: Offset(-1) }
    }
}

/// The number of a block of open work inside its slot. Counts up for ever.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct BlockNumber(pub u64);

/// A run on its way to a worker, with the block that its progress is told under.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to work on.
    pub run: BatchRun,
    /// Where its progress counts.
    pub block: BlockNumber,
}

/// What a worker tells about one job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The job's partition.
    pub slot: Slot,
    /// The job's fence.
    pub fence: Fence,
    /// The job's block.
    pub block: BlockNumber,
    /// How far it is.
    pub done: Done,
}

/// How far a job is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Done {
    /// Every record is done; nothing of the run is held by the worker any more.
    All,
    /// Every record before this position is done; the rest runs or waits.
    UpTo(Position),
    /// The job ended at this position without being done: what follows was not processed and
    /// will not be under this fence.
    Ended {
        /// Every record before it is done.
        at: Position,
        /// Why.
        why: Ended,
    },
}

/// Why a worker ended a job before its last record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The partition was drained or lost; the worker let go of the rest.
    Released,
    /// The partition is to stop with this fault.
    Fault(crate::orders::Fault),
    /// A batch's checksum does not match what the wire brought: fetch it again.
    BadBatch {
        /// First offset of the batch by its header.
        base: Offset,
        /// Last offset of the batch by its header.
        last: Offset,
        /// What was wrong.
        reason: std::sync::Arc<str>,
    },
}

/// What a lane is to do about a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// Leave the slot out of the next Fetch.
    Hold,
    /// Ask for it again.
    Release,
}
