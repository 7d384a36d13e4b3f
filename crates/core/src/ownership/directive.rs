//! What may somebody else than the group want of a partition that is ours, and how far has it come?
//!
//! ```text
//!            Hold         Drain, HandOver          all committed
//!   Flowing ------> Held ----------------> Leaving -------------> Parked
//!    ^ ^  |          |                      ^   |                  |
//!    | |  +----------|--- Drain, HandOver --+   | Release          | Release
//!    | +-- Release --+                          v                  |
//!    +----------------------- parked for no time at all -----------+
//! ```
//!
//! The group's word stands above: what is revoked or lost is forgotten here, too.

use crate::time::Instant;

/// What is wanted of a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Directive {
    /// Hand out nothing more until `Release`; what was handed out goes on and is committed.
    Hold,
    /// Start nothing more, wait for what runs, commit, and keep the partition without fetching it.
    /// `Release` goes on where it stood.
    Drain {
        /// When to give up waiting.
        deadline: Instant,
    },
    /// As `Drain`, and somebody else works on it from there: `Release` goes on at what is committed
    /// by then.
    HandOver {
        /// When to give up waiting.
        deadline: Instant,
    },
    /// Go on.
    Release,
}

/// Where a partition stands, as far as directives are concerned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Standing {
    /// Nobody wants anything of it.
    #[default]
    Flowing,
    /// Nothing more is handed out.
    Held,
    /// What runs and the last commit are awaited, then it is parked.
    Leaving {
        /// Where it goes on.
        at: GoOn,
        /// What comes after.
        then: Then,
    },
    /// Ours, and nothing is done with it.
    Parked(GoOn),
}

/// Where a parked partition goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GoOn {
    /// Where it stood: nobody else has worked on it.
    Kept,
    /// At what is committed then: somebody else has.
    Committed,
}

/// What comes when it is parked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    /// It stays so.
    Stay,
    /// It was released meanwhile.
    Released,
}

/// What is to be done for a directive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Whether records are handed out may have changed.
    Flow,
    /// Drain and commit by then.
    Leave(Instant),
    /// Commit nothing more: somebody else does.
    Forget,
    /// Begin again.
    Begin(GoOn),
}

impl Standing {
    /// Somebody wants this. Says what is to be done.
    pub const fn hear(&mut self, directive: Directive) -> Step {
        let (next, step) = match (*self, directive) {
            (Self::Flowing | Self::Held, Directive::Hold) => (Self::Held, Step::Flow),
            (Self::Flowing | Self::Held, Directive::Release) => (Self::Flowing, Step::Flow),
            (Self::Flowing | Self::Held, Directive::Drain { deadline }) => {
                (Self::Leaving { at: GoOn::Kept, then: Then::Stay }, Step::Leave(deadline))
            }
            (
                Self::Flowing | Self::Held | Self::Leaving { .. },
                Directive::HandOver { deadline },
            ) => (Self::Leaving { at: GoOn::Committed, then: Then::Stay }, Step::Leave(deadline)),
            (Self::Leaving { at, .. }, Directive::Drain { deadline }) => {
                (Self::Leaving { at, then: Then::Stay }, Step::Leave(deadline))
            }
            (Self::Leaving { at, .. }, Directive::Hold) => {
                (Self::Leaving { at, then: Then::Stay }, Step::Nothing)
            }
            (Self::Leaving { at, .. }, Directive::Release) => {
                (Self::Leaving { at, then: Then::Released }, Step::Nothing)
            }
            (Self::Parked(at), Directive::Hold | Directive::Drain { .. }) => {
                (Self::Parked(at), Step::Nothing)
            }
            (Self::Parked(_), Directive::HandOver { .. }) => {
                (Self::Parked(GoOn::Committed), Step::Forget)
            }
            (Self::Parked(at), Directive::Release) => (Self::Flowing, Step::Begin(at)),
        };
        *self = next;
        step
    }

    /// Nothing of it runs any more, and its last commit is through or was given up.
    pub const fn park(&mut self) -> Step {
        let Self::Leaving { at, then } = *self else { return Step::Nothing };
        *self = Self::Parked(at);
        match (at, then) {
            (_, Then::Released) => {
                *self = Self::Flowing;
                Step::Begin(at)
            }
            (GoOn::Committed, Then::Stay) => Step::Forget,
            (GoOn::Kept, Then::Stay) => Step::Nothing,
        }
    }

    /// Somebody said where a parked partition goes on.
    pub const fn place(&mut self) {
        if let Self::Parked(_) = *self {
            *self = Self::Parked(GoOn::Kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: Directive = Directive::Drain { deadline: Instant::from_nanos(7) };
    const HAND_OVER: Directive = Directive::HandOver { deadline: Instant::from_nanos(7) };
    const LEAVE: Step = Step::Leave(Instant::from_nanos(7));

    #[test]
    fn what_was_handed_over_goes_on_at_what_is_committed_and_what_was_drained_where_it_stood() {
        for (words, at) in [
            (vec![DRAIN], GoOn::Kept),
            (vec![Directive::Hold, DRAIN], GoOn::Kept),
            (vec![HAND_OVER], GoOn::Committed),
            (vec![DRAIN, HAND_OVER], GoOn::Committed),
            // Whoever it was handed over to may have begun.
            (vec![HAND_OVER, DRAIN], GoOn::Committed),
        ] {
            let mut standing = Standing::default();
            let last = words.iter().map(|word| standing.hear(*word)).last();
            assert_eq!(last, Some(LEAVE));
            standing.park();
            assert_eq!(standing.hear(Directive::Release), Step::Begin(at), "{words:?}");
            assert_eq!(standing, Standing::Flowing);
        }
    }

    #[test]
    fn who_releases_before_it_is_parked_has_it_go_on_as_soon_as_it_is() {
        let mut standing = Standing::default();
        standing.hear(DRAIN);
        assert_eq!(standing.hear(Directive::Release), Step::Nothing);
        assert_eq!(standing.park(), Step::Begin(GoOn::Kept));
        // Unless somebody else wants it to stay after all.
        standing.hear(DRAIN);
        standing.hear(Directive::Release);
        standing.hear(Directive::Hold);
        assert_eq!(standing.park(), Step::Nothing);
        assert_eq!(standing, Standing::Parked(GoOn::Kept));
    }

    #[test]
    fn who_hands_a_parked_partition_over_commits_nothing_more_of_it() {
        let mut standing = Standing::Parked(GoOn::Kept);
        assert_eq!(standing.hear(HAND_OVER), Step::Forget);
        let mut standing = Standing::default();
        standing.hear(HAND_OVER);
        assert_eq!(standing.park(), Step::Forget);
    }

    #[test]
    fn a_hold_ends_with_a_release_and_with_nothing_else() {
        let mut standing = Standing::default();
        assert_eq!(standing.hear(Directive::Hold), Step::Flow);
        assert_eq!((standing.hear(Directive::Hold), standing), (Step::Flow, Standing::Held));
        assert_eq!(standing.hear(Directive::Release), Step::Flow);
        assert_eq!(standing, Standing::Flowing);
    }
}
