//! Lines of standard input or of files become records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use forebay::config::ClientKind;
use forebay::{Header, Producer, ProducerConfig, ProducerRecord, Properties, Receipt};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Ending, Surroundings, connect, runtime};
use crate::args::{Codec, Format, Servers, parse};
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Examples:
  printf 'a:1\\nb:2\\n' | forebay produce orders --key-separator : --bootstrap-servers localhost:9092
  forebay produce orders --file monday.txt --file tuesday.txt --compression zstd \\
      --header source=import --rate 1000 --config producer.properties

Each line is a record. The exit code is 0 when all were stored by all in-sync replicas.";

/// Longest line, in bytes: what brokers take by default.
const LINE_MAX: usize = 1 << 20;
/// What stands around a line in a request, at most.
const FRAMING: usize = 1 << 10;
/// Lines that are read ahead.
const AHEAD: usize = 256;
/// Records between two looks at what became of the earlier ones.
const LOOK_EVERY: u64 = 1024;

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The topic to write to
    topic: String,
    #[command(flatten)]
    servers: Servers,
    /// Read lines of this file instead of standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// What stands between key and value; lines without it have no key
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A header of every record, as source=import; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::header)]
    header: Vec<(String, String)>,
    /// Write to this partition [default: by key, or spread]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// How batches are compressed [default: as --config says, else none]
    #[arg(long, value_enum)]
    compression: Option<Codec>,
    /// Records per second at most [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Written {
    records: u64,
}

type Lines = mpsc::Receiver<Result<Vec<u8>, CliError>>;

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::with_threads(1)?.block_on(produce(options, around))
}

async fn produce(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let (producer, longest) = producer(options).await?;
    let mut lines = read_lines(options.file.clone(), longest)?;
    let ending = tokio::select! {
        sent = send_all(&producer, options, &mut lines) => sent.map(Some),
        () = around.stop.requested() => Ok(None),
    };
    let closed = producer.close(around.shared.drain_timeout).await;
    let Some(records) = ending? else {
        closed?;
        return Ok(Ending::Interrupted);
    };
    closed?;
    match around.shared.output {
        Format::Json => output::json(&Written { records })?,
        Format::Text | Format::Hex => {
            output::line(&format!("{} records written", output::count(records)))?;
        }
    }
    Ok(Ending::Done)
}

/// A producer, when the topic is known to exist, and the longest line it takes: to wait for the
/// topic here says what is wrong in time.
async fn producer(options: &Options) -> Result<(Producer, usize), CliError> {
    let settings = connect::settings(&options.servers, ClientKind::Producer)?;
    connect::partition_count(&options.servers, &options.topic).await?;
    let (longest, largest) = limits(&settings)?;
    let builder = Producer::builder().properties(&settings).max_request_size(largest);
    let builder = match options.compression {
        None => builder,
        Some(codec) => builder.compression(codec.into()),
    };
    Ok((builder.build()?, longest))
}

/// The longest line and the largest request: as the file says, or with room for a line of the
/// longest kind that brokers take by default.
fn limits(settings: &Properties) -> Result<(usize, usize), CliError> {
    if settings.get("max.request.size").is_none() {
        return Ok((LINE_MAX, LINE_MAX + FRAMING));
    }
    let largest = ProducerConfig::from_properties(settings)?.max_request_size;
    Ok((largest, largest))
}

/// Sends until the lines end. Returns how many there were.
async fn send_all(
    producer: &Producer,
    options: &Options,
    lines: &mut Lines,
) -> Result<u64, CliError> {
    let headers: Vec<_> = options.header.iter().map(header).collect();
    let begun = Instant::now();
    let (mut sent, mut watched): (u64, Option<Receipt>) = (0, None);
    while let Some(line) = lines.recv().await {
        let line = line?;
        if let Some(rate) = options.rate {
            tokio::time::sleep_until(begun + due(sent, rate)).await;
        }
        let receipt = producer.send(record(options, &line).headers(&headers)).await?;
        sent += 1;
        if sent.is_multiple_of(LOOK_EVERY) {
            if let Some(Err(error)) = watched.as_ref().and_then(Receipt::result) {
                return Err(error.into());
            }
            watched = Some(receipt);
        }
    }
    producer.flush().await?;
    Ok(sent)
}

/// When a record is to be sent, counted from the first.
fn due(sent: u64, rate: u32) -> Duration {
    let rate = u64::from(rate);
    Duration::from_secs(sent / rate) + Duration::from_nanos(sent % rate * 1_000_000_000 / rate)
}

fn header((key, value): &(String, String)) -> Header<'_> {
    Header { key: key.as_bytes(), value: Some(value.as_bytes()) }
}

fn record<'a>(options: &'a Options, line: &'a [u8]) -> ProducerRecord<'a> {
    let separator = options.key_separator.as_deref().unwrap_or_default().as_bytes();
    let (key, value) = match split(line, separator) {
        Some((key, value)) => (Some(key), value),
        None => (None, line),
    };
    let record = ProducerRecord { key, ..ProducerRecord::new(&options.topic, value) };
    ProducerRecord { partition: options.partition, ..record }
}

/// What stands before and after the first `separator`; `None` without one.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if separator.is_empty() {
        return None;
    }
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    let (key, rest) = line.split_at(at);
    Some((key, rest.get(separator.len()..).unwrap_or_default()))
}

/// Reads on a thread of its own, which ends with the process when nothing more comes.
fn read_lines(files: Vec<PathBuf>, longest: usize) -> Result<Lines, CliError> {
    let (tell, lines) = mpsc::channel(AHEAD);
    let read = move || {
        if files.is_empty() {
            send_lines(&mut io::stdin().lock(), longest, &tell);
        }
        for path in files {
            match File::open(&path) {
                Ok(file) => send_lines(&mut BufReader::new(file), longest, &tell),
                Err(source) => drop(tell.blocking_send(Err(CliError::File { path, source }))),
            }
        }
    };
    thread::Builder::new()
        .name("lines".to_owned())
        .spawn(read)
        .map_err(CliError::system("start a thread for reading"))?;
    Ok(lines)
}

type Tell = mpsc::Sender<Result<Vec<u8>, CliError>>;

/// Until the lines end, one cannot be read, or nobody listens.
fn send_lines(input: &mut impl BufRead, longest: usize, tell: &Tell) {
    while let Some(line) = next_line(input, longest).transpose() {
        let is_last = line.is_err();
        if tell.blocking_send(line).is_err() || is_last {
            return;
        }
    }
}

/// The next line without its end; `None` after the last.
fn next_line(input: &mut impl BufRead, longest: usize) -> Result<Option<Vec<u8>>, CliError> {
    let mut line = Vec::new();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(2);
    let read = input.take(limit).read_until(b'\n', &mut line);
    if read.map_err(CliError::system("read the lines"))? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if longest < line.len() {
        return Err(CliError::LineTooLong { limit: longest });
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_the_first_separator() {
        assert_eq!(split(b"a:b:c", b":"), Some((&b"a"[..], &b"b:c"[..])));
        assert_eq!(split(b":b", b":"), Some((&b""[..], &b"b"[..])));
        assert_eq!(split(b"a=>b", b"=>"), Some((&b"a"[..], &b"b"[..])));
        assert_eq!(split(b"ab", b":"), None);
        assert_eq!(split(b"a:b", b""), None);
    }

    #[test]
    fn lines_end_at_line_feeds_or_at_the_end() {
        let mut input = &b"a\n\nb\r\nc"[..];
        let mut found = Vec::new();
        while let Some(line) = next_line(&mut input, LINE_MAX).unwrap() {
            found.push(line);
        }
        assert_eq!(found, [&b"a"[..], b"", b"b\r", b"c"]);
    }

    #[test]
    fn a_line_of_the_longest_kind_is_taken_and_no_longer_one() {
        let long = vec![b'x'; LINE_MAX];
        let mut input = io::Cursor::new([&long[..], b"\nb"].concat());
        assert_eq!(next_line(&mut input, LINE_MAX).unwrap().map(|line| line.len()), Some(LINE_MAX));
        assert_eq!(next_line(&mut input, LINE_MAX).unwrap(), Some(b"b".to_vec()));
        let mut longer = io::Cursor::new(vec![b'x'; LINE_MAX + 1]);
        assert!(matches!(next_line(&mut longer, LINE_MAX), Err(CliError::LineTooLong { .. })));
    }

    #[test]
    fn records_are_due_evenly_over_their_seconds() {
        assert_eq!(due(0, 3), Duration::ZERO);
        assert_eq!(due(1, 4), Duration::from_millis(250));
        assert_eq!(due(9, 4), Duration::from_millis(2_250));
        assert_eq!(due(u64::MAX, 1), Duration::from_secs(u64::MAX));
    }
}
