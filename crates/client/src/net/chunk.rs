//! Chunks that sockets are read into and batches are cut from.
//!
//! ```text
//!   chunk (1 MiB)  [ handed out as slices .......... | a part of a batch | not read yet ]
//!                    pinned until the last is dropped   moved to the next chunk when full
//! ```
//!
//! A chunk is reused when the last of its slices is gone. Its bytes count against the budget from
//! the moment it is read into until then; a few idle chunks are kept for the next reads. A handle to
//! every chunk that is still pinned is kept as well, so that it is used again and not given back to
//! the allocator, where small things would settle in its place.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::budget::{Budget, Lease, Part, Pin};

/// Most bytes of a chunk: large enough that few batches straddle two, small enough to stay in cache
/// and to be given back soon.
const CHUNK: usize = 1 << 20;

/// Least bytes of a chunk.
const CHUNK_MIN: usize = 128 << 10;

/// A chunk is at most one part in so many of the budget: a few of them that slow records pin must
/// not be all of it.
const CHUNK_PART: usize = 32;

/// A read into less room than this is not worth its system call, as long as little has to be moved
/// to win more.
const READ_MIN: usize = 64 << 10;

/// Bytes of a chunk under a budget of `total` bytes.
const fn chunk_size(total: usize) -> usize {
    let part = total / CHUNK_PART;
    if CHUNK < part {
        CHUNK
    } else if part < CHUNK_MIN {
        CHUNK_MIN
    } else {
        part
    }
}

/// Idle chunks that are kept at most; with a small budget fewer, since they count in no budget.
const IDLE_MAX: usize = 4;

/// Idle chunks that are kept with any budget: one to go on with.
const IDLE_MIN: usize = 1;

/// One idle chunk may be kept for so many chunks of the budget.
const IDLE_PART: usize = 32;

/// The chunks of one lane.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// What is read into now; its filled part has not been cut yet.
    current: BytesMut,
    /// What pins the current chunk's bytes in the budget.
    pin: Option<Arc<Pin>>,
    /// Whether it is a chunk, and not the larger buffer of one large batch.
    is_chunk: bool,
    /// Used up; free when nobody holds a slice any more. The last one used is the last.
    spent: Vec<BytesMut>,
    idle_max: usize,
    /// Chunks that the budget has room for.
    most: usize,
    /// Bytes of each.
    size: usize,
}

/// A slice that keeps its chunk's bytes counted as in use.
#[derive(Debug)]
struct Pinned {
    bytes: Bytes,
    /// Only held: the last one dropped gives the chunk's bytes back.
    _part: Option<Part>,
}

impl AsRef<[u8]> for Pinned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Chunks {
    /// No chunk yet, under a budget of `total` bytes.
    pub(crate) fn new(total: usize) -> Self {
        let size = chunk_size(total);
        let most = total / size;
        let idle_max = (most / IDLE_PART).clamp(IDLE_MIN, IDLE_MAX);
        let current = BytesMut::new();
        Self { current, pin: None, is_chunk: false, spent: Vec::new(), idle_max, most, size }
    }

    /// Bytes of a chunk, unless a batch needs a larger one.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// The buffer to read into and to cut from.
    pub(crate) const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.current
    }

    /// Makes room to read on towards `at_least` bytes in the buffer, those that are there included.
    /// A new chunk's bytes are taken out of `reserved`.
    ///
    /// A batch larger than a chunk is only as large as it says until its bytes are there: so its
    /// buffer grows with what has come, four times each step.
    pub(crate) fn make_room(&mut self, at_least: usize, reserved: &mut Lease) {
        let (filled, spare) = (self.current.len(), self.spare());
        let is_worth_reading = READ_MIN <= spare || READ_MIN < filled;
        let fits = at_least <= filled + spare || self.size <= filled;
        if self.pin.is_some() && fits && is_worth_reading && 0 < spare {
            return;
        }
        let size = at_least.min(filled.saturating_mul(4)).max(self.size);
        let is_chunk = size == self.size;
        let mut next = if is_chunk { self.idle() } else { BytesMut::with_capacity(size) };
        next.extend_from_slice(&self.current);
        self.retire(next);
        self.is_chunk = is_chunk;
        self.pin = Some(Pin::new(reserved.split(size)));
    }

    /// Bytes that can be read without a new chunk.
    pub(crate) fn spare(&self) -> usize {
        self.current.capacity().saturating_sub(self.current.len())
    }

    /// Ties a slice of the current chunk to the chunk's lease.
    pub(crate) fn pin(&self, bytes: Bytes) -> Bytes {
        let part = self.pin.as_ref().map(|pin| pin.part(bytes.len()));
        Bytes::from_owner(Pinned { bytes, _part: part })
    }

    /// Forgets what was read and not cut: the connection is gone.
    pub(crate) fn clear(&mut self) {
        self.retire(BytesMut::new());
        self.trim();
    }

    /// Nothing is on its way: an empty chunk need not count as in use.
    pub(crate) fn rest(&mut self) {
        if self.current.is_empty() {
            self.clear();
        }
    }

    /// A chunk that nobody holds a slice of, or a new one. The last one used is tried first: it is
    /// the likeliest to be in cache.
    fn idle(&mut self) -> BytesMut {
        let free = self.spent.iter_mut().rposition(|chunk| chunk.try_reclaim(self.size));
        let idle = free.map(|index| self.spent.remove(index));
        self.trim();
        idle.unwrap_or_else(|| BytesMut::with_capacity(self.size))
    }

    /// Puts `next` in the place of the current buffer, whose handle is kept.
    fn retire(&mut self, next: BytesMut) {
        let mut spent = std::mem::replace(&mut self.current, next);
        self.pin = None;
        if std::mem::take(&mut self.is_chunk) {
            spent.clear();
            self.spent.push(spent);
        }
    }

    /// Gives back idle chunks beyond those that are kept, the oldest first.
    fn trim(&mut self) {
        let mut idle = 0;
        for index in (0..self.spent.len()).rev() {
            let is_idle =
                self.spent.get_mut(index).is_some_and(|chunk| chunk.try_reclaim(self.size));
            idle += usize::from(is_idle);
            if is_idle && self.idle_max < idle {
                self.spent.remove(index);
            }
        }
        let more = self.spent.len().saturating_sub(self.most.max(self.idle_max));
        self.spent.drain(..more);
    }
}

/// A copy of a slice that pins a larger chunk, under a lease of its own. `None` when all that is
/// pinned is held by somebody, when the slice has three quarters of a chunk, so that the copy would
/// cost more than it frees, or when there is no room for it beside the chunk.
pub(crate) fn copy_out(bytes: &Bytes, budget: &Budget) -> Option<Bytes> {
    let size = chunk_size(budget.total());
    if size / 4 * 3 < bytes.len() || !budget.is_wasted(size) {
        return None;
    }
    let pin = Pin::new(budget.try_take(bytes.len())?);
    let bytes = Bytes::copy_from_slice(bytes);
    let part = pin.part(bytes.len());
    Some(Bytes::from_owner(Pinned { bytes, _part: Some(part) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_counts_until_its_last_slice_is_dropped() {
        let budget = Budget::new(8 << 20);
        let mut reserved = budget.try_take(2 << 20).unwrap();
        let mut chunks = Chunks::new(64 << 20);
        chunks.make_room(1, &mut reserved);
        chunks.buffer().extend_from_slice(&[7; 1000]);
        let cut = chunks.buffer().split_to(400).freeze();
        let slice = chunks.pin(cut);
        drop(reserved);
        assert_eq!(budget.used(), CHUNK);

        chunks.clear();
        assert_eq!(budget.used(), CHUNK, "the slice still pins it");
        drop(slice);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_part_of_a_batch_moves_to_the_next_chunk() {
        let budget = Budget::new(8 << 20);
        let mut reserved = budget.try_take(4 << 20).unwrap();
        let mut chunks = Chunks::new(64 << 20);
        chunks.make_room(1, &mut reserved);
        chunks.buffer().extend_from_slice(&vec![1; CHUNK - 10]);
        let whole = chunks.buffer().split_to(CHUNK - 20).freeze();
        let whole = chunks.pin(whole);
        assert_eq!(chunks.buffer().len(), 10);

        chunks.make_room(5000, &mut reserved);

        assert_eq!(&chunks.buffer()[..], &[1; 10]);
        assert!(5000 <= chunks.buffer().capacity());
        drop(whole);
    }

    #[test]
    fn a_batch_larger_than_a_chunk_gets_a_buffer_that_grows_with_what_has_come() {
        let budget = Budget::new(64 << 20);
        let mut chunks = Chunks::new(64 << 20);
        let mut largest = 0;
        while chunks.buffer().len() < 20 << 20 {
            let mut reserved = budget.try_take(1 << 20).unwrap();
            chunks.make_room(20 << 20, &mut reserved);
            let (filled, room) = (chunks.buffer().len(), chunks.spare());
            assert!(0 < room && filled + room <= (filled * 4).max(CHUNK) + 4096);
            chunks.buffer().extend_from_slice(&vec![0; room.min(200 << 10)]);
            largest = largest.max(budget.used());
        }
        assert!(largest <= 22 << 20, "{largest}");
    }

    #[test]
    fn a_chunk_is_used_again_when_its_slices_are_gone() {
        let budget = Budget::new(64 << 20);
        let mut chunks = Chunks::new(64 << 20);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let mut reserved = budget.try_take(CHUNK).unwrap();
            chunks.clear();
            chunks.make_room(1, &mut reserved);
            chunks.buffer().extend_from_slice(&[0; 100]);
            seen.insert(chunks.buffer().as_ptr() as usize);
            let slice = chunks.buffer().split().freeze();
            drop(chunks.pin(slice));
        }
        assert!(seen.len() <= 2, "{} chunks were allocated", seen.len());
    }

    #[test]
    fn chunks_that_come_free_late_are_used_again_and_few_are_kept_idle() {
        let budget = Budget::new(64 << 20);
        let mut chunks = Chunks::new(64 << 20);
        let mut seen = std::collections::BTreeSet::new();
        let mut held = std::collections::VecDeque::new();
        for _ in 0..200 {
            let mut reserved = budget.try_take(CHUNK).unwrap();
            chunks.clear();
            chunks.make_room(1, &mut reserved);
            chunks.buffer().extend_from_slice(&[0; 100]);
            seen.insert(chunks.buffer().as_ptr() as usize);
            let slice = chunks.buffer().split().freeze();
            held.push_back(chunks.pin(slice));
            if 20 < held.len() {
                held.pop_front();
            }
        }
        assert!(seen.len() <= 22, "{} chunks for 20 that are held", seen.len());
        held.clear();
        chunks.clear();
        assert_eq!(chunks.spent.len(), 2, "one for each 32 MiB of the budget");
    }
}
