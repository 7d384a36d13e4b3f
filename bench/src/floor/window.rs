//! The bytes that have arrived and are not yet used: how are they read without copying?

use std::io::Read;
use std::net::TcpStream;

use crate::error::Error;

/// More is not read at once, so that what was read is still in the cache when it is used.
const READ: usize = 256 << 10;
/// Room for several reads, and small enough to stay in a second-level cache.
const ROOM: usize = 1 << 20;

/// A stretch of the stream, kept in one buffer that is used over and over.
#[derive(Debug)]
pub(super) struct Window<'a> {
    socket: &'a TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    received: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(socket: &'a TcpStream) -> Self {
        Self { socket, buffer: vec![0; ROOM], start: 0, end: 0, received: 0 }
    }

    /// Bytes read from the socket so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The next `len` bytes, waited for; they count as used.
    pub(super) fn take(&mut self, len: usize) -> Result<&[u8], Error> {
        while self.end - self.start < len {
            self.read(len)?;
        }
        let taken = self.start..self.start + len;
        self.start = taken.end;
        self.buffer.get(taken).ok_or(Error::Cut { what: "response" })
    }

    /// The next `N` bytes, waited for and not used.
    pub(super) fn peek<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        while self.end - self.start < N {
            self.read(N)?;
        }
        let ahead = self.buffer.get(self.start..).and_then(|bytes| bytes.first_chunk());
        ahead.copied().ok_or(Error::Cut { what: "response" })
    }

    pub(super) fn i32(&mut self) -> Result<i32, Error> {
        let field = self.peek()?;
        self.start += 4;
        Ok(i32::from_be_bytes(field))
    }

    /// Passes over bytes, whether they are in or not.
    pub(super) fn skip(&mut self, len: usize) -> Result<(), Error> {
        let mut left = len;
        while left > 0 {
            left -= self.take(left.min(READ))?.len();
        }
        Ok(())
    }

    /// One read; what is unused moves to the front when `len` bytes would not fit behind it.
    fn read(&mut self, len: usize) -> Result<(), Error> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + len > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let room = self.buffer.len().max(len);
            self.buffer.resize(room, 0);
        }
        let until = self.buffer.len().min(self.end + READ);
        let free = self.buffer.get_mut(self.end..until).unwrap_or_default();
        let read = self.socket.read(free).map_err(Error::io("read a response"))?;
        if read == 0 {
            return Err(Error::Cut { what: "response" });
        }
        self.end += read;
        self.received += u64::try_from(read).unwrap_or(0);
        Ok(())
    }
}
