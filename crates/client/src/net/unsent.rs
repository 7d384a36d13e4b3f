//! What waits to be written to a socket: pieces in order, written together and never copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Pieces that follow each other.
#[derive(Debug, Default)]
pub(super) struct Unsent(VecDeque<Bytes>);

impl Unsent {
    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.0.push_back(piece);
        }
    }
}

impl Buf for Unsent {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).fold(0, usize::saturating_add)
    }

    fn has_remaining(&self) -> bool {
        !self.0.is_empty()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.0);
        pairs.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.0.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_together_and_leave_as_far_as_they_were_taken() {
        let mut unsent = Unsent::default();
        for piece in ["head", "", "a long batch", "tail"] {
            unsent.push(Bytes::from_static(piece.as_bytes()));
        }
        assert_eq!(unsent.remaining(), 20);
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(unsent.chunks_vectored(&mut slices), 2);
        assert_eq!([&*slices[0], &*slices[1]], [&b"head"[..], b"a long batch"]);
        unsent.advance(6);
        assert_eq!(unsent.chunk(), b"long batch");
        assert_eq!(unsent.copy_to_bytes(14), Bytes::from_static(b"long batchtail"));
        assert!(!unsent.has_remaining());
    }
}
