//! CPU per record as a ratio to the least a consumer can do: which program measures what?

#![forbid(unsafe_code)]

mod canned;
mod cell;
mod child;
mod client;
mod echo;
mod error;
mod fill;
mod floor;
mod herd;
mod machine;
mod meter;
mod ours;
mod probe;
mod produce;
mod rebalance;
mod replay;
mod rounds;
mod scale;
mod stand;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures consumers against a broker that costs next to nothing and a floor that does the least.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A loopback broker that answers every Fetch from memory.
    Replay(replay::Options),
    /// The least a consumer must do: read, check, inflate, walk.
    Floor(floor::Options),
    /// Makes the topics of the live cells on a real broker.
    Fill(fill::Options),
    /// The product through its public API.
    Ours(ours::Options),
    /// Records at a rate through the product, and how long each took.
    Echo(echo::Options),
    /// All producers in turn on a real broker: what they cost, how long records take.
    Produce(produce::Options),
    /// Memory under pressure, and processor time while nothing happens.
    Probe(probe::Options),
    /// Many members of one group in this process.
    Herd(herd::Options),
    /// Herds of two sizes, and what ten times the members cost.
    GroupScale(scale::Options),
    /// How long partitions stand still when members join and leave, ours and others'.
    Rebalance(rebalance::Options),
    /// All clients in turn, round after round, with a table and verdicts.
    Rounds(rounds::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Replay(options) => replay::run(options),
        Command::Floor(options) => floor::run(&options),
        Command::Fill(options) => fill::run(&options),
        Command::Ours(options) => ours::run(&options),
        Command::Echo(options) => echo::run(&options),
        Command::Produce(options) => produce::run(&options),
        Command::Probe(options) => probe::run(&options),
        Command::Herd(options) => herd::run(&options),
        Command::GroupScale(options) => scale::run(&options),
        Command::Rebalance(options) => rebalance::run(&options),
        Command::Rounds(options) => rounds::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
