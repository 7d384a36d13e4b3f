//! Frames out of a stream of bytes: four bytes of length, then so many bytes.

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::{EncodeError, Writer};

/// The most bytes that a frame may have when nothing else was said: 100 MiB.
pub const DEFAULT_LIMIT: usize = 100 * 1024 * 1024;

/// How much room is made for the next reads, when less than [`SPARE`] is left.
const STEP: usize = 64 * 1024;
const SPARE: usize = 4 * 1024;

const PREFIX: usize = 4;

/// Bytes that are no frame. The connection is out of step: close it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame beyond the limit.
    #[error(
        "a frame of {len} bytes was announced, and at most {limit} are accepted: raise the limit \
         if the broker may send as much"
    )]
    TooLarge {
        /// What was announced.
        len: usize,
        /// What is accepted.
        limit: usize,
    },
    /// A length below zero.
    #[error("a frame of {len} bytes was announced, which is no length: is this a Kafka port?")]
    Negative {
        /// What was announced.
        len: i32,
    },
    /// The first bytes are of another protocol.
    #[error("{0}")]
    NotKafka(Stranger),
}

/// What is on the other side instead of a Kafka broker that speaks as we do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Stranger {
    /// The first bytes are a TLS alert or handshake.
    #[error(
        "the port speaks TLS, expected Kafka's protocol in plain: use TLS here, or the address of \
         a listener without it"
    )]
    Tls,
    /// The first bytes are those of an HTTP server.
    #[error(
        "the port speaks HTTP, expected Kafka's protocol: use the address of one of the broker's \
         listeners"
    )]
    Http,
}

/// Cuts a stream into frames. Memory grows with the bytes that came, not with the length announced.
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    limit: usize,
    is_first: bool,
}

impl Frames {
    /// Accepts frames of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit, is_first: true }
    }

    /// Takes bytes that came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.room();
        self.buffer.extend_from_slice(bytes);
    }

    /// Where the next bytes may be read into: a buffer with spare room, to which the reader
    /// appends. What is in it already must stay.
    pub fn room(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < SPARE {
            // Doubles, so that a large frame is moved a few times only.
            self.buffer.reserve(self.missing().min(self.buffer.len()).max(STEP));
        }
        &mut self.buffer
    }

    /// The next whole frame, without its length; `None` until more bytes came.
    ///
    /// # Errors
    /// When what came cannot be a frame. No frame comes after that.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(len) = self.announced()? else {
            return Ok(None);
        };
        if self.buffer.len() < PREFIX + len {
            return Ok(None);
        }
        self.is_first = false;
        self.buffer.advance(PREFIX);
        Ok(Some(self.buffer.split_to(len).freeze()))
    }

    /// How many bytes came and are in no frame yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes the frame that has begun still needs.
    fn missing(&self) -> usize {
        let len = self.buffer.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        len.min(self.limit).saturating_add(PREFIX).saturating_sub(self.buffer.len())
    }

    fn announced(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let announced = i32::from_be_bytes(*prefix);
        let len = usize::try_from(announced).ok().filter(|len| *len <= self.limit);
        match (stranger(*prefix), len, usize::try_from(announced)) {
            // A server of another kind answers at once: its bytes are the first.
            (Some(stranger), None, _) => Err(FrameError::NotKafka(stranger)),
            (Some(stranger), ..) if self.is_first => Err(FrameError::NotKafka(stranger)),
            (_, Some(len), _) => Ok(Some(len)),
            (_, None, Ok(len)) => Err(FrameError::TooLarge { len, limit: self.limit }),
            (_, None, Err(_)) => Err(FrameError::Negative { len: announced }),
        }
    }
}

/// Whose first four bytes these are, when they are not a length.
const fn stranger(prefix: [u8; PREFIX]) -> Option<Stranger> {
    match prefix {
        // Alert and handshake, of SSL 3.0 to TLS 1.3.
        [0x15 | 0x16, 3, 0..=4, _] => Some(Stranger::Tls),
        [b'H', b'T', b'T', b'P'] => Some(Stranger::Http),
        _ => None,
    }
}

/// What `write` writes, behind its length, long values in parts of their own. It is called twice: to count, and to write.
pub(crate) fn framed(
    write: impl Fn(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Writer, EncodeError> {
    let mut counter = Writer::counting();
    write(&mut counter)?;
    let mut writer = Writer::with_capacity(counter.copied() + PREFIX);
    writer.i32(counter.frame_len()?);
    write(&mut writer)?;
    Ok(writer)
}

#[cfg(test)]
mod tests;
