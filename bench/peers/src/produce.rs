//! What every producing peer shares: the command line, the values, latencies, the line of JSON.

use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

/// The same options as `forebay perf produce`, and `--api`.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Host and port of a broker.
    #[arg(long)]
    pub bootstrap_servers: String,
    /// Topic to write to.
    #[arg(long)]
    pub topic: String,
    /// How many records.
    #[arg(long)]
    pub records: u64,
    /// Bytes of each value.
    #[arg(long, default_value_t = 100)]
    pub record_size: usize,
    /// none, gzip, snappy, lz4 or zstd.
    #[arg(long, default_value = "none")]
    pub compression: String,
    /// Milliseconds that a batch waits for more records.
    #[arg(long, default_value_t = 5)]
    pub linger_ms: u64,
    /// Bytes at which a batch is full.
    #[arg(long, default_value_t = 131_072)]
    pub batch_size: usize,
    /// Records per second; needed for `--api echo`.
    #[arg(long, default_value_t = 1000)]
    pub rate: u32,
    /// File of values that lie end to end.
    #[arg(long)]
    pub values: Option<std::path::PathBuf>,
    /// `send`: as fast as records are taken. `echo`: at a rate, and how long until each was read.
    #[arg(long, default_value = "send")]
    pub api: String,
    /// Partitions to read, 0 to this number, less one.
    #[arg(long, default_value_t = 8)]
    pub partitions: i32,
    /// Accepted for the sake of one command line; the output is always JSON.
    #[arg(long, default_value = "json")]
    pub output: String,
}

/// Values in turn.
#[derive(Debug)]
pub struct Values(Vec<Vec<u8>>);

impl Options {
    /// The values of the file.
    ///
    /// # Panics
    ///
    /// Without a file that holds one value.
    #[must_use]
    pub fn values(&self) -> Values {
        let path = self.values.as_ref().expect("--values FILE");
        let bytes = std::fs::read(path).expect("a file of values");
        let values: Vec<_> = bytes.chunks_exact(self.record_size).map(<[u8]>::to_vec).collect();
        assert!(!values.is_empty(), "one value at least");
        Values(values)
    }
}

impl Values {
    /// The value of the record with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> &[u8] {
        &self.0[usize::try_from(number).expect("a number") % self.0.len()]
    }
}

/// Sends on time: each record is due at its place in the rate.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub begun: Instant,
    rate: u32,
}

impl Pace {
    #[must_use]
    pub fn new(begun: Instant, rate: u32) -> Self {
        Self { begun, rate }
    }

    /// Waits until the record with this number is due; says when that was, in nanoseconds.
    #[must_use]
    pub fn wait(&self, number: u64) -> u64 {
        let after = Duration::from_secs_f64(number as f64 / f64::from(self.rate));
        let early = (self.begun + after).saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        u64::try_from(after.as_nanos()).expect("a time")
    }
}

#[derive(Debug, Default, Serialize)]
struct Report<'a> {
    client: &'a str,
    records: u64,
    bytes: u64,
    wall_s: f64,
    cpu_s: f64,
    cpu_ns_per_record: f64,
    peak_rss_bytes: u64,
    latencies: u64,
    latency_p50_us: f64,
    latency_p99_us: f64,
    latency_p999_us: f64,
    latency_max_us: f64,
}

/// Prints the result line; `nanos` are the latencies, in any order.
///
/// # Panics
///
/// When the system does not tell what the process used.
pub fn print(client: &str, options: &Options, begun: Instant, mut nanos: Vec<u64>) {
    let wall_s = begun.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    let cpu_s = (crate::duration(usage.user_time()) + crate::duration(usage.system_time()))
        .as_secs_f64();
    nanos.sort_unstable();
    let at = |thousandth: usize| {
        let rank = (nanos.len() * thousandth).div_ceil(1000).saturating_sub(1);
        nanos.get(rank).copied().unwrap_or(0) as f64 / 1e3
    };
    let report = Report {
        client,
        records: options.records,
        bytes: options.records * options.record_size as u64,
        wall_s,
        cpu_s,
        cpu_ns_per_record: cpu_s * 1e9 / options.records.max(1) as f64,
        peak_rss_bytes: usage.max_rss().unsigned_abs() * 1024,
        latencies: nanos.len() as u64,
        latency_p50_us: at(500),
        latency_p99_us: at(990),
        latency_p999_us: at(999),
        latency_max_us: at(1000),
    };
    println!("{}", serde_json::to_string(&report).expect("numbers and a name"));
}
