//! What was done on its own, so that its price can be told? Marks in the time of the history.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The file of a slice.
const FILE: &str = "marks.jsonl";

/// Something that was done while nothing else was wrong.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Mark {
    /// When, in nanoseconds.
    pub(crate) at: u64,
    pub(crate) what: Done,
}

/// What was done. Partitions are those that felt it first hand.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// Nothing, until then.
    Nothing { until: u64 },
    /// The machine itself stood still, until then.
    StoodStill { until: u64 },
    /// Leaders of these were moved.
    LeadersMoved { partitions: Vec<String> },
    /// The group's coordinator was moved.
    CoordinatorMoved,
    /// A broker was killed that led these, and coordinated the group.
    BrokerKilled { led: Vec<String> },
    /// A member was killed.
    MemberKilled { member: String },
    /// A member joined.
    MemberJoined,
    /// A member left.
    MemberLeft,
}

/// The marks of a slice, kept in a file.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    path: PathBuf,
}

impl Marks {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { path: folder.join(FILE) }
    }

    /// This is done now.
    pub(crate) fn note(&self, what: Done) -> Result<(), Fault> {
        self.note_at(forebay_histcheck::now(), what)
    }

    /// This was done then.
    pub(crate) fn note_at(&self, at: u64, what: Done) -> Result<(), Fault> {
        let io = Fault::file(&self.path);
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        let mut line = serde_json::to_vec(&Mark { at, what }).map_err(|it| io(it.into()))?;
        line.push(b'\n');
        file.and_then(|mut file| file.write_all(&line)).map_err(io)
    }

    /// All of them.
    pub(crate) fn read(&self) -> Result<Vec<Mark>, Fault> {
        let io = Fault::file(&self.path);
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let file = std::fs::File::open(&self.path).map_err(&io)?;
        let mark = |line: std::io::Result<String>| {
            serde_json::from_str(&line.map_err(&io)?).map_err(|error| io(error.into()))
        };
        BufReader::new(file).lines().map(mark).collect()
    }
}
