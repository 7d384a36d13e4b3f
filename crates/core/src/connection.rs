//! One control connection: handshake, then requests and answers in order.
//!
//! ```text
//!   Handshaking --versions--> Ready --fault, idle--> Closed
//!        |                      ^ |
//!        +------- fault --------|-+--> Closed
//!              requests wait ---+
//! ```
//!
//! Bytes in, bytes out: a driver moves them. The connection ends with its first fault, and says
//! which requests were on their way (nobody knows whether they happened) and which never left.

mod fault;
mod handshake;
mod in_flight;
mod versions;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use forebay_protocol::api::ApiKey;
use forebay_protocol::frame::Frames;
use forebay_protocol::response;
use forebay_protocol::wire::Str;

use crate::time::Instant;
pub use fault::Fault;
pub use handshake::{Handshake, Step};
use in_flight::InFlight;
pub use versions::Versions;

/// The longest quiet that is kept: brokers ask for seconds, and one that goes on needing it asks
/// again. A wrong number is not to silence a connection for weeks.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// What the machine needs to know from the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name the broker sees.
    pub client_id: Str,
    /// How long the handshake may take.
    pub setup_timeout: Duration,
    /// A connection that was not used for this long is closed.
    pub max_idle: Duration,
    /// Largest frame that is accepted.
    pub receive_max_bytes: usize,
    /// Requests on their way at once.
    pub max_in_flight: usize,
}

/// A request that the machine can write when it knows the version.
pub trait Call {
    /// The API it belongs to.
    fn api(&self) -> ApiKey;

    /// The oldest and the newest version the caller can use, whatever the broker offers.
    fn accepts(&self) -> (i16, i16) {
        (0, i16::MAX)
    }

    /// The whole frame, in parts that follow each other.
    ///
    /// # Errors
    ///
    /// [`Fault::Unwritable`] when the version lacks what the request says.
    fn encode(&self, version: i16, correlation: i32, client_id: &Str) -> Result<Vec<Bytes>, Fault>;
}

/// What the machine asks of the world.
#[derive(Debug, Eq, PartialEq)]
pub enum Output<C> {
    /// Write these bytes, after those that were said before.
    Write(Bytes),
    /// The handshake is done.
    Ready(Versions),
    /// This frame, without its length, answers the call.
    Answer {
        /// Which call.
        call: C,
        /// The version both were written in.
        version: i16,
        /// The frame.
        frame: Bytes,
    },
    /// The call failed: it may have happened, or can never be written.
    Fail {
        /// Which call.
        call: C,
        /// Why.
        fault: Fault,
    },
    /// The call never left: another connection may try it.
    Return {
        /// Which call.
        call: C,
    },
    /// The connection is over: close the socket. The last output.
    Close(Fault),
}

#[derive(Debug)]
enum State {
    Handshaking { handshake: Handshake, deadline: Instant },
    Ready { versions: Versions, idle_at: Instant },
    Closed,
}

/// The machine.
#[derive(Debug)]
pub struct Connection<C> {
    config: Config,
    state: State,
    frames: Frames,
    in_flight: InFlight<C>,
    outputs: VecDeque<Output<C>>,
}

impl<C: Call> Connection<C> {
    /// A socket is open: the handshake begins.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let handshake = Handshake::new(config.client_id.clone());
        let first = handshake.first();
        let deadline = now.after(config.setup_timeout);
        let mut connection = Self {
            frames: Frames::new(config.receive_max_bytes),
            in_flight: InFlight::new(config.max_in_flight),
            config,
            state: State::Handshaking { handshake, deadline },
            outputs: VecDeque::new(),
        };
        match first {
            Ok(frame) => connection.outputs.push_back(Output::Write(frame)),
            Err(fault) => connection.close(&fault),
        }
        connection
    }

    /// A request; its answer must come within `timeout` from now, quiet time not counted.
    pub fn handle_call(&mut self, now: Instant, call: C, timeout: Duration) {
        if matches!(self.state, State::Closed) {
            self.outputs.push_back(Output::Return { call });
            return;
        }
        let api = call.api().name();
        self.in_flight.push(now, call, api, timeout);
        self.write(now);
    }

    /// Where the driver reads into: it appends, then calls [`handle_read`](Self::handle_read).
    pub fn room(&mut self) -> &mut BytesMut {
        self.frames.room()
    }

    /// Bytes came.
    pub fn handle_read(&mut self, now: Instant) {
        while !matches!(self.state, State::Closed) {
            match self.frames.next_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => self.handle_frame(now, frame),
                Err(error) => self.close(&error.into()),
            }
        }
    }

    /// The broker asks for quiet (KIP-219): an answer carried a throttle time.
    pub fn handle_throttle(&mut self, now: Instant, quiet: Duration) {
        if !quiet.is_zero() {
            self.in_flight.mute(now, quiet.min(QUIET_MAX));
        }
    }

    /// Something outside ended the connection: the peer, the socket, an answer that does not
    /// decode, our own end.
    pub fn handle_fault(&mut self, fault: &Fault) {
        self.close(fault);
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(fault) = self.overdue(now) {
            self.close(&fault);
        } else {
            self.write(now);
        }
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output<C>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let own = match self.state {
            State::Handshaking { deadline, .. } => Some(deadline),
            State::Ready { idle_at, .. } => self.in_flight.is_empty().then_some(idle_at),
            State::Closed => return None,
        };
        own.into_iter().chain(self.in_flight.next_deadline(now)).min()
    }

    /// A connection that was not used for this long is closed.
    #[must_use]
    pub const fn max_idle(&self) -> Duration {
        self.config.max_idle
    }

    /// Whether the connection is over.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn handle_frame(&mut self, now: Instant, frame: Bytes) {
        let outcome = match &mut self.state {
            State::Handshaking { handshake, .. } => handshake.handle_frame(frame).map(Some),
            State::Ready { .. } => self.handle_answer(frame).map(|()| None),
            State::Closed => return,
        };
        match outcome {
            Ok(Some(Step::Send(frame))) => self.outputs.push_back(Output::Write(frame)),
            Ok(Some(Step::Ready(versions))) => self.enter_ready(now, versions),
            Ok(None) => {
                self.touch(now);
                self.write(now);
            }
            Err(fault) => self.close(&fault),
        }
    }

    fn handle_answer(&mut self, frame: Bytes) -> Result<(), Fault> {
        let found = response::correlation_id(&frame)?;
        let in_flight::Answered { call, version } = self.in_flight.answer(found)?;
        self.outputs.push_back(Output::Answer { call, version, frame });
        Ok(())
    }

    fn enter_ready(&mut self, now: Instant, versions: Versions) {
        self.outputs.push_back(Output::Ready(versions.clone()));
        self.state = State::Ready { versions, idle_at: now.after(self.config.max_idle) };
        self.write(now);
    }

    fn touch(&mut self, now: Instant) {
        if let State::Ready { idle_at, .. } = &mut self.state {
            *idle_at = now.after(self.config.max_idle);
        }
    }

    /// Writes what may be written.
    fn write(&mut self, now: Instant) {
        let State::Ready { versions, .. } = &self.state else { return };
        let before = self.outputs.len();
        while self.in_flight.may_send(now) {
            let Some((call, correlation)) = self.in_flight.next() else { break };
            let frame = versions.meet(call.api(), call.accepts()).and_then(|version| {
                let frame = call.encode(version, correlation, &self.config.client_id)?;
                Ok((version, frame))
            });
            match frame {
                Ok((version, frame)) => {
                    self.in_flight.sent(version);
                    self.outputs.extend(frame.into_iter().map(Output::Write));
                }
                Err(fault) => {
                    let refused = self.in_flight.refuse();
                    self.outputs.extend(refused.map(|call| Output::Fail { call, fault }));
                }
            }
        }
        if before < self.outputs.len() {
            self.touch(now);
        }
    }

    fn overdue(&self, now: Instant) -> Option<Fault> {
        match self.state {
            State::Handshaking { deadline, .. } if deadline <= now => {
                Some(Fault::Setup { after: self.config.setup_timeout })
            }
            State::Ready { idle_at, .. } if self.in_flight.is_empty() && idle_at <= now => {
                Some(Fault::ClosedHere)
            }
            State::Handshaking { .. } | State::Ready { .. } => self.in_flight.overdue(now),
            State::Closed => None,
        }
    }

    fn close(&mut self, fault: &Fault) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.state = State::Closed;
        let (sent, waiting) = self.in_flight.take_all();
        let failed = sent.into_iter().map(|call| Output::Fail { call, fault: fault.clone() });
        self.outputs.extend(failed);
        self.outputs.extend(waiting.into_iter().map(|call| Output::Return { call }));
        self.outputs.push_back(Output::Close(fault.clone()));
    }
}

#[cfg(test)]
mod tests;
