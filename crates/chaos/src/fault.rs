//! Why could a slice not be played or judged?

use std::io;
use std::path::PathBuf;

use forebay_histcheck::HistoryError;
use forebay_proxy::ProxyError;
use minotaur::{LabError, SpecError};

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The brokers did not start, or did not do what was asked.
    #[error("the lab: {0}")]
    Lab(#[from] LabError),
    /// There is no such Kafka.
    #[error("{0}")]
    Spec(#[from] SpecError),
    /// The way to the brokers could not be opened.
    #[error("the proxy: {0}")]
    Proxy(#[from] ProxyError),
    /// A client of ours outside of the group: the topic, the leaders, the end.
    #[error("{doing}: {source}")]
    Client {
        /// What it was doing.
        doing: &'static str,
        /// What went wrong.
        source: forebay::Error,
    },
    /// The system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was wanted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file of a slice.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system or the parser said.
        source: io::Error,
    },
    /// A history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Another client could not read what the log holds.
    #[error("{program}: {said}")]
    Reader {
        /// Which program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// An address of the lab is none.
    #[error("{0:?} is no address: expected host:port")]
    Address(String),
    /// Nothing to add up.
    #[error("{}: no outcome of a slice in it; expected folders with outcome.json", .0.display())]
    Empty(PathBuf),
}

impl Fault {
    pub(crate) const fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    pub(crate) fn client(doing: &'static str) -> impl Fn(forebay::Error) -> Self {
        move |source| Self::Client { doing, source }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl Fn(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path: path.clone(), source }
    }
}
