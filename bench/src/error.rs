//! What can go wrong in a measurement, and what to do about it?

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use forebay_protocol::decode::DecodeError;
use forebay_protocol::wire::EncodeError;
use thiserror::Error;

/// Why a measuring program gave up.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A socket or file failed.
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    /// The peer sent bytes that mean nothing here.
    #[error("{what} at offset {offset} of partition {partition}: the answer cannot be read")]
    Malformed { what: &'static str, partition: i32, offset: i64 },
    /// A response ended in the middle of a field.
    #[error("a {what} is cut short: the broker closed or speaks another version")]
    Cut { what: &'static str },
    /// The broker answered with an error of Kafka's.
    #[error("{what} answered error code {code}; see Kafka's table of error codes")]
    Refused { what: &'static str, code: i16 },
    /// A request that its version cannot carry.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A response that is not what it should be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The product's consumer failed.
    #[error(transparent)]
    Consumer(#[from] forebay::Error),
    /// The topic ran out before enough records were read.
    #[error(
        "the topic gave {delivered} of {wanted} records and then nothing; fill it or ask for fewer"
    )]
    TooFew { delivered: u64, wanted: u64 },
    /// The kernel refused a setting of this process.
    #[error("cannot {what}: {source}")]
    Kernel { what: &'static str, source: rustix::io::Errno },
    /// A client did not print the line it promises.
    #[error("`{command}` did not end with a line of JSON: {source}")]
    Line { command: String, source: serde_json::Error },
    /// A client said no.
    #[error("it ended with {status}")]
    Failed { status: ExitStatus },
    /// A client took too long.
    #[error("it was ended after {} s", limit.as_secs())]
    Overdue { limit: Duration },
    /// A name that is no cell.
    #[error("there is no cell {name}; `bench/src/cell.rs` lists them")]
    UnknownCell { name: String },
    /// With `--gate`, promises that do not hold.
    #[error("{missed} promises are missed, marked above")]
    Missed { missed: usize },
    /// Options that contradict each other.
    #[error("{0}")]
    Usage(&'static str),
}

impl Error {
    /// Turns an I/O error into one that says what was being done.
    pub(crate) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
