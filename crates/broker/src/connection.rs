//! What the cluster remembers of one connection: who waits for what, and what is queued behind.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::api::ApiKey;
use forebay_protocol::types::BrokerId;
use forebay_protocol::wire::{Reader, Str};

use crate::answer::Answer;
use crate::api::fetch::Ask;
use crate::code::ErrorCode;
use crate::fault::Mischief;

/// One connection of a client to a node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_structs, reason = "a number; drivers make their own")]
pub struct ConnectionId(pub u64);

/// A connection's state. Requests are answered one after another, as Kafka does.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) node: BrokerId,
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) busy: Option<Busy>,
}

/// What keeps a connection from its next request.
#[derive(Debug)]
pub(crate) enum Busy {
    /// A fetch waits for data or for its time.
    Fetch(Box<WaitingFetch>),
    /// A request about a group waits for other members.
    Parked { correlation: i32 },
    /// An answer is held back by a script.
    Late { answers: Vec<Answer>, then: Then, due: TimerKey },
}

#[derive(Debug)]
pub(crate) struct WaitingFetch {
    pub(crate) call: Call,
    pub(crate) ask: Ask,
    pub(crate) due: TimerKey,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    Continue,
    Close,
}

/// When, and which of the timers of that time.
pub(crate) type TimerKey = (Duration, u64);

/// One request, without its body.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) connection: ConnectionId,
    pub(crate) node: BrokerId,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    /// The newest version of the API that is offered.
    pub(crate) newest: i16,
    pub(crate) correlation: i32,
    pub(crate) client_id: Option<Str>,
    /// What the fault script does to this request.
    pub(crate) mischief: Mischief,
}

impl Call {
    /// The error that a script asks for, for the request as a whole.
    pub(crate) fn forced(&self) -> Option<ErrorCode> {
        self.mischief.error
    }

    /// For how long a script tells the client to be silent, in milliseconds.
    pub(crate) fn throttle(&self) -> i32 {
        i32::try_from(self.mischief.throttle.as_millis()).unwrap_or(i32::MAX)
    }
}

/// Why bytes are no request that can be answered. The connection is closed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// It does not decode.
    #[error("a request does not decode: {0}")]
    Malformed(#[from] forebay_protocol::decode::DecodeError),
    /// The API's key is unknown, or this release does not offer it.
    #[error("API key {0} is not offered")]
    NotOffered(i16),
    /// The API is offered, but not in this version.
    #[error("{api} is offered in versions {min} to {max}, a request has version {version}")]
    Version {
        /// The API.
        api: ApiKey,
        /// The version that was asked for.
        version: i16,
        /// The oldest offered.
        min: i16,
        /// The newest offered.
        max: i16,
    },
    /// Releases up to 1.1 hang up on what their successors answer with a code.
    #[error("{0}; this release hangs up on that")]
    Refused(String),
    /// The answer could not be written: a defect of this broker.
    #[error("the answer could not be written: {0}")]
    Answer(#[from] forebay_protocol::wire::EncodeError),
}

/// The front of every request.
pub(crate) struct Header {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    pub(crate) client_id: Option<Str>,
}

impl Header {
    /// Reads the header; the reader stands at the body then.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, BadRequest> {
        use forebay_protocol::wire::Lengths;
        reader.begin("RequestHeader", Lengths::Plain);
        let key = reader.get("request_api_key", 0)?;
        let version = reader.get("request_api_version", 0)?;
        let correlation = reader.get("correlation_id", 0)?;
        let client_id = reader.get("client_id", 0)?;
        let flexible = ApiKey::from_code(key).is_some_and(|api| version >= api.api().flexible_from);
        if flexible {
            reader.begin("RequestHeader", Lengths::Compact);
            reader.skip_tags()?;
        }
        Ok(Self { key, version, correlation, client_id })
    }
}
