//! One record, one line. A record counts as done when its line has left this process.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use forebay::Record;
use serde::Serialize;
use tokio::sync::Notify;

use super::format::Template;
use crate::args::Format;

/// Prints records until enough were printed or nobody reads them.
#[derive(Debug)]
pub(super) struct Printer {
    look: Look,
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

/// How records look.
#[derive(Clone, Debug)]
pub(super) enum Look {
    /// Values, one on each line.
    Values,
    /// Everything, as JSON.
    Json,
    /// Keys and values as hexadecimal digits.
    Hex,
    /// As the user said.
    Template(Template),
}

impl Look {
    pub(super) fn of(format: Format, template: Option<&Template>) -> Self {
        match (template, format) {
            (Some(template), _) => Self::Template(template.clone()),
            (None, Format::Text) => Self::Values,
            (None, Format::Json) => Self::Json,
            (None, Format::Hex) => Self::Hex,
        }
    }
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
    headers: Vec<(Text<'a>, Option<Text<'a>>)>,
}

/// Bytes as text where they are, else as digits.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
enum Text<'a> {
    Utf8(&'a str),
    Other { hex: String },
}

impl Printer {
    pub(super) fn new(look: Look, most: Option<u64>) -> Self {
        let state = State { printed: 0, last: Instant::now(), error: None };
        Self { look, most, state: Mutex::new(state), over: Notify::new() }
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
        let mut line = match &self.look {
            Look::Values => record.value().unwrap_or_default().to_vec(),
            Look::Json => serde_json::to_vec(&Line::of(record))?,
            Look::Hex => hex_line(record).into_bytes(),
            Look::Template(template) => template.render(record),
        };
        if !matches!(self.look, Look::Template(_)) {
            line.push(b'\n');
        }
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
        let headers = record.headers().into_iter().flatten();
        Self {
            topic: record.topic(),
            partition: record.partition(),
            offset: record.offset().0,
            timestamp: record.timestamp(),
            key: record.key().map(Text::of),
            value: record.value().map(Text::of),
            headers: headers.map(|it| (Text::of(it.key), it.value.map(Text::of))).collect(),
        }
    }
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Other { hex: hex(bytes) }, Self::Utf8)
    }
}

/// Topic, partition and offset, key and value; what is not there is a dash.
fn hex_line(record: &Record) -> String {
    let shown = |bytes: Option<&[u8]>| bytes.map_or_else(|| "-".to_owned(), hex);
    let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
    format!("{topic}-{partition}@{offset} {} {}", shown(record.key()), shown(record.value()))
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
