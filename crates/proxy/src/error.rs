//! What can go wrong between two sockets?

use std::io;

use forebay_protocol::frame::FrameError;

/// Why the proxy could not start, or why it ended a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The system gave no port to listen at.
    #[error("no port to listen at: {source}")]
    Listen {
        /// What the system said.
        source: io::Error,
    },
    /// A client sent what is no frame; its connection was cut.
    #[error("a client: {source}")]
    FromClient {
        /// What was wrong.
        source: FrameError,
    },
    /// A broker sent what is no frame; the connection was cut.
    #[error("a broker: {source}")]
    FromBroker {
        /// What was wrong.
        source: FrameError,
    },
    /// A client asks and asks and waits for no answer; its connection was cut.
    #[error("a client waits for {open} answers, at most {limit} are expected: it was cut off")]
    TooManyOpen {
        /// How many.
        open: usize,
        /// The limit.
        limit: usize,
    },
    /// The history could not be written: it is worth nothing from here on.
    #[error("the history cannot be written: {source}")]
    Ledger {
        /// What the system said.
        source: io::Error,
    },
}
