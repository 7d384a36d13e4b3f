//! Open batches that wait: for more records until their time has come, and then, while earlier
//! batches of theirs are on their way, as long as they would only queue.

use std::collections::VecDeque;

use forebay_core::time::Instant;
use forebay_protocol::types::TopicPartition;

use super::super::append::{Closed, Opened};

/// Open batches, by what they wait for.
#[derive(Debug, Default)]
pub(super) struct Linger {
    /// For their time, the first to come in front.
    lingering: VecDeque<(Instant, Opened)>,
    /// For room on the way to their leader.
    held: Vec<Opened>,
}

impl Linger {
    /// A batch begins to wait.
    pub(super) fn push(&mut self, due: Instant, opened: Opened) {
        self.lingering.push_back((due, opened));
    }

    /// No batch need wait for more records.
    pub(super) fn hurry(&mut self) {
        self.held.extend(self.lingering.drain(..).map(|(_, opened)| opened));
    }

    /// Every batch that waits, closed now.
    pub(super) fn take_all(&mut self) -> Vec<Closed> {
        self.hurry();
        self.held.drain(..).filter_map(|opened| opened.close()).collect()
    }

    /// When the next batch has lingered long enough.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.lingering.front().map(|(due, _)| *due)
    }

    /// The batches that leave now. A partition that is busy keeps gathering records in its open
    /// batch, which is better than a queue of small ones.
    pub(super) fn take(
        &mut self,
        now: Instant,
        is_busy: impl Fn(&TopicPartition) -> bool,
    ) -> Vec<Closed> {
        while let Some((_, opened)) = self.lingering.pop_front_if(|(due, _)| *due <= now) {
            self.held.push(opened);
        }
        let mut closed = Vec::new();
        self.held.retain(|opened| {
            if is_busy(&opened.accumulator.tp) {
                return !opened.is_over();
            }
            closed.extend(opened.close());
            false
        });
        closed
    }
}
