//! How do people read the figures of a cell?

use super::{Client, Measured, Round};
use crate::child::Sample;
use crate::meter::as_f64;

/// A Markdown table: cost and speed, or latency where there is a rate.
pub(super) fn table(measured: &Measured) -> String {
    let cell = &measured.cell;
    let head = match cell.rate {
        None => "| client | CPU ns/record | min - max | ours / theirs | M records/s |",
        Some(_) => "| client | p50 us | p99 us | p99 min - max | p99.9 us |",
    };
    let mut text = format!(
        "\n### {}, {} rounds\n\n{head}\n|---|---|---|---|---|\n",
        cell.name,
        measured.rounds.len()
    );
    for client in Client::ALL {
        let row = match cell.rate {
            None => cost(client, &measured.rounds),
            Some(_) => latency(client, &measured.rounds),
        };
        text += &row.unwrap_or_default();
    }
    text
}

fn cost(client: Client, rounds: &[Round]) -> Option<String> {
    let cpu = of(client, rounds, |sample| sample.cpu_ns_per_record);
    let speed = of(client, rounds, |it| as_f64(it.line.records) / it.line.wall_s.max(1e-9) / 1e6);
    let ratios = sorted(rounds.iter().filter_map(|round| {
        let of = |client| Some(sample(client, round)?.cpu_ns_per_record);
        Some(of(Client::Forebay)? / of(client)?)
    }));
    Some(format!(
        "| {} | {:.0} | {:.0} - {:.0} | {:.2} | {:.2} |\n",
        client.name(),
        median(&cpu)?,
        cpu.first()?,
        cpu.last()?,
        median(&ratios)?,
        median(&speed)?,
    ))
}

fn latency(client: Client, rounds: &[Round]) -> Option<String> {
    let p99 = of(client, rounds, |it| it.line.latency_p99_us);
    Some(format!(
        "| {} | {:.0} | {:.0} | {:.0} - {:.0} | {:.0} |\n",
        client.name(),
        median(&of(client, rounds, |it| it.line.latency_p50_us))?,
        median(&p99)?,
        p99.first()?,
        p99.last()?,
        median(&of(client, rounds, |it| it.line.latency_p999_us))?,
    ))
}

fn sample(client: Client, round: &Round) -> Option<&Sample> {
    round.samples.iter().find(|(name, _)| *name == client.name()).map(|(_, sample)| sample)
}

fn of(client: Client, rounds: &[Round], figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
    sorted(rounds.iter().filter_map(|round| sample(client, round)).map(figure))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}
