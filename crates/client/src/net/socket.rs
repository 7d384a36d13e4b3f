//! Moves bytes between one stream and one connection machine; decides nothing.

use std::io;

use bytes::{Buf, Bytes};
use forebay_core::connection::{Config, Connection, Fault, Handshake, Output, Step, Versions};
use forebay_protocol::frame::Frames;
use forebay_protocol::wire::Str;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::call::Call;
use super::connector::Stream;
use super::unsent::Unsent;
use crate::error::Error;
use crate::runtime::Clock;

/// Runs the handshake on a new stream: for lanes, which use their streams in their own way after
/// it. Bound it in time from outside; cancel safe in that a dropped handshake drops the stream.
///
/// # Errors
///
/// What makes the stream useless.
pub(crate) async fn handshake(
    stream: &mut Stream,
    client_id: Str,
    receive_max_bytes: usize,
) -> Result<Versions, Fault> {
    let mut handshake = Handshake::new(client_id);
    let mut frames = Frames::new(receive_max_bytes);
    let mut send = handshake.first()?;
    loop {
        stream.write_all(&send).await.map_err(lost)?;
        match handshake.handle_frame(read_frame(stream, &mut frames).await?)? {
            Step::Send(next) => send = next,
            Step::Ready(_) if 0 < frames.buffered() => return Err(Fault::Unasked),
            Step::Ready(versions) => return Ok(versions),
        }
    }
}

/// The next whole frame.
pub(super) async fn read_frame(stream: &mut Stream, frames: &mut Frames) -> Result<Bytes, Fault> {
    loop {
        if let Some(frame) = frames.next_frame()? {
            return Ok(frame);
        }
        if stream.read_buf(frames.room()).await.map_err(lost)? == 0 {
            return Err(Fault::Disconnected);
        }
    }
}

fn lost(_: io::Error) -> Fault {
    Fault::Disconnected
}

/// What the owner of a connection is told.
pub(super) trait Listener {
    /// The handshake is done.
    fn ready(&mut self, versions: &Versions);
    /// The call never left.
    fn returned(&mut self, call: Call);
    /// The call failed on this connection.
    fn error(&self, fault: Fault) -> Error;
}

/// One stream, its machine, and bytes that wait to be written.
pub(super) struct Socket<'a, L> {
    connection: Connection<Call>,
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    unsent: Unsent,
    listener: &'a mut L,
    clock: Clock,
    ended: Option<Fault>,
}

impl<'a, L: Listener> Socket<'a, L> {
    pub(super) fn new(stream: Stream, config: Config, clock: Clock, listener: &'a mut L) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            connection: Connection::new(config, clock.now()),
            reader,
            writer,
            unsent: Unsent::default(),
            listener,
            clock,
            ended: None,
        }
    }

    /// Serves `calls` until the connection ends; says why it did. Ends at once when all senders of
    /// calls are gone and nothing is on its way.
    pub(super) async fn run(mut self, calls: &mut mpsc::UnboundedReceiver<Call>) -> Fault {
        let max_idle = self.connection.max_idle();
        let mut used_at = self.clock.boot();
        loop {
            self.deliver();
            if let Some(fault) = self.ended.take() {
                return fault;
            }
            let deadline = self.connection.poll_timeout(self.clock.now());
            tokio::select! {
                biased;
                written = self.writer.write_buf(&mut self.unsent), if self.unsent.has_remaining() => {
                    self.written(&written);
                }
                read = self.reader.read_buf(self.connection.room()) => {
                    used_at = self.clock.boot();
                    self.read(&read);
                }
                call = calls.recv() => {
                    // Timers stand still while the machine is suspended; a load balancer does not.
                    if max_idle < self.clock.boot().since(used_at) {
                        self.connection.handle_fault(&Fault::ClosedHere);
                    }
                    self.called(call);
                }
                () = self.clock.sleep_until(deadline) => {
                    self.connection.handle_timeout(self.clock.now());
                }
            }
        }
    }

    fn written(&mut self, written: &io::Result<usize>) {
        if !matches!(written, Ok(count) if 0 < *count) {
            self.connection.handle_fault(&Fault::Disconnected);
        }
    }

    fn read(&mut self, read: &io::Result<usize>) {
        match read {
            Ok(count) if 0 < *count => self.connection.handle_read(self.clock.now()),
            _ => self.connection.handle_fault(&Fault::Disconnected),
        }
    }

    fn called(&mut self, call: Option<Call>) {
        match call {
            Some(call) => {
                let timeout = call.timeout;
                self.connection.handle_call(self.clock.now(), call, timeout);
            }
            None => self.connection.handle_fault(&Fault::ClosedHere),
        }
    }

    /// Carries out what the machine asks for.
    fn deliver(&mut self) {
        while let Some(output) = self.connection.poll_output() {
            match output {
                Output::Write(frame) => self.unsent.push(frame),
                Output::Ready(versions) => self.listener.ready(&versions),
                Output::Answer { call, version, frame } => match call.answer(version, frame) {
                    Ok(quiet) => self.connection.handle_throttle(self.clock.now(), quiet),
                    Err(fault) => self.connection.handle_fault(&fault),
                },
                Output::Fail { call, fault } => call.fail(self.listener.error(fault)),
                Output::Return { call } => self.listener.returned(call),
                Output::Close(fault) => self.ended = Some(fault),
            }
        }
    }
}
