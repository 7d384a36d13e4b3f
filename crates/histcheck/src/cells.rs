//! What is known of each offset of a partition?

use std::collections::BTreeMap;

/// Offsets in one piece of memory.
const CHUNK: i64 = 256;

/// What was heard of an offset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cell {
    /// Which value was seen there; 0: none.
    pub(crate) value: u64,
    /// The number of the event that first said it is done; 0: none.
    pub(crate) done_at: u64,
    /// When it was done last.
    pub(crate) done_time: u64,
    /// How many unclean losses the partition had when the run began that was done.
    pub(crate) life: u32,
    marks: u8,
}

/// What kinds of event have told of an offset.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Mark {
    Acked = 1,
    Started = 2,
    Truth = 4,
}

impl Cell {
    pub(crate) const fn has(self, mark: Mark) -> bool {
        self.marks & mark as u8 != 0
    }

    pub(crate) const fn set(&mut self, mark: Mark) {
        self.marks |= mark as u8;
    }

    pub(crate) const fn is_done(self) -> bool {
        self.done_at != 0
    }
}

/// The cells of a partition, made as they are needed.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    chunks: BTreeMap<i64, Vec<Cell>>,
    /// Never handed out: a chunk has a cell for each of its offsets.
    nowhere: Cell,
}

impl Cells {
    pub(crate) fn at(&mut self, offset: i64) -> &mut Cell {
        let full = || vec![Cell::default(); usize::try_from(CHUNK).unwrap_or_default()];
        let chunk = self.chunks.entry(offset.div_euclid(CHUNK)).or_insert_with(full);
        let within = usize::try_from(offset.rem_euclid(CHUNK)).unwrap_or_default();
        chunk.get_mut(within).unwrap_or(&mut self.nowhere)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Every offset of which something was heard, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, Cell)> + '_ {
        let all = self.chunks.iter().flat_map(|(chunk, cells)| {
            let base = chunk.saturating_mul(CHUNK);
            (base..).zip(cells.iter().copied())
        });
        all.filter(|(_, cell)| cell.marks != 0 || cell.is_done())
    }
}

/// One number for a value, never 0.
pub(crate) const fn fingerprint(key: u64, seq: u64) -> u64 {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) ^ seq;
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 32)) | 1
}
