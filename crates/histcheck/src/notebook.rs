//! How are histories written? A line per event, in the system's hands before the call returns: what
//! a process noted outlives its kill -9.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::time::{ClockId, clock_gettime};

use crate::event::{Event, What};

/// A file that events are added to, in the order of their times. Threads may share one.
#[derive(Debug)]
pub struct Notebook {
    file: Mutex<File>,
}

impl Notebook {
    /// Adds to the file, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When the system does not open it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Writes down that this happens now.
    ///
    /// # Errors
    ///
    /// When the system takes the line not or not whole: the history is worth nothing then.
    pub fn note(&self, what: What) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = serde_json::to_vec(&Event { at: now(), what })?;
        line.push(b'\n');
        // One call to the system: a line of it may be missing, half a line hardly ever.
        file.write_all(&line)
    }
}

/// The time of all processes of this machine, in nanoseconds since it started.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000) + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// Removes the piece of a line at the end of a file whose writer was killed in the middle of it.
///
/// # Errors
///
/// When the system does not let the file be read and cut.
pub fn mend(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(4096);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(4096).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole = from + u64::try_from(whole).unwrap_or_default();
    if whole < len {
        OpenOptions::new().write(true).open(path)?.set_len(whole)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;

    fn done(offset: i64) -> What {
        What::Done { member: "m1".to_owned(), tp: "t-0".to_owned(), offset }
    }

    #[test]
    fn what_several_threads_note_is_read_in_the_order_of_its_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let notebook = Notebook::open(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let notebook = &notebook;
                scope.spawn(move || {
                    (0..100).for_each(|i| notebook.note(done(thread * 100 + i)).unwrap());
                });
            }
        });
        let events: Vec<Event> = History::open([&path]).unwrap().map(Result::unwrap).collect();
        assert_eq!(events.len(), 400);
        assert!(events.is_sorted_by_key(|event| event.at));
    }

    #[test]
    fn half_a_line_of_one_that_was_killed_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let notebook = Notebook::open(&path).unwrap();
        (0..100).for_each(|offset| notebook.note(done(offset)).unwrap());
        mend(&path).unwrap();
        assert_eq!(History::open([&path]).unwrap().count(), 100);

        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":5").unwrap();
        mend(&path).unwrap();
        let events = History::open([&path]).unwrap().map(Result::unwrap);
        assert_eq!(events.last().map(|event| event.what), Some(done(99)));
    }
}
