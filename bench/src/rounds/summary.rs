//! Many runs of one client: which few figures stand for them?

use serde::Serialize;

use super::Round;
use crate::child::Sample;
use crate::client::FLOOR;
use crate::meter::as_f64;

/// The figures of one client in one cell, over the rounds that count.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    pub(super) client: &'static str,
    pub(super) runs: usize,
    pub(super) cpu_ns_median: f64,
    pub(super) cpu_ns_min: f64,
    pub(super) cpu_ns_max: f64,
    /// Median of the ratios to the floor of the same round.
    pub(super) times_floor: f64,
    pub(super) million_records_per_s: f64,
    pub(super) peak_rss_bytes: u64,
    pub(super) fetched_over_delivered: Option<f64>,
}

impl Summary {
    /// `None` for a client that never finished a run.
    pub(super) fn of(client: &'static str, rounds: &[Round]) -> Option<Self> {
        let samples: Vec<&Sample> = rounds.iter().filter_map(|round| round.of(client)).collect();
        let cpu = sorted(samples.iter().map(|sample| sample.cpu_ns_per_record));
        Some(Self {
            client,
            runs: samples.len(),
            cpu_ns_median: median(&cpu)?,
            cpu_ns_min: *cpu.first()?,
            cpu_ns_max: *cpu.last()?,
            times_floor: median(&ratios(rounds, client, FLOOR)).unwrap_or(f64::NAN),
            million_records_per_s: median(&sorted(samples.iter().map(|sample| speed(sample))))?,
            peak_rss_bytes: samples.iter().map(|sample| sample.line.peak_rss_bytes).max()?,
            fetched_over_delivered: median(&sorted(
                samples.iter().filter_map(|sample| sample.line.fetched_over_delivered),
            )),
        })
    }
}

/// Million records per second by wall time.
pub(super) fn speed(sample: &Sample) -> f64 {
    as_f64(sample.line.records) / sample.line.wall_s.max(1e-9) / 1e6
}

/// CPU of one client over that of another in the same round, sorted.
pub(super) fn ratios(rounds: &[Round], client: &str, other: &str) -> Vec<f64> {
    sorted(rounds.iter().filter_map(|round| {
        Some(round.of(client)?.cpu_ns_per_record / round.of(other)?.cpu_ns_per_record)
    }))
}

pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle of sorted values; of two the lower.
pub(super) fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}
