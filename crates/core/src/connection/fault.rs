//! What can go wrong on one connection. Each of these closes that connection and nothing else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::decode::DecodeError;
use forebay_protocol::fetch_stream::StreamError;
use forebay_protocol::frame::FrameError;
use forebay_protocol::wire::EncodeError;
use thiserror::Error;

/// Why a connection failed, or why a request on it got no answer.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// The address could not be resolved or dialled.
    #[error("cannot connect: {detail}")]
    Connect {
        /// What kind of failure.
        kind: io::ErrorKind,
        /// The system's words.
        detail: Arc<str>,
    },
    /// Dialling and handshake took too long.
    #[error("not ready within {} ms; is it a Kafka broker?", after.as_millis())]
    Setup {
        /// The limit that passed.
        after: Duration,
    },
    /// The peer closed the connection, or it broke.
    #[error("the connection closed")]
    Disconnected,
    /// We closed the connection: it was idle, or its client ended.
    #[error("this client closed the connection")]
    ClosedHere,
    /// No answer in time.
    #[error("no answer to {api} within {} ms", after.as_millis())]
    Timeout {
        /// The API that was asked.
        api: &'static str,
        /// The limit that passed.
        after: Duration,
    },
    /// An answer to something that was not the oldest question.
    #[error("answer with correlation id {found}, expected {expected}")]
    Correlation {
        /// The id of the oldest request in flight.
        expected: i32,
        /// The id that came.
        found: i32,
    },
    /// Bytes came although nothing was asked.
    #[error("an answer came, but nothing was asked")]
    Unasked,
    /// What came is no frame: an impossible length, or another protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The answer does not decode.
    #[error("cannot read the answer: {0}")]
    Malformed(#[from] DecodeError),
    /// The records part of a Fetch response cannot be read.
    #[error("cannot read the answer to Fetch: {0}")]
    Fetch(#[from] StreamError),
    /// The request cannot be written in the version both sides speak.
    #[error("cannot write the request: {0}")]
    Unwritable(#[from] EncodeError),
    /// Broker and client share no version of this API.
    #[error("{api}: the broker offers versions {theirs:?}, this client speaks {ours:?}")]
    Unsupported {
        /// The API.
        api: &'static str,
        /// First and last version of this client.
        ours: (i16, i16),
        /// First and last version of the broker; `None` when it does not know the API.
        theirs: Option<(i16, i16)>,
    },
    /// The broker refused the handshake.
    #[error("the broker refused the handshake with error code {code}")]
    Refused {
        /// Kafka's error code.
        code: i16,
    },
}

impl Fault {
    /// Whether the same request may succeed later or elsewhere.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        !matches!(self, Self::Unwritable(_) | Self::Unsupported { .. } | Self::Malformed(_))
    }
}
