//! What does a known key do, and for which clients? And which row is meant by a spelling?

use std::fmt;

use super::draft::Draft;
use super::value::Expected;
use super::{ClientKind, kafka, predecessor};

/// Sets what a value says; may say something about it.
pub(super) type Set = fn(&mut Draft, &str) -> Result<Option<&'static str>, Expected>;

/// A known key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) of: Clients,
    pub(super) does: Does,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    /// It sets something.
    Sets {
        /// How.
        set: Set,
        /// Our default as it would be written; empty when there is none.
        ours: &'static str,
        /// Why our default differs from Kafka's; for an old key, today's key.
        why: &'static str,
    },
    /// It has no meaning here, for this reason.
    Noted(&'static str),
    /// It asks for what must not be passed over.
    Refused(&'static str),
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Clients(u8);

impl Clients {
    pub(super) const CONSUMER: Self = Self(1);
    pub(super) const PRODUCER: Self = Self(2);
    pub(super) const ADMIN: Self = Self(4);
    pub(super) const WRITE_READ: Self = Self(3);
    pub(super) const NOT_READ: Self = Self(6);
    pub(super) const NOT_WRITE: Self = Self(5);
    pub(super) const ALL: Self = Self(7);

    pub(super) const fn has(self, kind: ClientKind) -> bool {
        let bit = match kind {
            ClientKind::Consumer => Self::CONSUMER,
            ClientKind::Producer => Self::PRODUCER,
            ClientKind::Admin => Self::ADMIN,
        };
        self.0 & bit.0 != 0
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::CONSUMER => "consumers",
            Self::PRODUCER => "producers",
            Self::ADMIN => "admin clients",
            Self::WRITE_READ => "consumers and producers",
            Self::NOT_READ => "producers and admin clients",
            Self::NOT_WRITE => "consumers and admin clients",
            _ => "all clients",
        })
    }
}

/// A key as it was written, and what it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) row: &'static Row,
    /// Whether the key is of the old Go client, or spelled as there.
    spelled: Spelled,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spelled {
    AsToday,
    WithUnderscores,
    ByPredecessor,
}

impl Known {
    /// Whether the key is written otherwise today.
    pub(super) fn is_old(&self) -> bool {
        self.spelled != Spelled::AsToday
    }

    /// Today's key.
    pub(super) const fn now(&self) -> &'static str {
        match (self.spelled, self.row.does) {
            (Spelled::ByPredecessor, Does::Sets { why, .. }) => why,
            _ => self.row.key,
        }
    }

    /// What to write today.
    pub(super) fn today(&self) -> String {
        format!("an old spelling; write {}", self.now())
    }
}

/// The row that a key means: Kafka's, the old Go client's, or one of them with underscores.
pub(super) fn find(key: &str) -> Option<Known> {
    let known = |rows: &'static [Row], key: &str, spelled| {
        let row = rows.iter().find(|row| row.key == key)?;
        Some(Known { row, spelled })
    };
    known(kafka::ROWS, key, Spelled::AsToday)
        .or_else(|| family(key))
        .or_else(|| known(predecessor::ROWS, key, Spelled::ByPredecessor))
        .or_else(|| {
            let dotted = key.contains('_').then(|| key.replace('_', "."))?;
            known(kafka::ROWS, &dotted, Spelled::WithUnderscores)
                .or_else(|| known(predecessor::ROWS, &dotted, Spelled::ByPredecessor))
        })
}

/// Keys whose ends users choose, as `config.providers.vault.class`.
fn family(key: &str) -> Option<Known> {
    let row = kafka::FAMILIES.iter().find(|row| key.starts_with(row.key))?;
    Some(Known { row, spelled: Spelled::AsToday })
}
