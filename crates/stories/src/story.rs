//! What is a story, and how may it end?

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::stage::Stage;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// A story being told.
pub(crate) type Telling<'a> = Pin<Box<dyn Future<Output = Result<(), Ending>> + 'a>>;

/// One promise to users and the function that shows that it is kept.
pub(crate) struct Story {
    /// A few words with hyphens; the file has the same with underscores.
    pub(crate) name: &'static str,
    /// The promise, as one sentence.
    pub(crate) promise: &'static str,
    /// Tells it on one broker.
    pub(crate) tell: for<'a> fn(&'a Stage) -> Telling<'a>,
}

/// Why a story did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    /// The promise is broken.
    #[error("{0}")]
    Broken(String),
    /// This machine lacks a program that the story needs.
    #[error("no {program} found: apt-get install {package}")]
    Missing {
        /// The program.
        program: &'static str,
        /// What brings it on Debian and Ubuntu.
        package: &'static str,
    },
    /// The broker lacks what the story is about: API, setting or version.
    #[error("{0}")]
    NotOffered(String),
    /// A client call failed.
    #[error("{0}")]
    Client(#[from] forebay::Error),
    /// A child process, a file or a pipe failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Ending {
    /// The same, and in which part of the story a promise was broken.
    pub(crate) fn of(self, part: &str) -> Self {
        match self {
            Self::Broken(what) => Self::Broken(format!("{part}: {what}")),
            Self::Client(error @ forebay::Error::NotOffered { .. }) => Self::Client(error),
            Self::Client(error) => Self::Broken(format!("{part}: {error}")),
            Self::Missing { .. } | Self::NotOffered(_) | Self::Io { .. } => self,
        }
    }
}

/// Breaks the story off unless `holds`.
pub(crate) fn expect(holds: Holds, say: impl FnOnce() -> String) -> Result<(), Ending> {
    match holds {
        Holds::Yes => Ok(()),
        Holds::No => Err(Ending::Broken(say())),
    }
}

/// Looks again and again until `holds`; breaks the story off when that takes too long.
pub(crate) async fn until(
    within: Duration,
    mut holds: impl FnMut() -> bool,
    say: impl FnOnce() -> String,
) -> Result<(), Ending> {
    let by = Instant::now() + within;
    while !holds() {
        if by < Instant::now() {
            return Err(Ending::Broken(format!("{} within {within:?}", say())));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Whether what a story claims is so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holds {
    Yes,
    No,
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}
