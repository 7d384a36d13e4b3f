//! The life of one partition in this consumer.
//!
//! ```text
//!            assign              started             give up            released
//!   Unowned --------> Acquiring --------> Owned(gain) -----> Draining --------> Unowned
//!                        |                    |                   |               ^
//!                        +----- give up ------+------ lose -------+---------------+
//! ```

use crate::fence::Gain;
use crate::time::Instant;

/// Where one partition stands. Data that only makes sense in a state lives in that state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ownership {
    /// Nobody's, as far as we are concerned.
    #[default]
    Unowned,
    /// Ours; where to start is being found out.
    Acquiring {
        /// The fence that its records will carry.
        gain: Gain,
    },
    /// Ours: its shard fetches and dispatches.
    Owned {
        /// The fence that its records carry.
        gain: Gain,
    },
    /// To be given up: nothing new starts, running work and the last commit are awaited.
    Draining {
        /// The fence whose reports still count.
        gain: Gain,
        /// When the partition is given up even with work in flight.
        deadline: Instant,
    },
}

impl Ownership {
    /// Whether the step from this state to `next` is one of the arrows above.
    #[must_use]
    pub const fn can_become(&self, next: &Self) -> bool {
        match self {
            Self::Unowned => matches!(next, Self::Acquiring { .. }),
            Self::Acquiring { .. } => matches!(next, Self::Owned { .. } | Self::Unowned),
            Self::Owned { .. } => matches!(next, Self::Draining { .. } | Self::Unowned),
            Self::Draining { .. } => matches!(next, Self::Unowned),
        }
    }

    /// Whether a report stamped with `gain` still counts.
    #[must_use]
    pub fn accepts(&self, gain: Gain) -> bool {
        match self {
            Self::Unowned | Self::Acquiring { .. } => false,
            Self::Owned { gain: current } | Self::Draining { gain: current, .. } => {
                *current == gain
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_from_an_earlier_gain_does_not_count() {
        let now = Ownership::Owned { gain: Gain(2) };
        assert!(!now.accepts(Gain(1)));
        assert!(now.accepts(Gain(2)));
    }

    #[test]
    fn an_owned_partition_is_never_acquired_again_without_being_given_up() {
        let owned = Ownership::Owned { gain: Gain(1) };
        assert!(!owned.can_become(&Ownership::Acquiring { gain: Gain(2) }));
    }
}
