//! Is a member still one, as far as can be seen from outside?

use super::millis;
use crate::event::Terms;

/// A member of the group.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// When what it last asked and was confirmed for was sent.
    beat: Option<u64>,
    pub(crate) is_gone: bool,
    pub(crate) is_paused: bool,
}

impl Member {
    pub(crate) fn beats(&mut self, sent: u64) {
        self.beat = self.beat.max(Some(sent));
    }

    /// Whether it is dead, frozen, or silent for longer than a session.
    pub(crate) fn is_out(&self, now: u64, terms: &Terms) -> bool {
        self.is_gone || self.is_paused || self.is_expired(now, terms)
    }

    /// Why it must not start anything now.
    pub(crate) fn why_not(&self, now: u64, terms: &Terms) -> Option<&'static str> {
        if self.is_gone {
            return Some("it was killed");
        }
        self.is_expired(now, terms).then_some("its session must have expired")
    }

    fn is_expired(&self, now: u64, terms: &Terms) -> bool {
        let session = millis(terms.session_ms);
        session != 0 && self.beat.is_some_and(|beat| beat.saturating_add(session) < now)
    }
}
