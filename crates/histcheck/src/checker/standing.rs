//! What does somebody else than the group want of a partition, and is it done?

use crate::event::Word;

/// Where a partition stands by the words that its owner was told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Standing {
    /// Nothing is wanted of it.
    #[default]
    Flowing,
    /// Nothing more is handed out.
    Held,
    /// It is to be parked.
    Leaving { goes_to_others: bool, is_released: bool },
    /// Nothing is done with it.
    Parked { goes_to_others: bool },
}

impl Standing {
    /// The owner was told this.
    pub(crate) const fn hear(&mut self, word: Word) {
        let goes_to_others = self.goes_to_others() || matches!(word, Word::HandOver);
        *self = match (*self, word) {
            (Self::Flowing | Self::Held, Word::Hold) => Self::Held,
            (Self::Flowing | Self::Held | Self::Parked { .. }, Word::Release) => Self::Flowing,
            (Self::Parked { .. }, _) => Self::Parked { goes_to_others },
            (Self::Leaving { .. }, Word::Release) => {
                Self::Leaving { goes_to_others, is_released: true }
            }
            _ => Self::Leaving { goes_to_others, is_released: false },
        };
    }

    /// The owner says that it is parked. Whether it goes on from what is committed: others may
    /// have worked on it.
    pub(crate) const fn park(&mut self) -> bool {
        let goes_to_others = self.goes_to_others();
        *self = if let Self::Leaving { is_released: true, .. } = *self {
            Self::Flowing
        } else {
            Self::Parked { goes_to_others }
        };
        goes_to_others
    }

    /// Whether it may stand still for as long as this lasts. What is on its way to be parked has a
    /// deadline of its own.
    pub(crate) const fn is_still(self) -> bool {
        matches!(self, Self::Held | Self::Parked { .. })
    }

    /// Whether it is on its way to be parked.
    pub(crate) const fn is_leaving(self) -> bool {
        matches!(self, Self::Leaving { .. })
    }

    pub(crate) const fn is_parked(self) -> bool {
        matches!(self, Self::Parked { .. })
    }

    /// Whether it is parked so that others go on with it.
    pub(crate) const fn is_handed_over(self) -> bool {
        matches!(self, Self::Parked { goes_to_others: true })
    }

    const fn goes_to_others(self) -> bool {
        match self {
            Self::Leaving { goes_to_others, .. } | Self::Parked { goes_to_others } => {
                goes_to_others
            }
            Self::Flowing | Self::Held => false,
        }
    }
}
