//! What does a partition's error ask for?

use forebay_protocol::fetch_stream::PartitionTail;
use forebay_protocol::records::error::RecordsError;

use super::{Lane, fetching};
use crate::fetch::cursor::Returned;
use crate::orders::{Fault, Leader, ResetCause};
use crate::run::Watermarks;
use crate::slot::Slot;
use crate::time::Instant;

/// What a partition's error asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// The position is outside the log.
    Reset,
    /// Somebody else leads it, or this broker does not know yet.
    Leader,
    /// It passes.
    Rest,
    /// We may not read it.
    Denied,
    /// Waiting does not cure it.
    Final,
}

impl Refusal {
    pub(super) const fn of(code: i16) -> Self {
        match code {
            OFFSET_OUT_OF_RANGE => Self::Reset,
            UNSUPPORTED_COMPRESSION_TYPE | UNSUPPORTED_VERSION | INVALID_REQUEST => Self::Final,
            CORRUPT_MESSAGE | UNKNOWN_SERVER_ERROR | OFFSET_NOT_AVAILABLE => Self::Rest,
            TOPIC_AUTHORIZATION_FAILED => Self::Denied,
            _ => Self::Leader,
        }
    }
}

const UNKNOWN_SERVER_ERROR: i16 = -1;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const CORRUPT_MESSAGE: i16 = 2;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const OFFSET_NOT_AVAILABLE: i16 = 78;

impl Lane {
    /// The broker answered with an error for this partition. Says whether somebody else leads it:
    /// then the tail may tell who.
    pub(super) fn refused(&mut self, now: Instant, slot: Slot, code: i16) -> bool {
        match Refusal::of(code) {
            Refusal::Reset => {
                let Some(fetching) = fetching(&mut self.slots, slot) else { return false };
                let Watermarks { high, log_start, .. } = fetching.cursor.watermarks;
                let cause = ResetCause::OutOfRange { log_start, high_watermark: high };
                self.give_back(slot, Returned::NeedsReset(cause));
            }
            Refusal::Leader => return true,
            Refusal::Rest => self.rest(now, slot),
            Refusal::Denied => self.give_back(slot, Returned::Denied),
            Refusal::Final => self.give_back(slot, Returned::Fault(Fault::Broker { code })),
        }
        false
    }

    /// Gives back what somebody else leads, at once or when the response has told the address.
    pub(super) fn elsewhere(&mut self, slot: Slot, tail: &PartitionTail) {
        let known = tail.current_leader.filter(|hint| 0 <= hint.leader.0);
        match (known, self.recall(slot)) {
            (Some(hint), Some(cursor)) => {
                let leader = Leader { broker: hint.leader, epoch: hint.epoch };
                self.hinted.push((cursor, leader));
            }
            (None, Some(cursor)) => self.returned.push_back((cursor, Returned::LeaderStale(None))),
            (_, None) => {}
        }
    }

    /// Leaves a slot alone for a while.
    pub(super) fn rest(&mut self, now: Instant, slot: Slot) {
        let until = now.after(self.config.retry_after);
        if let Some(fetching) = fetching(&mut self.slots, slot) {
            if let Some(before) = fetching.rests_until.replace(until) {
                self.resting.remove(&(before, slot));
            }
            self.resting.insert((until, slot));
        }
        self.want(slot);
    }

    /// A batch that cannot be read: by size, or by its header.
    pub(super) fn unreadable(&mut self, slot: Slot, error: &RecordsError) {
        let Some(fetching) = fetching(&mut self.slots, slot) else { return };
        let base = fetching.cursor.position.offset();
        let fault = Fault::Corrupt { base, last: base, reason: error.to_string().into() };
        self.give_back(slot, Returned::Fault(fault));
    }
}
