//! What does the product hold in memory when its users are slow, and spend when nothing happens?

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use forebay_protocol::records::codec::Codec;
use serde::Serialize;

use crate::cell::{Cell, Source};
use crate::child::{self, Line};
use crate::error::Error;
use crate::machine::Machine;
use crate::meter::as_f64;
use crate::stand::Stand;

/// Resident memory beyond the budget, as a ratio to it.
const MEMORY: f64 = 1.25;
/// Processor time by wall time.
const IDLE: f64 = 0.005;
/// A run that takes longer than this is broken.
const LIMIT: Duration = Duration::from_secs(300);

/// Handlers that hold their records for a second.
const HOLDING: &str = "--api records --unordered 10000 --hold 1000 --settle 2 --seconds 20";
/// A minute of nothing, after the first answers.
const IDLING: &str = "--api batches --settle 5 --seconds 60";

/// What is asked of the product's line.
#[derive(Clone, Copy, Debug)]
enum Question {
    /// (peak - settled) / budget.
    Memory,
    /// The share of a core.
    Idle,
}

/// One run of the product under a condition.
#[derive(Clone, Copy, Debug)]
struct Probe {
    cell: Cell,
    /// MiB.
    budget: usize,
    arguments: &'static str,
    question: Question,
}

const fn memory(name: &'static str, codec: Codec, budget: usize, partitions: i32) -> Probe {
    let cell = Cell {
        name,
        source: Source::Replay,
        record_size: 1_000,
        records_per_batch: 100,
        codec,
        partitions,
        records: 400_000_000,
        standard: true,
    };
    Probe { cell, budget, arguments: HOLDING, question: Question::Memory }
}

const fn idle(name: &'static str, partitions: i32) -> Probe {
    let mut probe = memory(name, Codec::None, 128, partitions);
    probe.cell.records = 0;
    Probe { arguments: IDLING, question: Question::Idle, ..probe }
}

const PROBES: [Probe; 9] = [
    memory("memory-32-none", Codec::None, 32, 8),
    memory("memory-32-zstd", Codec::Zstd, 32, 8),
    memory("memory-256-none", Codec::None, 256, 8),
    memory("memory-256-zstd", Codec::Zstd, 256, 8),
    memory("memory-32-none-x64", Codec::None, 32, 64),
    memory("memory-32-zstd-x64", Codec::Zstd, 32, 64),
    memory("memory-256-none-x64", Codec::None, 256, 64),
    memory("memory-256-zstd-x64", Codec::Zstd, 256, 64),
    idle("idle-10000", 10_000),
];

/// Which probes, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Probes to run, by the start of their name; all by default.
    names: Vec<String>,
    /// Another broker than the replay one; it must have an empty topic of the probe's name.
    #[arg(long)]
    broker: Option<String>,
    /// Core of the replay broker.
    #[arg(long, default_value_t = 0)]
    broker_core: usize,
    /// Core of the product.
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Where a JSON file of every run goes.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// End with an error when a promise is missed.
    #[arg(long)]
    gate: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    probe: &'static str,
    command: String,
    found: f64,
    limit: f64,
    line: Line,
}

#[derive(Debug, Serialize)]
struct Findings {
    machine: Machine,
    probes: Vec<Finding>,
}

/// Runs the probes one after another and prints a line for each.
///
/// # Errors
///
/// When the product or a broker fails, and with `--gate` when a promise is missed.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut findings = Findings { machine: Machine::here()?, probes: Vec::new() };
    let asked = |probe: &&Probe| {
        let by_name = |start: &String| probe.cell.name.starts_with(start.as_str());
        options.names.is_empty() || options.names.iter().any(by_name)
    };
    for probe in PROBES.iter().filter(asked) {
        let finding = look(probe, options)?;
        println!("{}", finding.sentence());
        findings.probes.push(finding);
    }
    let path = findings.machine.keep(&options.results, "probe", &findings)?;
    println!("results: {}", path.display());
    let missed = findings.probes.iter().filter(|finding| !finding.is_met()).count();
    if options.gate && missed > 0 { Err(Error::Missed { missed }) } else { Ok(()) }
}

fn look(probe: &Probe, options: &Options) -> Result<Finding, Error> {
    let cell = match options.broker {
        Some(_) => Cell { source: Source::Live, ..probe.cell },
        None => probe.cell,
    };
    let stand = Stand::set_up(&cell, options.broker.as_deref(), options.broker_core)?;
    let words = format!(
        "target/release/forebay-bench ours --bootstrap-servers {} --topic {} --partitions {} \
         --records {} --budget {} {}",
        stand.bootstrap(),
        cell.name,
        cell.partitions,
        u64::MAX,
        probe.budget << 20,
        probe.arguments,
    );
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let line = child::run(&words, options.client_core, LIMIT)?.line;
    let (found, limit) = match probe.question {
        Question::Memory => (memory_found(&line), MEMORY),
        Question::Idle => (line.cpu_share.unwrap_or(f64::NAN), IDLE),
    };
    Ok(Finding { probe: cell.name, command: words.join(" "), found, limit, line })
}

fn memory_found(line: &Line) -> f64 {
    let settled = line.settled_rss_bytes.unwrap_or(0);
    let beyond = line.peak_rss_bytes.saturating_sub(settled);
    as_f64(beyond) / as_f64(line.budget_bytes.unwrap_or(0).max(1))
}

impl Finding {
    fn is_met(&self) -> bool {
        self.found <= self.limit
    }

    fn sentence(&self) -> String {
        let mark = if self.is_met() { "met   " } else { "MISSED" };
        let Self { probe, found, limit, .. } = self;
        format!("{mark}  {probe}: at most {limit}, found {found:.4}")
    }
}
