//! May this producer append this batch? Sequence numbers and epochs, as idempotence asks.

use std::collections::{BTreeMap, VecDeque};

use super::Appended;
use crate::batch::{Head, Refusal};
use crate::code::ErrorCode;

/// How many batches of a producer are remembered: as many as it may have in flight.
const REMEMBERED: usize = 5;

/// What is known of the producers that wrote to one log.
#[derive(Debug, Default)]
pub(super) struct Producers {
    known: BTreeMap<i64, Producer>,
}

#[derive(Debug, Default)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    appended: Appended,
}

/// What to do with a batch.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Append it.
    New,
    /// It is there already: answer as the first time.
    Duplicate(Appended),
}

impl Producers {
    /// Whether anything is known of a producer.
    pub(super) fn knows(&self, id: i64) -> bool {
        self.known.contains_key(&id)
    }

    /// Judges a batch by its head.
    pub(super) fn judge(&self, head: &Head) -> Result<Verdict, Refusal> {
        let Some(known) = self.known.get(&head.producer_id) else {
            // Nothing is known of it, perhaps because its records were deleted: all is in order.
            return Ok(Verdict::New);
        };
        if head.producer_epoch < known.epoch {
            let why = format!(
                "producer {} writes in epoch {}, but {} is its newest",
                head.producer_id, head.producer_epoch, known.epoch
            );
            return Err(Refusal::new(ErrorCode::INVALID_PRODUCER_EPOCH, why));
        }
        if head.producer_epoch > known.epoch {
            return if head.base_sequence == 0 { Ok(Verdict::New) } else { known.gap(head, 0) };
        }
        if let Some(again) = known.batches.iter().find(|batch| batch.is(head)) {
            return Ok(Verdict::Duplicate(again.appended));
        }
        match known.next_sequence() {
            Some(next) if next != head.base_sequence => known.gap(head, next),
            _ => Ok(Verdict::New),
        }
    }

    /// Remembers a batch that was appended.
    pub(super) fn note(&mut self, head: &Head) {
        if head.producer_id < 0 {
            return;
        }
        let known = self.known.entry(head.producer_id).or_default();
        if head.producer_epoch > known.epoch {
            known.epoch = head.producer_epoch;
            known.batches.clear();
        }
        if head.is_control() {
            return;
        }
        if known.batches.len() == REMEMBERED {
            known.batches.pop_front();
        }
        known.batches.push_back(Remembered {
            first_sequence: head.base_sequence,
            last_sequence: head.last_sequence(),
            appended: Appended {
                base_offset: head.base_offset,
                append_time: if head.is_log_append_time() { head.max_timestamp } else { -1 },
            },
        });
    }
}

impl Producer {
    fn next_sequence(&self) -> Option<i32> {
        self.batches.back().map(|batch| batch.last_sequence.wrapping_add(1) & i32::MAX)
    }

    fn gap(&self, head: &Head, expected: i32) -> Result<Verdict, Refusal> {
        let why = format!(
            "producer {} in epoch {} (known: {}) sends sequence {}, {expected} is next",
            head.producer_id, head.producer_epoch, self.epoch, head.base_sequence
        );
        Err(Refusal::new(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, why))
    }
}

impl Remembered {
    const fn is(&self, head: &Head) -> bool {
        self.first_sequence == head.base_sequence && self.last_sequence == head.last_sequence()
    }
}
