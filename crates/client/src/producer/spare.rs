//! Buffers of batches that are through, for those to come: memory that is still in the caches and
//! need not be asked of the system again.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Buffers, the one used last on top.
#[derive(Debug)]
pub(super) struct Spares {
    idle: Mutex<Vec<Vec<u8>>>,
    count_max: usize,
    size_max: usize,
}

impl Spares {
    /// For batches of such a size; idle ones take `buffer.memory` at most, which full ones have
    /// taken before: a buffer is only made while none is idle.
    pub(super) fn new(batch_size: usize, memory: usize) -> Self {
        let size = batch_size.max(2 << 10);
        let count_max = memory / size;
        Self { idle: Mutex::default(), count_max, size_max: size.saturating_mul(2) }
    }

    /// A buffer, whose contents mean nothing; an empty one when none is idle.
    pub(super) fn take(&self) -> Vec<u8> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps a buffer, if it is worth it.
    pub(super) fn keep(&self, buffer: Vec<u8>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if 0 < buffer.capacity()
            && buffer.capacity() <= self.size_max
            && idle.len() < self.count_max
        {
            idle.push(buffer);
        }
    }

    /// Keeps the buffer of a batch that nobody else holds any more.
    pub(super) fn keep_bytes(&self, batch: Bytes) {
        if let Ok(buffer) = batch.try_into_mut() {
            self.keep(buffer.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_nobody_holds_it_and_not_before() {
        let spares = Spares::new(1000, 1 << 20);
        let batch = Bytes::from(Vec::with_capacity(5000));
        let held = batch.clone();
        spares.keep_bytes(batch);
        assert_eq!(spares.take().capacity(), 0);
        drop(held);
        let mut batch = Vec::with_capacity(3000);
        batch.extend_from_slice(b"batch");
        let (at, capacity) = (batch.as_ptr(), batch.capacity());
        spares.keep_bytes(batch.into());
        let again = spares.take();
        assert_eq!((again.as_ptr(), again.capacity()), (at, capacity));
    }

    #[test]
    fn idle_buffers_are_bounded_in_size_and_number() {
        let spares = Spares::new(1 << 20, 8 << 20);
        for _ in 0..100 {
            spares.keep(Vec::with_capacity(2 << 20));
            spares.keep(Vec::with_capacity((2 << 20) + 1));
        }
        let kept: Vec<_> =
            std::iter::from_fn(|| Some(spares.take()).filter(|it| 0 < it.capacity()))
                .map(|it| it.capacity())
                .collect();
        assert_eq!(kept, [2 << 20; 8]);
    }
}
