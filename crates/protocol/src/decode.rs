//! What was wrong with bytes from outside: where, what was expected, what came.

use std::fmt;

/// Bytes that are not the message they should be. Says which message and field, what was expected
/// there and what was found.
///
/// The connection that delivered them can no longer be trusted to be in step: close it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}: expected {expected} for `{field}` at byte {at}, found {found}")]
pub struct DecodeError {
    /// The message that was read, by Kafka's name.
    pub message: &'static str,
    /// The field that was read.
    pub field: &'static str,
    /// How many bytes of the frame were read before.
    pub at: usize,
    /// What should have come.
    pub expected: Expected,
    /// What came.
    pub found: Found,
}

/// What a decoder expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// So many more bytes.
    Bytes(usize),
    /// A count or length from 0 up to this number, which is what the bytes that remain can hold.
    AtMost(usize),
    /// A value, not null.
    NotNull,
    /// Text in UTF-8.
    Utf8,
    /// A varint of at most so many bytes.
    Varint(usize),
    /// A marker of null (-1) or of a value (1).
    Marker,
    /// A version from one to another, both included.
    Version(i16, i16),
    /// The response to the request with this correlation id.
    CorrelationId(i32),
    /// The end of a tagged field, by its size, at this byte.
    FieldEnd(usize),
}

/// What a decoder found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Found {
    /// Only so many bytes.
    Bytes(usize),
    /// This number.
    Number(i64),
    /// Null.
    Null,
    /// Bytes that are something else.
    Other,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(n) => write!(f, "{n} more bytes"),
            Self::AtMost(n) => write!(f, "a length from 0 to {n}"),
            Self::NotNull => f.write_str("a value"),
            Self::Utf8 => f.write_str("UTF-8 text"),
            Self::Varint(n) => write!(f, "a varint of at most {n} bytes"),
            Self::Marker => f.write_str("-1 (null) or 1"),
            Self::Version(min, max) => write!(f, "a version from {min} to {max}"),
            Self::CorrelationId(id) => write!(f, "correlation id {id}"),
            Self::FieldEnd(at) => write!(f, "the end of the tagged field at byte {at}"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(n) => write!(f, "{n} bytes"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Null => f.write_str("null"),
            Self::Other => f.write_str("other bytes"),
        }
    }
}
