//! How much of the machine has this process used so far?

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::error::Error;
use crate::floor::Tally;

/// The line every client under measurement prints when it is done.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Who was measured.
    pub(crate) client: String,
    /// Records handed over.
    pub(crate) records: u64,
    /// Bytes of their values.
    pub(crate) bytes: u64,
    /// Sum of the first byte of each value: equal for equal topics.
    pub(crate) checksum: u64,
    /// Seconds from the connection to the last record.
    pub(crate) wall_s: f64,
    /// User and system seconds of the whole process.
    pub(crate) cpu_s: f64,
    /// The same per record, in nanoseconds.
    pub(crate) cpu_ns_per_record: f64,
    /// Most memory ever resident.
    pub(crate) peak_rss_bytes: u64,
    /// Bytes of batches read from the socket by bytes of batches walked.
    pub(crate) fetched_over_delivered: f64,
}

impl Report {
    /// The figures of a run that ends now.
    pub(crate) fn new(client: &str, meter: &Meter, tally: Tally, received: u64) -> Self {
        let cpu_s = cpu().as_secs_f64();
        Self {
            client: client.to_owned(),
            records: tally.records,
            bytes: tally.value_bytes,
            checksum: tally.checksum,
            wall_s: meter.wall().as_secs_f64(),
            cpu_s,
            cpu_ns_per_record: cpu_s * 1e9 / as_f64(tally.records.max(1)),
            peak_rss_bytes: peak_rss(),
            fetched_over_delivered: as_f64(received) / as_f64(tally.batch_bytes.max(1)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Counts of a measurement are far below the 2^53 that a float holds exactly.
#[allow(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Started before the connection is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    started: Instant,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.started.elapsed()
    }
}

/// User and system time of all threads of this process since it began.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The high-water mark of resident memory in bytes; 0 where `/proc` does not tell.
pub(crate) fn peak_rss() -> u64 {
    status("VmHWM:")
}

/// Resident memory in bytes; 0 where `/proc` does not tell.
pub(crate) fn rss() -> u64 {
    status("VmRSS:")
}

fn status(row: &str) -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with(row))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(0, |kib| kib * 1024)
}

/// Keeps this process on one core, threads that start later included.
pub(crate) fn pin(core: usize) -> Result<(), Error> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|source| Error::Kernel { what: "pin this process to a core", source })
}
