//! One record, one line. A record counts as done when its line has left this process.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use forebay::Record;
use serde::Serialize;
use tokio::sync::Notify;

use crate::args::Format;

/// Prints records until enough were printed or nobody reads them.
#[derive(Debug)]
pub(super) struct Printer {
    format: Format,
    most: Option<u64>,
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug)]
struct State {
    printed: u64,
    last: Instant,
    error: Option<io::Error>,
}

/// Whether a record was printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Printed {
    Yes,
    /// As many as were asked for have been printed before.
    IsFull,
}

/// A record for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<Text<'a>>,
    value: Option<Text<'a>>,
}

/// Bytes as text where they are, else as digits.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
enum Text<'a> {
    Utf8(&'a str),
    Other { hex: String },
}

impl Printer {
    pub(super) fn new(format: Format, most: Option<u64>) -> Self {
        let state = State { printed: 0, last: Instant::now(), error: None };
        Self { format, most, state: Mutex::new(state), over: Notify::new() }
    }

    /// Prints a record, unless enough were printed before.
    pub(super) fn print(&self, record: &Record) -> io::Result<Printed> {
        let mut state = self.state();
        if self.most.is_some_and(|most| most <= state.printed) {
            return Ok(Printed::IsFull);
        }
        if let Err(error) = self.write(record) {
            let told = io::Error::from(error.kind());
            state.error = Some(error);
            self.over.notify_one();
            return Err(told);
        }
        state.printed += 1;
        state.last = Instant::now();
        if self.most == Some(state.printed) {
            self.over.notify_one();
        }
        Ok(Printed::Yes)
    }

    fn write(&self, record: &Record) -> io::Result<()> {
        let mut line = match self.format {
            Format::Text => record.value().unwrap_or_default().to_vec(),
            Format::Json => serde_json::to_vec(&Line::of(record))?,
        };
        line.push(b'\n');
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.flush()
    }

    /// Returns when nothing more is to be printed. Cancel safe.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_full() || self.state().error.is_some()
    }

    /// Whether as many as were asked for have been printed.
    pub(super) fn is_full(&self) -> bool {
        self.most.is_some_and(|most| most <= self.state().printed)
    }

    /// How long nothing has been printed.
    pub(super) fn idle(&self) -> Duration {
        self.state().last.elapsed()
    }

    /// Why printing failed, once.
    pub(super) fn error(&self) -> Option<io::Error> {
        self.state().error.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Line<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            topic: record.topic(),
            partition: record.partition(),
            offset: record.offset().0,
            timestamp: record.timestamp(),
            key: record.key().map(Text::of),
            value: record.value().map(Text::of),
        }
    }
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Other { hex: hex(bytes) }, Self::Utf8)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_as_digits() {
        assert_eq!(Text::of("grün".as_bytes()), Text::Utf8("grün"));
        assert_eq!(Text::of(&[0xff, 0x01]), Text::Other { hex: "ff01".to_owned() });
    }
}
