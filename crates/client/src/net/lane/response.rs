//! One response of a lane, from its first byte to its last.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use forebay_core::connection::Fault;
use forebay_core::fetch::lane::Records;
use forebay_core::shard::LaneState;
use forebay_protocol::api::ApiKey;
use forebay_protocol::fetch_stream::{Event, FetchStream, StreamError, StreamFault};
use forebay_protocol::frame::FrameError;
use forebay_protocol::wire::{Lengths, Reader};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::{LaneDriver, Stop};
use crate::budget::Lease;
use crate::net::connector::Stream;

/// Most bytes of one read: what fits into the cache together with the work on it.
const READ_MAX: usize = 256 << 10;

/// Largest response that is taken for one, in bytes.
const RESPONSE_MAX: usize = 1 << 30;

/// What reading one response takes.
pub(super) struct Reading<'a> {
    stream: &'a mut Stream,
    reserved: &'a mut Lease,
    /// Longest silence.
    limit: Duration,
    until: Instant,
}

/// Most bytes of tagged fields in a response header.
const READ_TAGS_MAX: usize = 64 << 10;

async fn read_some(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    most: usize,
) -> std::io::Result<usize> {
    let spare = buffer.capacity().saturating_sub(buffer.len());
    stream.read_buf(&mut buffer.limit(most.min(spare))).await
}

impl LaneDriver {
    /// Reads one response. Says whether the next request was sent with its last byte.
    pub(super) async fn answer(
        &mut self,
        stream: &mut Stream,
        reserved: &mut Lease,
    ) -> Result<bool, Stop> {
        let limit = self.setup.config.max_wait + self.setup.request_timeout;
        let mut reading = Reading { stream, reserved, limit, until: Instant::now() + limit };
        self.head(&mut reading).await?;
        let mut parser = FetchStream::new(self.version, self.unread_body()).map_err(Fault::from)?;
        let throttle = loop {
            let event = parser.next(self.chunks.buffer()).map_err(Fault::from)?;
            if let Event::NeedMore { at_least } = event {
                self.deliver().await;
                if self.batch_max() < at_least {
                    self.leave_out(at_least, &mut parser)?;
                    continue;
                }
                self.fill(&mut reading, at_least).await?;
            } else if let Event::ResponseEnd(end) = event {
                self.machine.handle_response_end(&end);
                break self.machine.take_throttle();
            } else {
                self.event(event, &mut parser);
            }
        };
        self.hear_waiting()?;
        self.give_back();
        let goes_on = throttle.is_zero() && self.ask_again(&mut reading).await?;
        self.deliver().await;
        if !throttle.is_zero() {
            self.tell(LaneState::Unable);
            self.hear_until(Some(Instant::now() + throttle)).await?;
        }
        Ok(goes_on)
    }

    /// Sends the next Fetch at once when there is something to ask for and room for it.
    async fn ask_again(&mut self, reading: &mut Reading<'_>) -> Result<bool, Stop> {
        self.machine.handle_timeout(self.setup.clock.now());
        if !self.machine.is_ready() || self.machine.has_unchecked() {
            return Ok(false);
        }
        let wanted = self.machine.response_bytes() as usize + self.chunks.size();
        let missing = wanted.saturating_sub(reading.reserved.bytes());
        let Some(more) = self.setup.budget.try_reserve(missing) else { return Ok(false) };
        reading.reserved.merge(more);
        self.ask(reading.stream).await?;
        Ok(true)
    }

    /// Largest batch that has room beside its own work, in bytes.
    fn batch_max(&self) -> usize {
        self.setup.budget.total() / 2
    }

    /// A batch that would not fit: its partition stops with an error, the others go on.
    fn leave_out(&mut self, bytes: usize, parser: &mut FetchStream) -> Result<(), Stop> {
        let limit = self.batch_max();
        if !self.machine.handle_too_large(bytes as u64, limit as u64) {
            return Err(Fault::from(FrameError::TooLarge { len: bytes, limit }).into());
        }
        parser.skip_records();
        Ok(())
    }

    fn event(&mut self, event: Event, parser: &mut FetchStream) {
        match event {
            Event::ResponseHead(head) => self.machine.handle_response_head(&head),
            Event::PartitionHead(head) => {
                let now = self.setup.clock.now();
                if self.machine.handle_partition(now, head) == Records::Skip {
                    parser.skip_records();
                }
            }
            Event::Batches(cut) => {
                let bytes = self.chunks.pin(cut.bytes.clone());
                self.machine.handle_batches(&cut, &bytes, parser.heads());
            }
            Event::Corrupt(error) => self.machine.handle_corrupt(error),
            Event::PartitionTail(tail) => self.machine.handle_tail(&tail),
            Event::NeedMore { .. } | Event::ResponseEnd(_) | _ => {}
        }
    }

    /// Length and header of a response.
    async fn head(&mut self, reading: &mut Reading<'_>) -> Result<(), Stop> {
        self.unread = usize::MAX;
        let head_len = if ApiKey::Fetch.api().flexible_from <= self.version { 9 } else { 8 };
        self.fill(reading, head_len).await?;
        let buffer = self.chunks.buffer();
        let length = buffer.get_i32();
        let Some(length) = usize::try_from(length)
            .ok()
            .filter(|length| (head_len - 4..=RESPONSE_MAX).contains(length))
        else {
            let error = match usize::try_from(length) {
                Ok(len) => FrameError::TooLarge { len, limit: RESPONSE_MAX },
                Err(_) => FrameError::Negative { len: length },
            };
            return Err(Fault::from(error).into());
        };
        // What was read beyond the frame would belong to an answer that nobody asked for.
        let Some(unread) = length.checked_sub(buffer.len()) else {
            return Err(Fault::Unasked.into());
        };
        self.unread = unread;
        let found = buffer.get_i32();
        if found != self.correlation {
            return Err(Fault::Correlation { expected: self.correlation, found }.into());
        }
        if head_len == 9 {
            self.skip_tags(reading).await?;
        }
        Ok(())
    }

    /// A flexible header ends with tagged fields; none is known, so all are skipped by length.
    async fn skip_tags(&mut self, reading: &mut Reading<'_>) -> Result<(), Stop> {
        loop {
            let buffer = self.chunks.buffer();
            let mut reader = Reader::new(Bytes::copy_from_slice(
                buffer.get(..buffer.len().min(READ_TAGS_MAX)).unwrap_or_default(),
            ));
            reader.begin("ResponseHeader", Lengths::Compact);
            match reader.skip_tags() {
                Ok(()) => {
                    buffer.advance(reader.position());
                    return Ok(());
                }
                Err(error) if self.unread == 0 || READ_TAGS_MAX <= buffer.len() => {
                    return Err(Fault::from(error).into());
                }
                Err(_) => {
                    let at_least = buffer.len() + 1;
                    self.fill(reading, at_least).await?;
                }
            }
        }
    }

    /// Reads until the buffer holds `at_least` bytes, hearing orders meanwhile.
    async fn fill(&mut self, reading: &mut Reading<'_>, at_least: usize) -> Result<(), Stop> {
        if self.unread < at_least.saturating_sub(self.chunks.buffer().len()) {
            let fault =
                StreamFault::Overrun { field: "response", needed: at_least, left: self.unread };
            return Err(Fault::from(StreamError { at: self.chunks.buffer().len(), fault }).into());
        }
        while self.chunks.buffer().len() < at_least {
            self.chunks.make_room(at_least, reading.reserved);
            let most = self.unread.min(READ_MAX);
            let read = tokio::select! {
                biased;
                order = self.orders.recv() => {
                    self.hear(order)?;
                    continue;
                }
                read = read_some(reading.stream, self.chunks.buffer(), most) => read,
                () = tokio::time::sleep_until(reading.until) => {
                    return Err(Fault::Timeout { api: "Fetch", after: reading.limit }.into());
                }
            };
            let read = read.map_err(|_| Fault::Disconnected)?;
            if read == 0 {
                return Err(Fault::Disconnected.into());
            }
            self.setup.traffic.read(read);
            reading.until = Instant::now() + reading.limit;
            if self.unread != usize::MAX {
                self.unread -= read;
            }
        }
        Ok(())
    }

    fn unread_body(&mut self) -> usize {
        self.unread + self.chunks.buffer().len()
    }
}
