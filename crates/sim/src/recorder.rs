//! The history of a run, in memory, and one number for all of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forebay_histcheck::{Event, What};
use tokio::time::Instant;

/// Writes down what happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    born: Instant,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    events: Vec<Event>,
    /// FNV-1a, the same in every process.
    hash: u64,
    /// Members that are dead: what their tasks still do, a dead process would not.
    dead: BTreeSet<String>,
    connections: u64,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        let written = Written {
            events: Vec::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            dead: BTreeSet::new(),
            connections: 0,
        };
        Arc::new(Self { born: Instant::now(), written: Mutex::new(written) })
    }

    /// Nanoseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn note(&self, what: What) {
        let event = Event { at: self.now(), what };
        let mut written = self.lock();
        written.mix(format!("{event:?}").as_bytes());
        written.events.push(event);
    }

    /// The same for what a member does, unless it is dead.
    pub(crate) fn note_of(&self, member: &str, what: What) {
        if !self.lock().dead.contains(member) {
            self.note(what);
        }
    }

    /// The member dies now.
    pub(crate) fn kill(&self, member: &str) {
        self.note(What::Killed { member: member.to_owned() });
        self.lock().dead.insert(member.to_owned());
    }

    /// Bytes on a connection: they count for the number only.
    pub(crate) fn hear(&self, connection: u64, bytes: &[u8]) {
        let now = self.now();
        let mut written = self.lock();
        written.mix(&now.to_be_bytes());
        written.mix(&connection.to_be_bytes());
        written.mix(bytes);
    }

    pub(crate) fn new_connection(&self) -> u64 {
        let mut written = self.lock();
        written.connections += 1;
        written.connections
    }

    /// All events, and the number.
    pub(crate) fn take(&self) -> (Vec<Event>, u64) {
        let mut written = self.lock();
        (std::mem::take(&mut written.events), written.hash)
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
