//! One run of one client: what did it say, and what did the kernel count?

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::meter::as_f64;

/// How often a running client is looked at; the looking costs nothing that counts.
const LOOK: Duration = Duration::from_millis(10);

/// The line that a client printed, as far as every client prints it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Line {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) checksum: Option<u64>,
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) fetched_over_delivered: Option<f64>,
    pub(crate) reservoir_empty_s: Option<f64>,
    pub(crate) settled_rss_bytes: Option<u64>,
    pub(crate) budget_bytes: Option<u64>,
    pub(crate) budget_peak_bytes: Option<u64>,
    pub(crate) cpu_share: Option<f64>,
    pub(crate) committed: Option<u64>,
    pub(crate) latency_p50_us: f64,
    pub(crate) latency_p99_us: f64,
    pub(crate) latency_p999_us: f64,
    pub(crate) latency_max_us: f64,
}

/// What one run took.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// User and system time of the whole process by the kernel's books, per record.
    pub(crate) cpu_ns_per_record: f64,
    pub(crate) line: Line,
}

/// Runs the command to its end on one core.
pub(crate) fn run(words: &[String], core: usize, limit: Duration) -> Result<Sample, Error> {
    let before = children()?;
    let line = said(words, core, limit)?;
    let spent = children()?.saturating_sub(before);
    let line: Line = serde_json::from_str(line.lines().last().unwrap_or_default())
        .map_err(|source| Error::Line { command: words.join(" "), source })?;
    let cpu_ns_per_record = spent.as_secs_f64() * 1e9 / as_f64(line.records.max(1));
    Ok(Sample { cpu_ns_per_record, line })
}

/// What the command prints until its end, on one core.
pub(crate) fn said(words: &[String], core: usize, limit: Duration) -> Result<String, Error> {
    finish(&mut start(words, core)?, limit)
}

/// Starts a program on one core with its output at hand.
pub(crate) fn start(words: &[String], core: usize) -> Result<Child, Error> {
    Command::new("taskset")
        .args(["-c", &core.to_string()])
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(Error::io("start a client with taskset"))
}

fn finish(child: &mut Child, limit: Duration) -> Result<String, Error> {
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(Error::io("wait for a client"))? {
            break status;
        }
        if started.elapsed() > limit {
            child.kill().map_err(Error::io("end a client"))?;
            child.wait().map_err(Error::io("wait for a client"))?;
            return Err(Error::Overdue { limit });
        }
        thread::sleep(LOOK);
    };
    let mut said = String::new();
    if let Some(output) = &mut child.stdout {
        output.read_to_string(&mut said).map_err(Error::io("read a client's line"))?;
    }
    if status.success() { Ok(said) } else { Err(Error::Failed { status }) }
}

/// User and system time of all children that have ended.
fn children() -> Result<Duration, Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|errno| Error::io("read the kernel's books")(errno.into()))?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
