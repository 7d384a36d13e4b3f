//! What does the newcomer read? One screen: what was done, what each pillar did, and the verdict.

use serde::Serialize;

use super::read::Reading;
use super::verdict::{Promise, Verdict};
use super::{Options, Stage};
use crate::args::Format;
use crate::error::CliError;
use crate::meter::Used;
use crate::output::{self, as_f64, count};

/// The result for programs.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    records: u64,
    partitions: u16,
    workers: usize,
    record_size: u32,
    produce_s: f64,
    produce_cpu_ns_per_record: f64,
    consume_s: f64,
    consume_cpu_ns_per_record: f64,
    fetched_over_delivered: f64,
    budget_bytes: u64,
    budget_peak_bytes: u64,
    promises: Vec<Promise>,
    passed: bool,
    #[serde(skip)]
    pillars: [(&'static str, String); 4],
}

/// Before anything is done.
pub(super) fn opening(options: &Options, stage: &Stage, format: Format) -> Result<(), CliError> {
    if format == Format::Json {
        return Ok(());
    }
    let (records, servers) = (count(options.records), stage.servers.shown());
    let (size, partitions) = (options.record_size, options.partitions);
    output::line(&format!("{records} records of {size} bytes, {partitions} partitions"))?;
    let whose = if stage.own.is_some() { "in this process, at" } else { "at" };
    output::line(&format!("broker  {whose} {servers}"))
}

/// Between the two halves.
pub(super) fn filled(options: &Options, used: Used, format: Format) -> Result<(), CliError> {
    if format == Format::Json {
        return Ok(());
    }
    output::line(&format!(
        "filled  {}, every batch acknowledged by all replicas",
        speed(options, used)
    ))
}

/// After all.
pub(super) fn ending(
    options: &Options,
    filled: Used,
    reading: &Reading,
    verdict: &Verdict,
) -> Outcome {
    let stats = &reading.stats;
    let arrived = stats.bytes_read.saturating_sub(stats.buffered_bytes);
    Outcome {
        records: options.records,
        partitions: options.partitions,
        workers: options.workers(),
        record_size: options.record_size,
        produce_s: filled.wall.as_secs_f64(),
        produce_cpu_ns_per_record: per_record(options, filled),
        consume_s: reading.used.wall.as_secs_f64(),
        consume_cpu_ns_per_record: per_record(options, reading.used),
        fetched_over_delivered: as_f64(arrived) / as_f64(stats.bytes_delivered.max(1)),
        budget_bytes: stats.budget_bytes,
        budget_peak_bytes: stats.held_bytes_peak,
        promises: verdict.0.clone(),
        passed: verdict.has_passed(),
        pillars: pillars(options, reading),
    }
}

/// What each of the four did.
fn pillars(options: &Options, reading: &Reading) -> [(&'static str, String); 4] {
    let (partitions, workers) = (options.partitions, options.workers());
    let whose = match workers {
        1 => "all with one worker".to_owned(),
        _ => format!("each with one of {workers} workers"),
    };
    let stats = &reading.stats;
    let fetched = output::bytes(stats.bytes_read);
    let budget = output::bytes(stats.budget_bytes);
    let runs = count(stats.records_delivered);
    let committed = reading.summary.partitions.iter().filter_map(|it| it.committed);
    let committed = count(committed.map(|it| u64::try_from(it.0).unwrap_or(0)).sum());
    [
        ("ownership", format!("{partitions} partitions, {whose}")),
        (
            "fetch",
            format!("{fetched} in {} requests, never more than {budget} at once", stats.fetches),
        ),
        ("work", format!("{runs} runs of an async handler, in order within each partition")),
        ("offsets", format!("{committed} records committed, all of them finished before")),
    ]
}

impl Outcome {
    pub(super) fn show(&self, format: Format) -> Result<(), CliError> {
        if format == Format::Json {
            return output::json(self);
        }
        let rate = as_f64(self.records) / self.consume_s.max(f64::EPSILON) / 1e6;
        let seconds = self.consume_s;
        output::line(&format!(
            "read    {} records in {seconds:.2} s, {rate:.2} million/s\n",
            count(self.records)
        ))?;
        output::rows(&self.pillars)?;
        output::line("")?;
        let promises = self.promises.iter().map(|it| {
            let mark = if it.is_kept { "kept  " } else { "BROKEN" };
            (it.name, format!("{mark}  {}", it.found))
        });
        output::rows(&promises.collect::<Vec<_>>())?;
        let (produce, consume) = (self.produce_cpu_ns_per_record, self.consume_cpu_ns_per_record);
        output::line(&format!(
            "\nprocessor time per record: {produce:.0} ns to write, {consume:.0} ns to read and \
             check\nverdict: {}",
            if self.passed { "passed" } else { "FAILED" }
        ))
    }
}

fn speed(options: &Options, used: Used) -> String {
    let seconds = used.wall.as_secs_f64();
    let rate = as_f64(options.records) / seconds.max(f64::EPSILON) / 1e6;
    format!("{} records in {seconds:.2} s, {rate:.2} million/s", count(options.records))
}

fn per_record(options: &Options, used: Used) -> f64 {
    used.cpu.as_secs_f64() * 1e9 / as_f64(options.records.max(1))
}
