//! Which mistake is made on purpose, so that the judges of this client can show that they see it?
//!
//! Each value is a mistake that somebody could honestly make, at the one place where the code is
//! right. Only the feature `mutants`, which the simulator alone asks for, can let one live; without
//! it [`Mutant::lives`] is a constant and nothing of this is in what is built.

use std::fmt;
use std::str::FromStr;

/// A mistake.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mutant {
    /// What was handed out is told as done.
    CommitBeforeDone,
    /// What the group takes away is reported as given up and goes on being worked on.
    IgnoreRevoke,
    /// Runs that were fetched and handed out under an earlier lease still start.
    NoFence,
    /// Records start whether or not the session must have expired.
    NoLocalFence,
    /// A question for committed offsets that is not answered is taken for "there is none".
    ResetOnTimeout,
    /// The frontier jumps over blocks that are still open to the last one that is done.
    DropGaps,
    /// A partition that comes back goes on where it once stood, not where it is committed.
    ReusePosition,
    /// Who says that a position is out of range is believed, be it the leader or not.
    ResetWithoutEpochCheck,
    /// A worker's word counts although it is about an earlier start.
    AckOfOldEpoch,
    /// A partition that the coordinator left out of its answer is taken for "there is no offset".
    MissingAsNone,
    /// What is fetched waits without a limit.
    UnboundedQueue,
    /// A coordinator that says it is none is asked again and again.
    StaleCoordinator,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::CommitBeforeDone,
        Self::IgnoreRevoke,
        Self::NoFence,
        Self::NoLocalFence,
        Self::ResetOnTimeout,
        Self::DropGaps,
        Self::ReusePosition,
        Self::ResetWithoutEpochCheck,
        Self::AckOfOldEpoch,
        Self::MissingAsNone,
        Self::UnboundedQueue,
        Self::StaleCoordinator,
    ];

    /// Its name, as in `commit-before-done`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitBeforeDone => "commit-before-done",
            Self::IgnoreRevoke => "ignore-revoke",
            Self::NoFence => "no-fence",
            Self::NoLocalFence => "no-local-fence",
            Self::ResetOnTimeout => "reset-on-timeout",
            Self::DropGaps => "drop-gaps",
            Self::ReusePosition => "reuse-position",
            Self::ResetWithoutEpochCheck => "reset-without-epoch-check",
            Self::AckOfOldEpoch => "ack-of-old-epoch",
            Self::MissingAsNone => "missing-as-none",
            Self::UnboundedQueue => "unbounded-queue",
            Self::StaleCoordinator => "stale-coordinator",
        }
    }

    /// Whether this mistake is made: never, in what is released.
    #[cfg(not(feature = "mutants"))]
    #[inline]
    #[must_use]
    pub const fn lives(self) -> bool {
        false
    }

    /// Whether this mistake is made on this thread.
    #[cfg(feature = "mutants")]
    #[inline]
    #[must_use]
    pub fn lives(self) -> bool {
        ALIVE.get() == Some(self)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(text: &str) -> Result<Self, UnknownMutant> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == text).ok_or(UnknownMutant)
    }
}

/// There is no mutant of this name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no mutant has this name")]
#[non_exhaustive]
pub struct UnknownMutant;

#[cfg(feature = "mutants")]
thread_local! {
    /// One for each thread: runs side by side do not know of each other.
    static ALIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread makes this mistake, and no other.
#[cfg(feature = "mutants")]
pub fn let_live(mutant: Option<Mutant>) {
    ALIVE.set(mutant);
}
