//! The bytes of one answer: several slices that go out as one frame, without being copied together.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A frame for a client, length prefix included. Write it with a vectored write: it is a [`Buf`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    parts: VecDeque<Bytes>,
}

impl Answer {
    /// A frame around `body`: its length and what stands in front, then the body.
    pub(crate) fn frame(header: &[u8], body: Vec<Bytes>) -> Self {
        let len = header.len() + body.iter().map(Bytes::len).sum::<usize>();
        let mut front = BytesMut::with_capacity(4 + header.len());
        front.put_i32(i32::try_from(len).unwrap_or(i32::MAX));
        front.put_slice(header);
        let mut parts = VecDeque::with_capacity(1 + body.len());
        parts.push_back(front.freeze());
        parts.extend(body.into_iter().filter(|part| !part.is_empty()));
        Self { parts }
    }

    /// Any bytes, for tests that send what no broker would.
    #[must_use]
    pub fn raw(bytes: Bytes) -> Self {
        Self { parts: VecDeque::from([bytes]) }
    }

    /// All of it in one piece, copied.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut all = BytesMut::with_capacity(self.remaining());
        self.parts.iter().for_each(|part| all.put_slice(part));
        all.freeze()
    }

    /// Only the first `len` bytes of it.
    pub(crate) fn cut(&mut self, len: usize) {
        let mut left = len;
        for part in &mut self.parts {
            part.truncate(left);
            left = left.saturating_sub(part.len());
        }
        self.parts.retain(|part| !part.is_empty());
    }
}

impl Buf for Answer {
    fn remaining(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], Bytes::as_ref)
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.parts.front_mut() {
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.parts.pop_front();
        }
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let filled = self.parts.len().min(out.len());
        for (slot, part) in out.iter_mut().zip(&self.parts) {
            *slot = IoSlice::new(part);
        }
        filled
    }
}
