//! A membership of either protocol. Which one is asked for, or found out: brokers that make no plans
//! say so.

use std::sync::Arc;
use std::time::Duration;

use super::classic::Classic;
use super::member::{Answer, Config, Identity, Output, Protocol, Stamp};
use super::modern::Modern;
use crate::cluster::metadata::Metadata;
use crate::rng::Rng;
use crate::time::Instant;

/// The machine.
#[derive(Debug)]
pub struct Membership {
    /// For the day we have to be another kind of member.
    config: Config,
    rng: Rng,
    metadata: Arc<Metadata>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Classic(Box<Classic>),
    Modern(Box<Modern>),
}

macro_rules! of_kind {
    ($self:ident, $member:ident => $does:expr) => {
        match &$self.kind {
            Kind::Classic($member) => $does,
            Kind::Modern($member) => $does,
        }
    };
    (mut $self:ident, $member:ident => $does:expr) => {
        match &mut $self.kind {
            Kind::Classic($member) => $does,
            Kind::Modern($member) => $does,
        }
    };
}

impl Membership {
    /// Joins as soon as the cluster is known.
    #[must_use]
    pub fn new(config: Config, mut rng: Rng) -> Self {
        let kind = match config.protocol {
            Protocol::Classic => Kind::Classic(Box::new(Classic::new(config.clone(), rng.fork()))),
            Protocol::Auto | Protocol::Consumer => {
                Kind::Modern(Box::new(Modern::new(config.clone(), rng.fork())))
            }
        };
        Self { config, rng, metadata: Arc::default(), kind }
    }

    /// As whom commits are to be sent; `None` while none may be.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        of_kind!(self, member => member.identity())
    }

    /// The cluster was looked at.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = Arc::clone(&metadata);
        of_kind!(mut self, member => member.handle_metadata(now, metadata));
    }

    /// The coordinator answered the request with this stamp, which left at `sent` by the clock that
    /// counts suspension.
    pub fn handle_answer(&mut self, now: Instant, sent: Instant, stamp: Stamp, answer: Answer) {
        of_kind!(mut self, member => member.handle_answer(now, sent, stamp, answer));
    }

    /// The answer to [`Output::AskSession`].
    pub fn handle_session(&mut self, timeout: Duration) {
        if let Kind::Modern(member) = &mut self.kind {
            member.handle_session(timeout);
        }
    }

    /// All that was to be given up is given up.
    pub fn handle_released(&mut self, now: Instant) {
        of_kind!(mut self, member => member.handle_released(now));
    }

    /// A commit sent as `by` was answered with an error about the membership.
    pub fn handle_disowned(&mut self, now: Instant, by: &Identity, code: i16) {
        of_kind!(mut self, member => member.handle_disowned(now, by, code));
    }

    /// Everything is given up: be a member no longer.
    pub fn handle_leave(&mut self) {
        of_kind!(mut self, member => member.handle_leave());
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        of_kind!(mut self, member => member.handle_timeout(now));
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        let output = of_kind!(mut self, member => member.poll_output())?;
        if output != Output::FallBack {
            return Some(output);
        }
        let mut classic = Classic::new(self.config.clone(), self.rng.fork());
        classic.handle_metadata(now, Arc::clone(&self.metadata));
        self.kind = Kind::Classic(Box::new(classic));
        self.poll_output(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        of_kind!(self, member => member.poll_timeout())
    }
}
