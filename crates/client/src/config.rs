//! What can be set, in which unit, with which default. Each setting carries Kafka's property name.

mod client;
mod consumer;
mod producer;
pub mod properties;

pub use client::ClientConfig;
pub use consumer::{ConsumerConfig, GroupProtocol, IsolationLevel, OffsetReset};
pub use producer::{Acks, Compression, ProducerConfig};
pub use properties::{ClientKind, Note, Properties, PropertyError};

use std::time::Duration;

use forebay_core::orders::Address;
use thiserror::Error;

/// A setting that cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{key} is {value:?}; expected {expected}")]
#[non_exhaustive]
pub struct ConfigError {
    /// Kafka's name of the property, or ours where Kafka has none.
    pub key: &'static str,
    /// What was given.
    pub value: String,
    /// What would do.
    pub expected: &'static str,
}

impl ConfigError {
    pub(crate) fn new(key: &'static str, value: impl Into<String>, expected: &'static str) -> Self {
        Self { key, value: value.into(), expected }
    }
}

/// Checks that `value` lies in a range, both ends included.
pub(crate) fn within<T: PartialOrd + ToString>(
    key: &'static str,
    value: &T,
    range: (T, T),
    expected: &'static str,
) -> Result<(), ConfigError> {
    if range.0 <= *value && *value <= range.1 {
        return Ok(());
    }
    Err(ConfigError::new(key, value.to_string(), expected))
}

/// Checks that a span is at least a millisecond and at most a day.
pub(crate) fn span(key: &'static str, value: Duration) -> Result<(), ConfigError> {
    const DAY: Duration = Duration::from_secs(86_400);
    if Duration::from_millis(1) <= value && value <= DAY {
        return Ok(());
    }
    Err(ConfigError::new(key, format!("{} ms", value.as_millis()), "1 ms to one day"))
}

/// Reads `host:port`, with `[..]` around IPv6 literals.
///
/// # Errors
///
/// When there is no host, no port, or the port is no number from 1 to 65535.
pub fn parse_address(text: &str) -> Result<Address, ConfigError> {
    const EXPECTED: &str = "host:port, for example localhost:9092 or [::1]:9092";
    let wrong = || ConfigError::new("bootstrap.servers", text, EXPECTED);
    let text = text.trim();
    let text = text.rsplit_once("://").map_or(text, |(_, rest)| rest);
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bare.is_none() && host.contains([':', '/']) {
        return Err(wrong());
    }
    let host = bare.unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(Address { host: host.into(), port })
}

/// Reads a list of addresses separated by commas.
///
/// # Errors
///
/// When an address is wrong, or when there is none.
pub fn parse_addresses(text: &str) -> Result<Vec<Address>, ConfigError> {
    let found: Vec<Address> = text
        .split(',')
        .filter(|part| !part.trim().is_empty())
        .map(parse_address)
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(ConfigError::new("bootstrap.servers", text, "at least one host:port"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
