//! What does a partition's error ask for?

/// What a partition's error asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// The position is outside the log.
    Reset,
    /// Somebody else leads it, or this broker does not know yet.
    Leader,
    /// It passes.
    Rest,
    /// Waiting does not cure it.
    Final,
}

impl Refusal {
    pub(super) const fn of(code: i16) -> Self {
        match code {
            OFFSET_OUT_OF_RANGE => Self::Reset,
            UNSUPPORTED_COMPRESSION_TYPE | UNSUPPORTED_VERSION | INVALID_REQUEST => Self::Final,
            CORRUPT_MESSAGE
            | UNKNOWN_SERVER_ERROR
            | OFFSET_NOT_AVAILABLE
            | TOPIC_AUTHORIZATION_FAILED => Self::Rest,
            _ => Self::Leader,
        }
    }
}

const UNKNOWN_SERVER_ERROR: i16 = -1;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const CORRUPT_MESSAGE: i16 = 2;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const OFFSET_NOT_AVAILABLE: i16 = 78;
