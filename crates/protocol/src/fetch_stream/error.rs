//! Why are the bytes no Fetch response, and where did that show?

use thiserror::Error;

/// The bytes are no Fetch response of the version that was asked for.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("Fetch response, byte {at} of the body: {fault}; the connection cannot be used any more")]
pub struct StreamError {
    /// Bytes of the body in front of the part that could not be read.
    pub at: usize,
    /// What is wrong with that part.
    pub fault: StreamFault,
}

/// What is wrong with a part of a Fetch response.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StreamFault {
    /// The stream was asked for a version that it does not read.
    #[error("version {found} is not read, only 4 to 18")]
    Version {
        /// The version asked for.
        found: i16,
    },
    /// A field reaches over the end of the body.
    #[error("{field} needs {needed} bytes, {left} remain")]
    Overrun {
        /// Which field.
        field: &'static str,
        /// Bytes up to the end of the field.
        needed: usize,
        /// Bytes that remain in the body.
        left: usize,
    },
    /// A length or count is negative or not a number.
    #[error("{field} is {found}, which cannot be")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// What it says; -1 when it is no number at all.
        found: i64,
    },
    /// A tagged field has more bytes than what it should hold.
    #[error("tagged field {tag} has {left} bytes more than it should")]
    TaggedField {
        /// Its tag.
        tag: u32,
        /// Bytes left over.
        left: usize,
    },
    /// A text is not UTF-8.
    #[error("{field} is not UTF-8")]
    NotText {
        /// Which field.
        field: &'static str,
    },
    /// The response is read, and there are bytes left in the frame.
    #[error("the response ended with {left} bytes left in its frame")]
    Trailing {
        /// Bytes left.
        left: usize,
    },
    /// The stream was asked for more after the end.
    #[error("the response had ended before")]
    AfterEnd,
}
