//! A stream is cut into the same frames however its bytes arrive.

use bytes::Bytes;
use forebay_protocol::frame::{FrameError, Frames};

const LIMIT: usize = 1 << 20;

/// The first byte says in how large pieces the others arrive.
///
/// # Panics
/// When the pieces change the frames.
pub fn check(data: &[u8]) {
    let Some((&step, stream)) = data.split_first() else { return };
    let whole = cut(stream, stream.len().max(1));
    assert_eq!(cut(stream, usize::from(step) + 1), whole);
}

fn cut(stream: &[u8], step: usize) -> (Vec<Bytes>, Result<usize, FrameError>) {
    let mut frames = Frames::new(LIMIT);
    let mut found = Vec::new();
    for piece in stream.chunks(step) {
        frames.push(piece);
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(frames.buffered()))
}
