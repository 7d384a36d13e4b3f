//! Who writes: the producer's id and epoch, and how the next one is got.
//!
//! ```text
//!   Not --a batch needs one--> Asking --answer--> As(identity)
//!    ^                           |                    |
//!    +------ no answer ----------+                    |
//!    +------ a sequence broke under it ---------------+
//! ```

use super::verdict::Fence;
use crate::backoff::{self, Backoff};
use crate::rng::Rng;
use crate::time::Instant;

/// Who writes: what `InitProducerId` gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// What a batch is sent under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Who.
    pub identity: Identity,
    /// The sequence of the batch's first record.
    pub sequence: i32,
}

/// The identity that partitions are given, and the way to the next.
#[derive(Debug)]
pub(super) struct Identities {
    state: State,
    /// Whose next epoch is asked for.
    current: Option<Identity>,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Ask from this time on, when somebody needs it.
    Not { ask_at: Instant },
    /// A request is on its way.
    Asking,
    /// This is who we are.
    As(Identity),
}

impl Identities {
    pub(super) const fn new(retry: backoff::Config) -> Self {
        let state = State::Not { ask_at: Instant::from_nanos(0) };
        Self { state, current: None, backoff: Backoff::new(retry) }
    }

    pub(super) const fn get(&self) -> Option<Identity> {
        match self.state {
            State::As(identity) => Some(identity),
            State::Not { .. } | State::Asking => None,
        }
    }

    /// Begins to ask, if it is time: for the next epoch of the identity inside.
    pub(super) fn ask(&mut self, now: Instant) -> Option<Option<Identity>> {
        match self.state {
            State::Not { ask_at } if ask_at <= now => {
                self.state = State::Asking;
                Some(self.current)
            }
            State::Not { .. } | State::Asking | State::As(_) => None,
        }
    }

    /// When asking again may help.
    pub(super) const fn ask_at(&self) -> Option<Instant> {
        match self.state {
            State::Not { ask_at } => Some(ask_at),
            State::Asking | State::As(_) => None,
        }
    }

    pub(super) fn answered(&mut self, now: Instant, identity: Option<Identity>, rng: &mut Rng) {
        self.state = if let Some(identity) = identity {
            self.backoff.succeed();
            self.current = Some(identity);
            State::As(identity)
        } else {
            State::Not { ask_at: now.after(self.backoff.fail(rng)) }
        };
    }

    /// None can be had; not before `ask_at` is it worth another question.
    pub(super) const fn refused(&mut self, ask_at: Instant) {
        self.current = None;
        self.state = State::Not { ask_at };
    }

    /// A partition's sequence broke under `identity`: it needs another one, and so does who comes
    /// next. Others go on, since brokers keep sequences per partition. A fenced identity has no
    /// next epoch that could be ours.
    pub(super) fn used_up(&mut self, identity: Identity, fence: Fence) {
        if self.get() == Some(identity) {
            self.current = (fence == Fence::Open).then_some(identity);
            self.state = State::Not { ask_at: Instant::from_nanos(0) };
        }
    }
}
