//! What can go wrong in a chore, and which exit code says so?

use std::io;
use std::path::PathBuf;

/// Why a chore ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The words on the command line are not a chore.
    #[error(
        "usage: cargo xtask <chore>\n  \
         tidy                    what no compiler checks: layers, arrows, licences, docs, words\n  \
         test [--require-kafka] [--kafka ends|all]\n  \
         \x20                       every test, the oldest and the newest real Kafka included, or all\n  \
         \x20                       releases that are promised; counts stand on the last line\n  \
         codec [--check]         Kafka's message definitions -> crates/protocol/src/messages\n  \
         bench [peers | cells]   cost beside the floor and other clients; `peers` builds those\n  \
         sim --seeds N [--from S]  groups under faults, N seeds, each twice\n  \
         sim --seed N            one seed again, with its history\n  \
         sim --mutant NAME ...   the same with a mistake in the client, and the first seed to show it\n  \
         chaos --minutes M --protocol P  a group on real brokers under faults; `--help` tells more\n  \
         chaos --sum DIR         slices that were played, added up\n  \
         ci                      every check there is, in the order of the CI machine"
    )]
    Usage,
    /// A chore looked and found something.
    #[error("{chore}: {count} problems, listed above")]
    Problems {
        /// Which chore.
        chore: &'static str,
        /// How many lines it printed.
        count: usize,
    },
    /// A program ran and said no.
    #[error("`{command}` failed: {status}")]
    Failed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// A program did not start.
    #[error("`{command}` did not start: {source}; is it installed and on the PATH?")]
    NotStarted {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program's output is not what it promises.
    #[error("{what} is not the JSON expected: {source}")]
    Json {
        /// Whose output.
        what: &'static str,
        /// The parser's word.
        source: serde_json::Error,
    },
    /// Kafka's messages could not be generated, or differ.
    #[error("codec: {0}")]
    Codec(#[from] crate::codec::CodecError),
    /// Tests failed, or were left out although `--require-kafka` was given.
    #[error("")]
    Tests,
}

impl Fault {
    /// 2 for misuse, 1 for everything else.
    pub(crate) const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Usage) { 2 } else { 1 }
    }
}
