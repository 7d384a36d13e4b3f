//! Clients in turn, round after round: which one costs what, on a machine whose speed drifts?
//!
//! Every round runs every client once, in an order that turns from round to round, the floor among
//! them. Ratios are taken inside a round, medians over rounds. A round in which the floor itself
//! was slow says more about the machine than about clients and is discarded.

mod results;
mod summary;
mod table;
mod verdict;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cell::{self, CELLS, Cell, Source};
use crate::child::{self, Sample};
use crate::client::{CLIENTS, Client, FLOOR};
use crate::error::Error;
use crate::stand::Stand;
use results::Results;
use summary::Summary;
use verdict::Outcome;

/// A round whose floor is slower than the best one by this factor does not count.
const DISTURBED: f64 = 1.5;

/// What is measured, and how often.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Cells to run, by name; without any, the standard ones that the options allow.
    cells: Vec<String>,
    /// Clients to run beside the floor, by the start of their name; all that are built by default.
    #[arg(long)]
    client: Vec<String>,
    /// Rounds that must count.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Records of every cell divided by this, for a quick look.
    #[arg(long, default_value_t = 1)]
    divide: u64,
    /// A real broker for the live cells, whose topics `fill` has made.
    #[arg(long)]
    live: Option<String>,
    /// Core of the replay broker; a real one is pinned by whoever starts it.
    #[arg(long, default_value_t = 0)]
    broker_core: usize,
    /// Core of the clients.
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Seconds after which a client is ended and counts as failed.
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// Where a JSON file of every run goes.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// End with an error when a promise is missed.
    #[arg(long)]
    gate: bool,
}

/// Every client once.
#[derive(Debug, Default, Serialize)]
struct Round {
    samples: Vec<(&'static str, Sample)>,
}

impl Round {
    fn of(&self, client: &str) -> Option<&Sample> {
        self.samples.iter().find(|(name, _)| *name == client).map(|(_, sample)| sample)
    }

    fn floor(&self) -> f64 {
        self.of(FLOOR).map_or(f64::INFINITY, |sample| sample.cpu_ns_per_record)
    }
}

/// Runs the cells and prints a table and the verdicts of each.
///
/// # Errors
///
/// When a cell or broker is missing, and with `--gate` when a promise is missed.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let cells = chosen(options)?;
    let clients = clients(options);
    let mut results = Results::begin(&clients)?;
    let mut missed = 0;
    for cell in cells {
        let rounds = measure(&cell, &clients, options)?;
        let summaries: Vec<_> =
            clients.iter().filter_map(|client| Summary::of(client.name, &rounds)).collect();
        print!("{}", table::table(cell.name, rounds.len(), &summaries));
        println!();
        let verdicts = verdict::judge(cell.name, &rounds);
        for verdict in &verdicts {
            println!("{verdict}");
            missed += usize::from(verdict.outcome == Outcome::Missed);
        }
        results.add(&cell, rounds, summaries, verdicts);
    }
    println!("\nresults: {}", results.write(&options.results)?.display());
    if options.gate && missed > 0 { Err(Error::Missed { missed }) } else { Ok(()) }
}

/// The cells asked for, as large as asked for.
fn chosen(options: &Options) -> Result<Vec<Cell>, Error> {
    let cells: Vec<&Cell> = if options.cells.is_empty() {
        let possible = |cell: &&Cell| cell.source == Source::Replay || options.live.is_some();
        CELLS.iter().filter(|cell| cell.standard).filter(possible).collect()
    } else {
        let named = |name: &String| {
            cell::named(name).ok_or_else(|| Error::UnknownCell { name: name.clone() })
        };
        options.cells.iter().map(named).collect::<Result<_, _>>()?
    };
    Ok(cells.into_iter().map(|cell| cell.divided(options.divide)).collect())
}

/// The floor and those of the clients asked for that are built.
fn clients(options: &Options) -> Vec<&'static Client> {
    let asked = |client: &&Client| {
        let by_name = |start: &String| client.name.starts_with(start.as_str());
        client.name == FLOOR || options.client.is_empty() || options.client.iter().any(by_name)
    };
    let (built, missing): (Vec<&Client>, Vec<&Client>) =
        CLIENTS.iter().filter(asked).partition(|client| client.is_built());
    for client in missing {
        eprintln!("left out: {}, which is not built", client.name);
    }
    built
}

/// As many rounds as were asked for, disturbed ones replaced as often.
fn measure(
    cell: &Cell,
    clients: &[&'static Client],
    options: &Options,
) -> Result<Vec<Round>, Error> {
    let stand = Stand::set_up(cell, options.live.as_deref(), options.broker_core)?;
    let mut rounds = Vec::new();
    for turn in 0..options.rounds * 2 {
        eprintln!("{}: round {}", cell.name, turn + 1);
        rounds.push(round(cell, clients, stand.bootstrap(), (turn, options)));
        if calm(&rounds).count() >= options.rounds {
            break;
        }
    }
    let best = best_floor(&rounds);
    rounds.retain(|round| round.floor() <= best * DISTURBED);
    Ok(rounds)
}

fn best_floor(rounds: &[Round]) -> f64 {
    rounds.iter().map(Round::floor).fold(f64::INFINITY, f64::min)
}

/// The rounds that count.
fn calm(rounds: &[Round]) -> impl Iterator<Item = &Round> {
    let limit = best_floor(rounds) * DISTURBED;
    rounds.iter().filter(move |round| round.floor() <= limit)
}

fn round(
    cell: &Cell,
    clients: &[&'static Client],
    bootstrap: &str,
    (turn, options): (usize, &Options),
) -> Round {
    let mut round = Round::default();
    let start = turn % clients.len().max(1);
    for client in clients.iter().cycle().skip(start).take(clients.len()) {
        let words = client.command(cell, bootstrap);
        let limit = Duration::from_secs(options.limit);
        match child::run(&words, options.client_core, limit) {
            Ok(sample) => round.samples.push((client.name, sample)),
            Err(error) => eprintln!("{}: {} failed: {error}", cell.name, client.name),
        }
    }
    round
}
