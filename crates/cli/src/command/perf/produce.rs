//! What does it cost to produce? Sends records of one size through the public API and tells the
//! price of a record, and how long records took.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use forebay::config::ClientKind;
use forebay::{Producer, ProducerRecord};
use serde::Serialize;
use tokio::runtime::Handle;

use super::latency::{Latencies, Percentiles};
use super::payload::Payloads;
use crate::args::{Codec, Format, Servers, parse};
use crate::command::{Ending, Surroundings, connect, runtime};
use crate::error::CliError;
use crate::meter::{self, Meter, Used};
use crate::output::{self, as_f64};

pub(crate) const AFTER: &str = "\
Examples:
  forebay perf produce --topic orders --records 1000000 --record-size 100 \\
      --bootstrap-servers localhost:9092
  forebay perf produce --topic orders --records 100000 --record-size 100 --rate 10000 \\
      --linger-ms 0 --bootstrap-servers localhost:9092 --output json

Processor time is the whole process's, from before the client is made until every record is stored.
With --rate a record's latency counts from when it was due, so that a client that stalls cannot hide
behind the records it sent late. Without it every 1,000th record is timed, from its send on.";

/// Without a rate one of so many records is timed.
const TIMED: u64 = 1000;
/// Records between two looks at whether to stop.
const LOOK_EVERY: u64 = 256;

/// What is written, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    servers: Servers,
    /// The topic to write to
    #[arg(long)]
    topic: String,
    /// How many records
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Bytes of each value
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    record_size: u32,
    /// How batches are compressed
    #[arg(long, value_enum, default_value_t = Codec::None)]
    compression: Codec,
    /// Milliseconds that a batch waits for more records [default: the client's]
    #[arg(long, value_name = "MS")]
    linger_ms: Option<u64>,
    /// Bytes at which a batch is full, as 128KiB [default: the client's]
    #[arg(long, value_name = "SIZE", value_parser = parse::size)]
    batch_size: Option<usize>,
    /// Records per second [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    /// Take the values from this file, where they lie end to end, in turn
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
}

impl Options {
    fn size(&self) -> usize {
        usize::try_from(self.record_size).unwrap_or(usize::MAX)
    }

    fn producer(&self) -> Result<Producer, CliError> {
        let mut builder = Producer::builder()
            .properties(&connect::settings(&self.servers, ClientKind::Producer)?)
            .compression(self.compression.into());
        if let Some(millis) = self.linger_ms {
            builder = builder.linger(Duration::from_millis(millis));
        }
        if let Some(bytes) = self.batch_size {
            builder = builder.batch_size(bytes);
        }
        Ok(builder.build()?)
    }
}

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    // Receipts are waited for beside the sending, which has this thread for itself.
    let runtime = runtime::with_threads(2)?;
    runtime.block_on(connect::partition_count(&options.servers, &options.topic))?;
    let payloads = match &options.values {
        Some(path) => Payloads::from_file(path, options.size())?,
        None => Payloads::generated(options.size()),
    };
    let meter = Meter::start();
    let producer = options.producer()?;
    let work = Work { options, around, payloads, producer, runtime: runtime.handle().clone() };
    let (sent, percentiles) = match options.rate {
        Some(rate) => work.paced(rate)?,
        None => runtime.block_on(work.unpaced())?,
    };
    let used = meter.used();
    runtime.block_on(work.producer.close(around.shared.drain_timeout))?;
    Report::new(sent, options, &used, percentiles).show(around.shared.output)?;
    Ok(if sent < options.records { Ending::Interrupted } else { Ending::Done })
}

/// Everything that sending takes.
struct Work<'a> {
    options: &'a Options,
    around: &'a Surroundings,
    payloads: Payloads,
    producer: Producer,
    runtime: Handle,
}

impl Work<'_> {
    fn record(&self, number: u64) -> ProducerRecord<'_> {
        ProducerRecord::new(&self.options.topic, self.payloads.get(number))
    }

    /// As fast as records are taken.
    async fn unpaced(&self) -> Result<(u64, Percentiles), CliError> {
        let mut latencies = Latencies::new(self.runtime.clone());
        let mut sent = 0;
        while sent < self.options.records {
            if sent.is_multiple_of(LOOK_EVERY) && self.around.stop.is_requested() {
                break;
            }
            if sent.is_multiple_of(TIMED) {
                let begun = Instant::now();
                latencies.watch(begun, self.producer.send(self.record(sent)).await?);
            } else {
                self.producer.send(self.record(sent)).await?;
            }
            sent += 1;
        }
        self.producer.flush().await?;
        Ok((sent, latencies.finish().await?))
    }

    /// Each record when it is due, or as soon after it as it is taken. This thread sleeps by the
    /// system's timer, which is finer than a runtime's.
    fn paced(&self, rate: u32) -> Result<(u64, Percentiles), CliError> {
        let mut latencies = Latencies::new(self.runtime.clone());
        // The first record waits for metadata and a connection; it belongs to nobody's rate.
        self.runtime
            .block_on(async { self.producer.send(self.record(0)).await?.delivered().await })?;
        let begun = Instant::now();
        let mut sent = 1;
        while sent < self.options.records {
            if sent.is_multiple_of(LOOK_EVERY) && self.around.stop.is_requested() {
                break;
            }
            let due = begun + Duration::from_secs_f64(as_f64(sent) / f64::from(rate));
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                std::thread::sleep(early);
            }
            let receipt = self.runtime.block_on(self.producer.send(self.record(sent)))?;
            latencies.watch(due, receipt);
            sent += 1;
        }
        self.runtime.block_on(self.producer.flush())?;
        Ok((sent, self.runtime.block_on(latencies.finish())?))
    }
}

/// The result, in the names that programs know.
#[derive(Clone, Copy, Debug, Serialize)]
struct Report {
    records: u64,
    /// Of values.
    bytes: u64,
    wall_s: f64,
    /// User and system seconds of the whole process.
    cpu_s: f64,
    cpu_ns_per_record: f64,
    peak_rss_bytes: u64,
    #[serde(flatten)]
    percentiles: Percentiles,
}

impl Report {
    fn new(records: u64, options: &Options, used: &Used, percentiles: Percentiles) -> Self {
        Self {
            records,
            bytes: records * u64::from(options.record_size),
            wall_s: used.wall.as_secs_f64(),
            cpu_s: used.cpu.as_secs_f64(),
            cpu_ns_per_record: used.cpu.as_secs_f64() * 1e9 / as_f64(records.max(1)),
            peak_rss_bytes: meter::peak_rss(),
            percentiles,
        }
    }

    fn show(&self, format: Format) -> Result<(), CliError> {
        match format {
            Format::Json => output::json(self),
            Format::Text | Format::Hex => output::rows(&self.rows()),
        }
    }

    fn rows(&self) -> [(&'static str, String); 6] {
        let rate = as_f64(self.records) / self.wall_s.max(f64::EPSILON);
        let told = &self.percentiles;
        let millis = |micros: u64| as_f64(micros) / 1e3;
        [
            ("records", output::count(self.records)),
            ("value bytes", output::bytes(self.bytes)),
            ("wall time", format!("{:.2} s, {:.0} records/s", self.wall_s, rate)),
            ("processor", format!("{:.0} ns per record", self.cpu_ns_per_record)),
            ("peak memory", output::bytes(self.peak_rss_bytes)),
            (
                "latency",
                format!(
                    "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, of {} records",
                    millis(told.latency_p50_us),
                    millis(told.latency_p99_us),
                    millis(told.latency_p999_us),
                    output::count(told.latencies),
                ),
            ),
        ]
    }
}
