//! Where do codecs write? Into a buffer that grows, is never cleared, and knows its limit.
//!
//! Codecs write into initialised bytes. Filling a buffer with zeros before each batch costs as
//! much as reading it, so the buffer keeps its old bytes and remembers how many of them count.

/// A reusable buffer for what a codec writes.
#[derive(Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    len: usize,
    limit: usize,
}

impl Scratch {
    /// An empty buffer; it grows when first used.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), len: 0, limit: 0 }
    }

    /// What was unpacked last.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Bytes that the buffer holds on to, used or not.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives memory back if the buffer holds more than `most` bytes.
    pub fn shrink_to(&mut self, most: usize) {
        if self.bytes.capacity() > most {
            *self = Self::new();
        }
    }

    /// Forgets the contents; no more than `limit` bytes will be written.
    pub(super) const fn start(&mut self, limit: usize) {
        self.len = 0;
        self.limit = limit;
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that may still be written.
    pub(super) const fn left(&self) -> usize {
        self.limit.saturating_sub(self.len)
    }

    /// Bytes to write into: all that is there, at least `least`, but never more than the limit
    /// allows.
    pub(super) fn room(&mut self, least: usize) -> &mut [u8] {
        let end = self.len.saturating_add(least).min(self.limit);
        if end > self.bytes.len() {
            self.grow(end);
        }
        let end = self.limit.min(self.bytes.len());
        self.bytes.get_mut(self.len..end).unwrap_or_default()
    }

    /// Bytes that may be written without growing.
    pub(super) fn spare(&self) -> usize {
        self.bytes.len().min(self.limit).saturating_sub(self.len)
    }

    /// What was written so far, and the room behind it that is there without growing.
    pub(super) fn written_and_room(&mut self) -> (&[u8], &mut [u8]) {
        let end = self.limit.min(self.bytes.len());
        let (len, bytes) = (self.len, self.bytes.get_mut(..end).unwrap_or_default());
        match bytes.split_at_mut_checked(len) {
            Some((written, room)) => (written, room),
            None => (&[], &mut []),
        }
    }

    /// Writes what no codec makes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.wrote(bytes.len());
        }
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.len = self.len.saturating_add(bytes).min(self.bytes.len());
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        let larger = self.bytes.len().saturating_add(self.bytes.len() / 2).min(self.limit);
        let size = end.max(larger);
        if self.len == 0 {
            // Fresh zeroed memory costs nothing until it is touched; there is nothing to keep.
            self.bytes = Vec::new();
            self.bytes = vec![0; size];
        } else {
            self.bytes.reserve_exact(size - self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }
}
