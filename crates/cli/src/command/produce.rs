//! Lines of standard input become records.

use std::io::{self, BufRead, Read};
use std::thread;

use clap::{Args, ValueEnum};
use forebay::{Compression, Producer, ProducerRecord, Receipt};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Ending, Surroundings, runtime};
use crate::args::{Format, Servers};
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Example:
  printf 'a:1\\nb:2\\n' | forebay produce orders --key-separator : --bootstrap-servers localhost:9092

Each line is a record. The exit code is 0 when all were stored by all in-sync replicas.";

/// Longest line, in bytes: what brokers take by default.
const LINE_MAX: usize = 1 << 20;
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
    /// What stands between key and value; lines without it have no key
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Write to this partition [default: by key, or spread]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// How batches are compressed
    #[arg(long, value_enum, default_value_t = Codec::None)]
    compression: Codec,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
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
    let producer = producer(options).await?;
    let mut lines = read_lines(io::stdin())?;
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
        Format::Text => output::line(&format!("{} records written", output::count(records)))?,
    }
    Ok(Ending::Done)
}

/// A producer, when the topic is known to exist: to wait for it here says what is wrong in time.
async fn producer(options: &Options) -> Result<Producer, CliError> {
    super::connect::partition_count(&options.servers, &options.topic).await?;
    Ok(Producer::builder()
        .bootstrap_servers(&options.servers.bootstrap_servers)
        .compression(match options.compression {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip,
            Codec::Snappy => Compression::Snappy,
            Codec::Lz4 => Compression::Lz4,
            Codec::Zstd => Compression::Zstd,
        })
        // Room for a line of the longest kind and what stands around it.
        .max_request_size(LINE_MAX + (1 << 10))
        .build()?)
}

/// Sends until the lines end. Returns how many there were.
async fn send_all(
    producer: &Producer,
    options: &Options,
    lines: &mut Lines,
) -> Result<u64, CliError> {
    let (mut sent, mut watched): (u64, Option<Receipt>) = (0, None);
    while let Some(line) = lines.recv().await {
        let receipt = producer.send(record(options, &line?)).await?;
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
fn read_lines(input: io::Stdin) -> Result<Lines, CliError> {
    let (tell, lines) = mpsc::channel(AHEAD);
    let read = move || {
        let mut input = input.lock();
        while let Some(line) = next_line(&mut input).transpose() {
            let is_last = line.is_err();
            if tell.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(read)
        .map_err(CliError::system("start a thread for standard input"))?;
    Ok(lines)
}

/// The next line without its end; `None` after the last.
fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, CliError> {
    let mut line = Vec::new();
    let limit = u64::try_from(LINE_MAX + 2).unwrap_or(u64::MAX);
    let read = input.take(limit).read_until(b'\n', &mut line);
    if read.map_err(CliError::system("read standard input"))? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if LINE_MAX < line.len() {
        return Err(CliError::LineTooLong { limit: LINE_MAX });
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
        while let Some(line) = next_line(&mut input).unwrap() {
            found.push(line);
        }
        assert_eq!(found, [&b"a"[..], b"", b"b\r", b"c"]);
    }

    #[test]
    fn a_line_of_the_longest_kind_is_taken_and_no_longer_one() {
        let long = vec![b'x'; LINE_MAX];
        let mut input = io::Cursor::new([&long[..], b"\nb"].concat());
        assert_eq!(next_line(&mut input).unwrap().map(|line| line.len()), Some(LINE_MAX));
        assert_eq!(next_line(&mut input).unwrap(), Some(b"b".to_vec()));
        let mut longer = io::Cursor::new(vec![b'x'; LINE_MAX + 1]);
        assert!(matches!(next_line(&mut longer), Err(CliError::LineTooLong { .. })));
    }
}
