//! One broker as the producer reaches it: a connection, and how many requests are on it.
//!
//! ```text
//!   Down --must_dial--> Opening --up--> Up
//!    ^                     |             |
//!    +------- down, with back-off -------+
//! ```

use std::time::Duration;

use super::Down;
use crate::backoff::{self, Backoff};
use crate::rng::Rng;
use crate::time::Instant;

/// How many of a producer's batches a broker remembers in each partition: a retry of another one is
/// to it a gap, though it may have been stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// The last one: Kafka 0.11.
    One,
    /// Five: from 1.0 on (KAFKA-5494).
    Five,
}

impl Memory {
    /// First version of Produce of brokers that remember five.
    const FIVE_FROM: i16 = 5;

    /// Of a broker that speaks Produce up to this version.
    #[must_use]
    pub const fn of(produce: i16) -> Self {
        if produce < Self::FIVE_FROM { Self::One } else { Self::Five }
    }
}

#[derive(Debug)]
pub(super) struct Broker {
    state: State,
    memory: Memory,
    backoff: Backoff,
    in_flight: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Down { dial_at: Instant },
    Opening,
    Up,
}

impl Broker {
    pub(super) const fn new(reconnect: backoff::Config) -> Self {
        let state = State::Down { dial_at: Instant::from_nanos(0) };
        Self { state, memory: Memory::Five, backoff: Backoff::new(reconnect), in_flight: 0 }
    }

    /// Whether somebody must connect now; says so once per attempt.
    pub(super) fn must_dial(&mut self, now: Instant) -> bool {
        let due = matches!(self.state, State::Down { dial_at } if dial_at <= now);
        if due {
            self.state = State::Opening;
        }
        due
    }

    /// When the next attempt to connect may be made, while there is no connection.
    pub(super) const fn dial_at(&self) -> Option<Instant> {
        match self.state {
            State::Down { dial_at } => Some(dial_at),
            State::Opening | State::Up => None,
        }
    }

    /// Batches of one partition that may be on their way, of `most`.
    pub(super) const fn remembers(&self, most: usize) -> usize {
        match self.memory {
            Memory::One => 1,
            Memory::Five => most,
        }
    }

    pub(super) const fn up(&mut self, memory: Memory) {
        self.state = State::Up;
        self.memory = memory;
        self.backoff.succeed();
    }

    pub(super) fn down(&mut self, now: Instant, how: Down, rng: &mut Rng) {
        let wait = match how {
            Down::Idle => Duration::ZERO,
            Down::Failed => self.backoff.fail(rng),
        };
        self.state = State::Down { dial_at: now.after(wait) };
    }

    pub(super) fn may_send(&self, max_in_flight: usize) -> bool {
        self.state == State::Up && self.in_flight < max_in_flight
    }

    /// Whether another request would have to wait for an answer.
    pub(super) const fn is_full(&self, max_in_flight: usize) -> bool {
        max_in_flight <= self.in_flight
    }

    pub(super) const fn sent(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    pub(super) const fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}
