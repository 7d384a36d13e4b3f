//! What every peer shares: the command line, the count of records, the line of JSON.

pub mod produce;

use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::Serialize;

/// The same options as `forebay perf consume`.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Host and port of a broker.
    #[arg(long)]
    pub bootstrap_servers: String,
    /// Topic, read from its beginning.
    #[arg(long)]
    pub topic: String,
    /// Records after which it ends.
    #[arg(long)]
    pub records: u64,
    /// Partitions to assign, first and last joined by `-`.
    #[arg(long, default_value = "0-7")]
    pub partitions: String,
    /// Join this group and subscribe, in place of assigning partitions.
    #[arg(long)]
    pub group: Option<String>,
    /// Which of the client's ways to receive records.
    #[arg(long, default_value = "batches")]
    pub api: String,
    /// Larger fetches and queues than the client's defaults.
    #[arg(long)]
    pub tuned: bool,
    /// Threads of the runtime, where the client runs on Tokio.
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
    /// Accepted for the sake of one command line; the output is always JSON.
    #[arg(long, default_value = "json")]
    pub output: String,
}

impl Options {
    /// The numbers of the partitions to assign.
    ///
    /// # Panics
    ///
    /// When `--partitions` is not two numbers.
    #[must_use]
    pub fn partitions(&self) -> std::ops::RangeInclusive<i32> {
        let (first, last) = self.partitions.split_once('-').expect("--partitions FIRST-LAST");
        first.parse().expect("a number")..=last.parse().expect("a number")
    }

    /// The group to commit under: commits are on with or without membership.
    #[must_use]
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or("bench-assigned")
    }

    /// A Tokio runtime as the options ask for.
    ///
    /// # Panics
    ///
    /// When the system refuses a thread.
    #[must_use]
    pub fn runtime(&self) -> tokio::runtime::Runtime {
        use tokio::runtime::Builder;
        let mut builder = match self.workers {
            1 => Builder::new_current_thread(),
            workers => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
        };
        builder.enable_all().build().expect("a runtime")
    }
}

/// Counts records and touches the first byte of each value.
#[derive(Debug)]
pub struct Tally {
    wanted: u64,
    records: u64,
    bytes: u64,
    checksum: u64,
    started: Instant,
}

#[derive(Serialize)]
struct Report<'a> {
    client: &'a str,
    records: u64,
    bytes: u64,
    checksum: u64,
    wall_s: f64,
    cpu_s: f64,
    cpu_ns_per_record: f64,
    peak_rss_bytes: u64,
}

impl Tally {
    #[must_use]
    pub fn new(wanted: u64) -> Self {
        Self { wanted, records: 0, bytes: 0, checksum: 0, started: Instant::now() }
    }

    /// One more record with this value.
    #[inline]
    pub fn add(&mut self, value: &[u8]) {
        self.records += 1;
        self.bytes += value.len() as u64;
        self.checksum += u64::from(value.first().copied().unwrap_or(0));
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records >= self.wanted
    }

    /// Prints the result line.
    ///
    /// # Panics
    ///
    /// When the system does not tell what the process used.
    pub fn print(&self, client: &str) {
        let wall_s = self.started.elapsed().as_secs_f64();
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
        let cpu_s = (duration(usage.user_time()) + duration(usage.system_time())).as_secs_f64();
        let report = Report {
            client,
            records: self.records,
            bytes: self.bytes,
            checksum: self.checksum,
            wall_s,
            cpu_s,
            cpu_ns_per_record: cpu_s * 1e9 / self.records.max(1) as f64,
            peak_rss_bytes: usage.max_rss().unsigned_abs() * 1024,
        };
        println!("{}", serde_json::to_string(&report).expect("numbers and a name"));
    }
}

pub(crate) fn duration(time: TimeVal) -> Duration {
    Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec() as u32 * 1000)
}
