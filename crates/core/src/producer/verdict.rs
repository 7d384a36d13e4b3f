//! Table. What does each error of `Produce` mean for the batch?

use forebay_protocol::error_code::{ErrorCode, Refresh};
use forebay_protocol::types::Offset;

use super::{Failure, Told};

/// What an answer about one batch means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is there; the offset when told.
    Stored(Option<Offset>),
    /// It was not written and never will be.
    Failed(Failure),
    /// Too many bytes for the broker: not written, its records may be, in smaller batches.
    TooLarge,
    /// The broker has a gap before it, or knows its writer no more: it was not written.
    OutOfOrder(Fence),
    /// Try again.
    Again {
        /// Whether it may have been written.
        in_doubt: bool,
    },
    /// The leader is elsewhere, and this attempt may have been written all the same.
    Moved,
}

/// Whether the writer's identity has a next epoch that can be ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fence {
    /// It has.
    Open,
    /// Somebody else has a newer one.
    Closed,
}

pub(super) fn verdict(told: &Told) -> Verdict {
    match ErrorCode(told.code) {
        ErrorCode::NONE => Verdict::Stored((0 <= told.base_offset.0).then_some(told.base_offset)),
        // It was written by an earlier attempt; where, the broker does not say.
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Stored(None),
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID => {
            Verdict::OutOfOrder(Fence::Open)
        }
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED => {
            Verdict::OutOfOrder(Fence::Closed)
        }
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => Verdict::TooLarge,
        // The leader has it, the replicas not yet.
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            Verdict::Again { in_doubt: true }
        }
        // Refused before anything was written.
        ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::THROTTLING_QUOTA_EXCEEDED => {
            Verdict::Again { in_doubt: false }
        }
        // NOT_LEADER_OR_FOLLOWER may come after the append (KAFKA-13574).
        code if code.refresh() == Refresh::Metadata => Verdict::Moved,
        code if code.is_retriable() => Verdict::Again { in_doubt: true },
        ErrorCode(code) => Verdict::Failed(Failure::Refused { code }),
    }
}
