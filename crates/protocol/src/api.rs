//! Table. Which APIs and versions we speak, and which version a broker and we have in common.

mod keys;

use std::fmt;

use crate::wire::Message;

pub use keys::ApiKey;

/// A message that asks, and what answers it.
pub trait Request: Message {
    /// The API it belongs to.
    const API: ApiKey;
    /// The message that answers it.
    type Response: Message;
}

/// One API as we speak it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Api {
    /// The key.
    pub key: ApiKey,
    /// Kafka's name.
    pub name: &'static str,
    /// The oldest version we speak.
    pub min: i16,
    /// The newest version we speak.
    pub max: i16,
    /// The first version with compact lengths and tagged fields; `i16::MAX` when none has them.
    pub flexible_from: i16,
}

/// No version of an API that both sides speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{api} is spoken by the broker in versions {broker_min} to {broker_max} and by this client in \
     {our_min} to {our_max}: use a broker or client that shares one"
)]
pub struct NoCommonVersion {
    /// The API.
    pub api: ApiKey,
    /// The oldest version of the broker.
    pub broker_min: i16,
    /// The newest version of the broker.
    pub broker_max: i16,
    /// Our oldest version.
    pub our_min: i16,
    /// Our newest version.
    pub our_max: i16,
}

impl ApiKey {
    /// All APIs that we speak, in the order of their keys.
    #[must_use]
    pub const fn table() -> &'static [Api] {
        &keys::TABLE
    }

    /// The API with this key, when we speak it.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        row(code).map(|row| row.key)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Kafka's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.api().name
    }

    /// The versions we speak, and from which on they are flexible.
    #[must_use]
    pub fn api(self) -> Api {
        let unknown = Api { key: self, name: "unknown", min: 0, max: -1, flexible_from: i16::MAX };
        row(self.code()).copied().unwrap_or(unknown)
    }

    /// The newest version that both we and a broker speak, which offers `broker_min` to
    /// `broker_max`.
    ///
    /// # Errors
    /// When there is none.
    pub fn meet(self, broker_min: i16, broker_max: i16) -> Result<i16, NoCommonVersion> {
        let Api { min, max, .. } = self.api();
        let version = max.min(broker_max);
        if version >= min.max(broker_min) {
            return Ok(version);
        }
        let (our_min, our_max) = (min, max);
        Err(NoCommonVersion { api: self, broker_min, broker_max, our_min, our_max })
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn row(code: i16) -> Option<&'static Api> {
    let at = keys::TABLE.binary_search_by_key(&code, |row| row.key.code()).ok()?;
    keys::TABLE.get(at)
}

#[cfg(test)]
mod tests;
