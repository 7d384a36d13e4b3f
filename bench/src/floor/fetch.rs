//! One Fetch after the other: what is asked, and where in the answer do the batches lie?

use std::io::Write;
use std::net::TcpStream;

use super::Options;
use super::batch::{HEADER, Header, Walker};
use super::window::Window;
use crate::error::Error;

/// A batch's base offset and length, which tell whether all of it was sent.
const PREFIX: usize = 12;

/// The connection with the position of every partition.
#[derive(Debug)]
pub(super) struct Fetcher<'a> {
    socket: &'a TcpStream,
    window: Window<'a>,
    options: &'a Options,
    positions: Vec<i64>,
    /// Whose turn it is to stand first in the request, where the size limit does not reach.
    turn: usize,
    correlation: i32,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(socket: &'a TcpStream, options: &'a Options) -> Self {
        let positions = (0..options.partitions).map(|_| 0).collect();
        let window = Window::new(socket);
        Self { socket, window, options, positions, turn: 0, correlation: 0 }
    }

    /// Bytes of responses so far.
    pub(super) fn received(&self) -> u64 {
        self.window.received()
    }

    /// Sends one Fetch and walks the answer while it arrives.
    pub(super) fn round(&mut self, walker: &mut Walker) -> Result<(), Error> {
        let request = self.request();
        self.socket.write_all(&request).map_err(Error::io("send a Fetch"))?;
        // Length, correlation id, throttle time.
        self.window.skip(12)?;
        let code = i16::from_be_bytes(self.window.peek()?);
        if code != 0 {
            return Err(Error::Refused { what: "Fetch", code });
        }
        // The error code and the session's id.
        self.window.skip(2 + 4)?;
        for _ in 0..self.window.i32()? {
            let name = usize::from(u16::from_be_bytes(self.window.peek()?));
            self.window.skip(2 + name)?;
            for _ in 0..self.window.i32()? {
                self.partition(walker)?;
            }
        }
        Ok(())
    }

    fn partition(&mut self, walker: &mut Walker) -> Result<(), Error> {
        let partition = self.window.i32()?;
        let code = i16::from_be_bytes(self.window.peek()?);
        if code != 0 {
            return Err(Error::Refused { what: "Fetch of a partition", code });
        }
        // Error code, high watermark, last stable offset, log start offset.
        self.window.skip(2 + 8 + 8 + 8)?;
        let aborted = usize::try_from(self.window.i32()?).unwrap_or(0);
        self.window.skip(aborted * 16 + 4)?;
        let mut left = usize::try_from(self.window.i32()?).unwrap_or(0);
        while left >= PREFIX {
            let prefix = self.window.peek::<PREFIX>()?;
            let len = Header::whole_len(&prefix).ok_or_else(cut)?;
            if len > left || left < HEADER {
                break;
            }
            let bytes = self.window.take(len)?;
            let next = walker.batch(bytes).ok_or_else(|| Error::Malformed {
                what: "a batch",
                partition,
                offset: Header::base(&prefix),
            })?;
            left -= len;
            self.advance(partition, next);
        }
        // A broker cuts the last batch where the size limit falls; the rest comes again.
        self.window.skip(left)
    }

    fn advance(&mut self, partition: i32, next: i64) {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        if let Some(position) = self.positions.get_mut(index) {
            *position = next;
        }
    }

    /// A full Fetch of version 11 without a session, all partitions in turn.
    fn request(&mut self) -> Vec<u8> {
        let mut body = Vec::with_capacity(96 + self.positions.len() * 28);
        self.correlation = self.correlation.wrapping_add(1);
        put(&mut body, &[&1_i16.to_be_bytes(), &11_i16.to_be_bytes()]);
        put(&mut body, &[&self.correlation.to_be_bytes(), &5_i16.to_be_bytes(), b"floor"]);
        // Replica, longest wait in ms, least bytes, most bytes, read uncommitted.
        put(&mut body, &[&(-1_i32).to_be_bytes(), &500_i32.to_be_bytes(), &1_i32.to_be_bytes()]);
        put(&mut body, &[&self.options.max_bytes.to_be_bytes(), &[0]]);
        // No session, one topic.
        put(&mut body, &[&0_i32.to_be_bytes(), &(-1_i32).to_be_bytes(), &1_i32.to_be_bytes()]);
        let topic = self.options.topic.as_bytes();
        put(&mut body, &[&u16::try_from(topic.len()).unwrap_or(0).to_be_bytes(), topic]);
        put(&mut body, &[&self.options.partitions.to_be_bytes()]);
        self.turn = (self.turn + 1) % self.positions.len().max(1);
        let numbered = (0_i32..).zip(&self.positions);
        let (before, first) = (numbered.clone().take(self.turn), numbered.skip(self.turn));
        for (partition, position) in first.chain(before) {
            put(&mut body, &[&partition.to_be_bytes(), &(-1_i32).to_be_bytes()]);
            put(&mut body, &[&position.to_be_bytes(), &(-1_i64).to_be_bytes()]);
            put(&mut body, &[&self.options.partition_max_bytes.to_be_bytes()]);
        }
        // Nothing forgotten, no rack.
        put(&mut body, &[&0_i32.to_be_bytes(), &0_i16.to_be_bytes()]);
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [len.to_be_bytes().as_slice(), &body].concat()
    }
}

fn put(to: &mut Vec<u8>, fields: &[&[u8]]) {
    for field in fields {
        to.extend_from_slice(field);
    }
}

fn cut() -> Error {
    Error::Cut { what: "response" }
}
