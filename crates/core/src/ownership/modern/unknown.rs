//! When is the cluster asked again about topics that the coordinator named and we do not know?
//!
//! A new topic is known within moments; one that we may not see stays unknown for good. So we ask
//! at once about something new, and ever more rarely about the same.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_protocol::types::Uuid;

use crate::backoff::{Backoff, Config};
use crate::rng::Rng;
use crate::time::Instant;

/// Between two questions about the same topics.
const PAUSE: Config = Config { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// The topics of the plan that have no name yet.
#[derive(Debug)]
pub(super) struct Unknown {
    ids: BTreeSet<Uuid>,
    backoff: Backoff,
    ask_at: Option<Instant>,
}

impl Unknown {
    /// None so far.
    pub(super) const fn new() -> Self {
        Self { ids: BTreeSet::new(), backoff: Backoff::new(PAUSE), ask_at: None }
    }

    /// When to look again and to ask if they are still unknown.
    pub(super) const fn ask_at(&self) -> Option<Instant> {
        self.ask_at
    }

    /// These are unknown at `now`; answers whether to ask.
    pub(super) fn found(&mut self, now: Instant, ids: BTreeSet<Uuid>, rng: &mut Rng) -> bool {
        if self.ids != ids {
            self.ids = ids;
            self.backoff.succeed();
            self.ask_at = None;
        }
        if self.ids.is_empty() || self.ask_at.is_some_and(|at| now < at) {
            return false;
        }
        self.ask_at = Some(now.after(self.backoff.fail(rng)));
        true
    }
}
