//! At which offset did each leadership of a partition begin (KIP-101)?

/// The leader epochs of a log and where they began.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    /// Epoch and first offset, both rising.
    began: Vec<(i32, i64)>,
}

/// The answer to "where does this epoch end": the epoch that was found and its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EndOffset {
    pub(crate) epoch: i32,
    pub(crate) end: i64,
}

impl EndOffset {
    /// "I know no such epoch."
    pub(crate) const UNDEFINED: Self = Self { epoch: -1, end: -1 };
}

impl Epochs {
    /// A leadership begins at `offset`, which is the log's end.
    pub(crate) fn begin(&mut self, epoch: i32, offset: i64) {
        // A leadership that wrote nothing leaves no trace.
        while self.began.last().is_some_and(|(_, began)| *began >= offset) {
            self.began.pop();
        }
        self.note(epoch, offset);
    }

    /// A batch of `epoch` was appended at `offset`.
    pub(crate) fn note(&mut self, epoch: i32, offset: i64) {
        if epoch >= 0 && self.began.last().is_none_or(|(last, _)| *last < epoch) {
            self.began.push((epoch, offset));
        }
    }

    /// The epoch that a record at `offset` was written in; -1 when unknown.
    pub(crate) fn at(&self, offset: i64) -> i32 {
        let after = self.began.partition_point(|(_, began)| *began <= offset);
        let entry = after.checked_sub(1).and_then(|index| self.began.get(index));
        entry.map_or(-1, |(epoch, _)| *epoch)
    }

    /// Where `asked` or the largest epoch before it ends, in a log that ends at `log_end`.
    pub(crate) fn end_of(&self, asked: i32, log_end: i64) -> EndOffset {
        if asked < 0 {
            return EndOffset::UNDEFINED;
        }
        let after = self.began.partition_point(|(epoch, _)| *epoch <= asked);
        let floor = after.checked_sub(1).and_then(|index| self.began.get(index));
        match (floor, self.began.get(after)) {
            (Some((epoch, _)), None) if *epoch == asked => EndOffset { epoch: asked, end: log_end },
            (_, None) => EndOffset::UNDEFINED,
            (Some((epoch, _)), Some((_, end))) => EndOffset { epoch: *epoch, end: *end },
            (None, Some((_, end))) => EndOffset { epoch: asked, end: *end },
        }
    }

    /// The log now starts at `offset`.
    pub(crate) fn start_at(&mut self, offset: i64) {
        let after = self.began.partition_point(|(_, began)| *began <= offset);
        let Some(kept) = after.checked_sub(1) else { return };
        self.began.drain(..kept);
        if let Some((_, began)) = self.began.first_mut() {
            *began = offset;
        }
    }

    /// The log now ends at `offset`.
    pub(crate) fn truncate(&mut self, offset: i64) {
        self.began.retain(|(_, began)| *began < offset);
    }
}
