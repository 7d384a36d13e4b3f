//! Drops what is too old or too much, as Kafka's retention does: from the start, never in the middle.

use super::Log;

/// How long and how much is kept; `None` is for ever, and any amount.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Retention {
    /// Batches whose newest record is from before this go, in milliseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Batches go while so many bytes are left without them.
    pub(crate) bytes: Option<usize>,
}

impl Log {
    /// Drops whole batches at the start, as Kafka drops whole segments: here each batch is one.
    /// Nothing that consumers may not read yet goes, and batches without a time only by size.
    pub(crate) fn retain(&mut self, retention: Retention) {
        let end = self.high_watermark();
        let mut left = self.batches.iter().map(super::Stored::len).sum::<usize>();
        let mut start = self.start;
        for stored in &self.batches {
            let is_old = stored.max_timestamp >= 0
                && retention.since.is_some_and(|since| stored.max_timestamp < since);
            let without = left.saturating_sub(stored.len());
            let is_too_much = retention.bytes.is_some_and(|most| most <= without);
            if end <= stored.last || !(is_old || is_too_much) {
                break;
            }
            left = without;
            start = stored.last.saturating_add(1);
        }
        self.delete_before(start);
    }
}
