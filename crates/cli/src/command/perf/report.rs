//! What did it cost? One line of JSON for programs, a table for people.

use forebay::{Stats, Summary};
use serde::Serialize;

use super::count::Total;
use crate::args::Format;
use crate::error::CliError;
use crate::meter::Used;
use crate::output::{self, as_f64};

/// What was measured by us, not by the consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) counted: Total,
    pub(super) used: Used,
    /// Resident memory when positions were known and nothing was fetched.
    pub(super) settled_rss: u64,
    pub(super) peak_rss: u64,
}

/// The result, in the names that programs know.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Report {
    records: u64,
    /// Of values.
    bytes: u64,
    /// Sum of the first byte of each value.
    checksum: u64,
    wall_s: f64,
    /// User and system seconds of the whole process.
    cpu_s: f64,
    cpu_ns_per_record: f64,
    peak_rss_bytes: u64,
    rss_after_connect_bytes: u64,
    budget_bytes: u64,
    budget_peak_bytes: u64,
    /// Bytes read from sockets, without what still waits for a worker, by bytes of batches that
    /// went to workers: 1 when nothing was fetched in vain.
    fetched_over_delivered: f64,
    fetches: u64,
    /// How long workers had nothing to do.
    reservoir_empty_s: f64,
    /// Sum of the committed offsets.
    committed: u64,
    /// Records that still ran when the drain deadline passed.
    unfinished: u64,
}

impl Report {
    pub(super) fn new(figures: &Figures, stats: &Stats, summary: &Summary) -> Self {
        let Figures { counted, used, settled_rss, peak_rss } = *figures;
        let arrived = stats.bytes_read.saturating_sub(stats.buffered_bytes);
        let committed = summary.partitions.iter().filter_map(|partition| partition.committed);
        Self {
            records: counted.records,
            bytes: counted.bytes,
            checksum: counted.checksum,
            wall_s: used.wall.as_secs_f64(),
            cpu_s: used.cpu.as_secs_f64(),
            cpu_ns_per_record: used.cpu.as_secs_f64() * 1e9 / as_f64(counted.records.max(1)),
            peak_rss_bytes: peak_rss,
            rss_after_connect_bytes: settled_rss,
            budget_bytes: stats.budget_bytes,
            budget_peak_bytes: stats.held_bytes_peak,
            fetched_over_delivered: as_f64(arrived) / as_f64(stats.bytes_delivered.max(1)),
            fetches: stats.fetches,
            reservoir_empty_s: stats.reservoir_empty.as_secs_f64(),
            committed: committed.map(|position| u64::try_from(position.0).unwrap_or(0)).sum(),
            unfinished: summary.unfinished,
        }
    }

    pub(super) fn show(&self, format: Format) -> Result<(), CliError> {
        match format {
            Format::Json => output::json(self),
            Format::Text | Format::Hex => output::rows(&self.rows()),
        }
    }

    fn rows(&self) -> [(&'static str, String); 9] {
        let rate = as_f64(self.records) / self.wall_s.max(f64::EPSILON);
        [
            ("records", output::count(self.records)),
            ("value bytes", output::bytes(self.bytes)),
            ("wall time", format!("{:.2} s, {:.2} million records/s", self.wall_s, rate / 1e6)),
            ("processor", format!("{:.0} ns per record", self.cpu_ns_per_record)),
            ("peak memory", output::bytes(self.peak_rss_bytes)),
            (
                "peak of budget",
                format!(
                    "{} of {}",
                    output::bytes(self.budget_peak_bytes),
                    output::bytes(self.budget_bytes)
                ),
            ),
            ("fetched ÷ delivered", format!("{:.3}", self.fetched_over_delivered)),
            ("workers idle", format!("{:.2} s", self.reservoir_empty_s)),
            ("committed", format!("{} offsets", output::count(self.committed))),
        ]
    }
}
