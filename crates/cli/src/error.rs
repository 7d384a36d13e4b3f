//! What can go wrong for who types a command: what happened, what was expected, what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The library says it best.
    #[error(transparent)]
    Client(#[from] forebay::Error),
    #[error(transparent)]
    Properties(#[from] forebay::PropertyError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("cannot write the output as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error(
        "{servers} gave no position to start from within {after:?}; check the address, the topic's \
         leaders and the broker's log"
    )]
    NoStart { servers: String, after: Duration },
    #[error(
        "{topic} gave {found} of {wanted} records and then nothing for {after:?}; fill the topic \
         or ask for fewer"
    )]
    RanDry { topic: String, found: u64, wanted: u64, after: Duration },
    #[error("cannot listen on {address}: {source}; take another --port, or 0 for a free one")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(
        "the records would take {bytes} bytes and the broker in this process keeps {limit} at \
         most; ask for fewer, or name a cluster with --bootstrap-servers"
    )]
    TooMuch { bytes: u64, limit: u64 },
    #[error("a line is longer than {limit} bytes, which brokers take at most; split it")]
    LineTooLong { limit: usize },
    #[error(
        "{} holds {bytes} bytes, less than one value of {size}; take another --values or a \
         smaller --record-size",
        path.display()
    )]
    FewValues { path: PathBuf, bytes: usize, size: usize },
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("forebay has no command {name}; forebay --help shows all")]
    NoPage { name: String },
    #[error(
        "group {group} has {members} live members, who would commit their own positions again; \
         stop them first"
    )]
    LiveGroup { group: String, members: usize },
    #[error(
        "with --group, --from is beginning, end or an age; forebay group reset-offsets moves a group"
    )]
    PlaceInGroup,
    #[error("group {group} does not exist; forebay group list shows all there are")]
    NoGroup { group: String },
    #[error("there is nothing to reset: group {group} has committed nothing{named}; {advice}")]
    NothingToReset { group: String, named: String, advice: &'static str },
    #[error("{failed} of {all} failed")]
    Some { failed: usize, all: usize },
    #[error("the broker in this process ended before its time; RUST_LOG=warn shows why")]
    BrokerGone,
    /// The way to the brokers on which a demo looks on.
    #[error(transparent)]
    Proxy(#[from] forebay_proxy::ProxyError),
    #[error("the consumer ended before its work was done; RUST_LOG=forebay=debug shows why")]
    EndedEarly,
}

impl CliError {
    /// With what was being done when the system refused.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    /// Whether our reader has gone, which is no error.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
