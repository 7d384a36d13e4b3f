//! What can be wrong with a property file, and on which line?

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

/// Where a setting stands.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Place {
    /// The file, when it came from one.
    pub file: Option<Arc<Path>>,
    /// The line, counted from 1; 0 for settings that the program added.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (_, 0) => f.write_str("set by the program"),
            (Some(file), line) => write!(f, "{}:{line}", file.display()),
            (None, line) => write!(f, "line {line}"),
        }
    }
}

/// A property file, or one of its settings, that cannot be used.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: Arc<Path>,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// An escape that stands for no character.
    #[error(
        "{place}: {escape:?} stands for no character; write \\u and four hexadecimal digits, or \
         \\\\ for a backslash"
    )]
    Escape {
        /// Where it stands.
        place: Place,
        /// The escape.
        escape: String,
    },
    /// A key stands twice.
    #[error("{place}: {key} stands on line {first} already; leave one of them")]
    Twice {
        /// Where it stands for the second time.
        place: Place,
        /// The key.
        key: String,
        /// The line on which it stood first.
        first: usize,
    },
    /// Two keys mean the same setting.
    #[error("{place}: {key} and {other} on line {first} both mean {now}; leave one of them")]
    Same {
        /// Where the second stands.
        place: Place,
        /// The second key.
        key: String,
        /// The first key.
        other: String,
        /// The line of the first.
        first: usize,
        /// What both mean.
        now: &'static str,
    },
    /// Nobody knows such a key.
    #[error("{place}: {key} is no setting of Kafka's clients{}", hint(nearest))]
    Unknown {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// The known key that is spelled most like it.
        nearest: Option<&'static str>,
    },
    /// Only librdkafka has such a key.
    #[error("{place}: {key} is a setting of librdkafka; {instead}")]
    Librdkafka {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// The value cannot be read or not be used.
    #[error("{place}: {key} is {value:?}; expected {expected}")]
    Value {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// The setting asks for what cannot be done here, and must not be passed over.
    #[error("{place}: {key}: {why}")]
    Refused {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// Why, and what to do.
        why: &'static str,
    },
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(
        || "; a setting of your program's own is taken out before clients are made".to_owned(),
        |key| format!("; did you mean {key}?"),
    )
}
