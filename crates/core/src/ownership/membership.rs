//! A membership of either protocol. Which one is asked for, or found out: brokers that make no plans
//! say so.

use std::sync::Arc;
use std::time::Duration;

use super::classic::Classic;
use super::member::{Answer, Config, Identity, Output, Protocol, Stamp, Wish};
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
    /// How often we became another member: the upper half of stamps, so that answers to an earlier
    /// one are known.
    lives: u32,
}

/// Where in a stamp the number of the life begins.
const LIFE: u32 = 32;

#[derive(Debug)]
enum Kind {
    Classic(Box<Classic>),
    Modern(Box<Modern>),
}

impl Kind {
    fn new(config: &Config, rng: &mut Rng) -> Self {
        let (config, rng) = (config.clone(), rng.fork());
        match config.protocol {
            Protocol::Classic => Self::Classic(Box::new(Classic::new(config, rng))),
            Protocol::Auto | Protocol::Consumer => Self::Modern(Box::new(Modern::new(config, rng))),
        }
    }
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
        let kind = Kind::new(&config, &mut rng);
        Self { config, rng, metadata: Arc::default(), kind, lives: 0 }
    }

    /// Other topics are wanted from now on. Who has left joins again, as somebody new.
    pub fn handle_wish(&mut self, now: Instant, wish: Wish) {
        self.config.wish = wish.clone();
        if of_kind!(self, member => member.is_over()) {
            let kind = Kind::new(&self.config, &mut self.rng);
            return self.become_another(now, kind);
        }
        of_kind!(mut self, member => member.handle_wish(now, wish));
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
        let Some(stamp) = self.own(stamp) else { return };
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
        if output == Output::FallBack {
            let classic = Classic::new(self.config.clone(), self.rng.fork());
            self.become_another(now, Kind::Classic(Box::new(classic)));
            return self.poll_output(now);
        }
        let Output::Ask(Stamp(number), request) = output else { return Some(output) };
        Some(Output::Ask(Stamp(u64::from(self.lives) << LIFE | number), request))
    }

    fn become_another(&mut self, now: Instant, kind: Kind) {
        self.kind = kind;
        self.lives = self.lives.wrapping_add(1);
        let metadata = Arc::clone(&self.metadata);
        of_kind!(mut self, member => member.handle_metadata(now, metadata));
    }

    /// The stamp as who we are now gave it; `None` when somebody earlier did.
    fn own(&self, Stamp(number): Stamp) -> Option<Stamp> {
        let of = number >> LIFE;
        (of == u64::from(self.lives)).then_some(Stamp(number & ((1 << LIFE) - 1)))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        of_kind!(self, member => member.poll_timeout())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff;
    use crate::cluster::metadata::Update;
    use crate::orders::Address;
    use crate::ownership::assignor::Range;
    use crate::ownership::member::Request;
    use forebay_protocol::types::BrokerId;

    fn config() -> Config {
        let second = Duration::from_secs(1);
        Config {
            protocol: Protocol::Classic,
            remote_assignor: None,
            wish: Wish::Topics(["t".into()].into()),
            session_timeout: second,
            heartbeat_interval: second,
            rebalance_timeout: second,
            instance: None,
            rack: None,
            assignors: vec![Arc::new(Range)],
            retry: backoff::Config { first: second, max: second },
        }
    }

    #[test]
    fn who_joins_again_after_leaving_takes_no_answer_to_who_he_was_before() {
        let mut member = Membership::new(config(), Rng::from_seed(1));
        let brokers = [(BrokerId(1), Address { host: "b".into(), port: 1 })].into();
        let update = Update { brokers, ..Update::default() };
        let now = Instant::default();
        member.handle_metadata(now, Arc::new(Metadata::default().merge(update)));
        let Some(Output::Ask(old, Request::Join(_))) = member.poll_output(now) else { panic!() };
        // It has no id yet: there is nobody to leave.
        member.handle_leave();
        assert_eq!(member.poll_output(now), Some(Output::Left));
        member.handle_wish(now, Wish::Topics(["u".into()].into()));
        let Some(Output::Ask(new, Request::Join(_))) = member.poll_output(now) else { panic!() };
        assert_ne!(old, new);
        let fatal = || {
            let code = super::super::classic::code::GROUP_AUTHORIZATION_FAILED;
            Answer::Joined(super::super::member::Joined { code, ..Default::default() })
        };
        member.handle_answer(now, now, old, fatal());
        assert_eq!(member.poll_output(now), None);
        member.handle_answer(now, now, new, fatal());
        assert!(matches!(member.poll_output(now), Some(Output::Fatal { .. })));
    }
}
