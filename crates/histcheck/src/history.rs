//! How are histories read? Files of lines, in pieces, several as one by their times.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::event::Event;

/// The longest line that is taken for one: 64 KiB.
const LINE_MAX: u64 = 64 << 10;

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// A file could not be opened or read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not an event.
    #[error("{}, line {line}: {source}; expected one event, as JSON", path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// The parser's word.
        source: serde_json::Error,
    },
    /// A line has no end: the file was cut off, or is no history.
    #[error("{}, line {line}: cut off, or longer than 64 KiB; expected one event per line", path.display())]
    Cut {
        /// In which file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
    },
}

/// The events of several files, in the order of their times; those of equal times in the order in
/// which the files were named.
#[derive(Debug)]
pub struct History {
    files: Vec<Lines>,
}

impl History {
    /// Opens the files.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or its first line is not an event.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, HistoryError> {
        let files = paths.into_iter().map(|path| Lines::open(path.as_ref()));
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }

    fn pull(&mut self) -> Result<Option<Event>, HistoryError> {
        let at = |lines: &&mut Lines| lines.next.as_ref().map(|event| event.at);
        let waiting = self.files.iter_mut().filter(|lines| lines.next.is_some());
        match waiting.min_by_key(at) {
            Some(lines) => lines.pull(),
            None => Ok(None),
        }
    }
}

impl Iterator for History {
    type Item = Result<Event, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pull().transpose()
    }
}

/// One file, an event ahead.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: u64,
    next: Option<Event>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, HistoryError> {
        let path = path.to_owned();
        let file = File::open(&path)
            .map_err(|source| HistoryError::File { path: path.clone(), source })?;
        let mut lines = Self { path, reader: BufReader::new(file), line: 0, next: None };
        lines.pull()?;
        Ok(lines)
    }

    /// The event that waits; the one behind it is read.
    fn pull(&mut self) -> Result<Option<Event>, HistoryError> {
        let next = self.read()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn read(&mut self) -> Result<Option<Event>, HistoryError> {
        let mut text = Vec::new();
        let mut limited = (&mut self.reader).take(LINE_MAX);
        let read = limited
            .read_until(b'\n', &mut text)
            .map_err(|source| HistoryError::File { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let (path, line) = (self.path.clone(), self.line);
        if text.last() != Some(&b'\n') {
            return Err(HistoryError::Cut { path, line });
        }
        let event = serde_json::from_slice(&text);
        event.map(Some).map_err(|source| HistoryError::Line { path, line, source })
    }
}
