//! One broker as we reach it: connected, or to be left alone for a while.

use std::time::Duration;

use crate::backoff::{self, Backoff};
use crate::connection::Fault;
use crate::rng::Rng;
use crate::time::Instant;

/// How a broker can be reached.
#[derive(Debug)]
pub(super) struct Peer {
    state: State,
    backoff: Backoff,
    last_fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// No connection; dial from this time on.
    Down { dial_at: Instant },
    /// A connection is being made.
    Opening,
    /// The handshake is done.
    Up,
}

impl Peer {
    pub(super) const fn new(config: backoff::Config) -> Self {
        Self {
            state: State::Down { dial_at: Instant::from_nanos(0) },
            backoff: Backoff::new(config),
            last_fault: None,
        }
    }

    /// Something is sent: without a connection this dials.
    pub(super) fn used(&mut self) {
        if matches!(self.state, State::Down { .. }) {
            self.state = State::Opening;
        }
    }

    /// The handshake is done.
    pub(super) fn up(&mut self) {
        self.state = State::Up;
        self.backoff.succeed();
        self.last_fault = None;
    }

    /// The connection is gone. One that we closed ourselves, idle, is no failure.
    pub(super) fn down(&mut self, now: Instant, fault: Fault, rng: &mut Rng) {
        let wait = if fault == Fault::ClosedHere { Duration::ZERO } else { self.backoff.fail(rng) };
        self.state = State::Down { dial_at: now.after(wait) };
        self.last_fault = Some(fault);
    }

    /// When something may be sent: now or at the end of the back-off.
    pub(super) fn usable_at(&self, now: Instant) -> Instant {
        match self.state {
            State::Down { dial_at } => dial_at.max(now),
            State::Opening | State::Up => now,
        }
    }

    /// Whether the handshake is done.
    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// What the last connection ended with.
    pub(super) const fn last_fault(&self) -> Option<&Fault> {
        self.last_fault.as_ref()
    }
}
