//! The history of a run, in memory, and one number for all of it.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
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
    hash: Hash,
    /// Members that are dead: what their tasks still do, a dead process would not.
    dead: BTreeSet<String>,
    connections: u64,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        let written = Written {
            events: Vec::new(),
            hash: Hash(0xcbf2_9ce4_8422_2325),
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
        // It takes whatever it is given.
        write!(written.hash, "{event:?}").unwrap_or_default();
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
        written.hash.mix(now);
        written.hash.mix(connection);
        written.hash.mix_all(bytes);
    }

    pub(crate) fn new_connection(&self) -> u64 {
        let mut written = self.lock();
        written.connections += 1;
        written.connections
    }

    /// All events, and the number.
    pub(crate) fn take(&self) -> (Vec<Event>, u64) {
        let mut written = self.lock();
        (std::mem::take(&mut written.events), written.hash.0)
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a over words of eight bytes, the same in every process: all that is said goes through it.
#[derive(Clone, Copy, Debug)]
struct Hash(u64);

impl Hash {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
        // A product moves bits up only.
        self.0 ^= self.0 >> 32;
    }

    fn mix_all(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        self.mix(u64::from_le_bytes(last));
        self.mix(bytes.len() as u64);
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.mix_all(text.as_bytes());
        Ok(())
    }
}
