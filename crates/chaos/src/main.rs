//! What does a group on real brokers do while brokers and members are killed, frozen and cut off?
//! Plays slices by seed, has each judged by its history, and adds them up.

#![forbid(unsafe_code)]

mod cluster;
mod fault;
mod group;
mod judge;
mod leaders;
mod marks;
mod member;
mod nemesis;
mod options;
mod outcome;
mod pulse;
mod report;
mod slice;
mod stalls;
mod truth;
mod writer;

use std::process::ExitCode;

use clap::Parser;

use crate::fault::Fault;
use crate::options::{Options, Part};

fn main() -> ExitCode {
    let options = Options::parse();
    let told = match &options.part {
        Some(part) => play(part),
        None => lead(&options),
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

/// Plays slices, or adds up those that were played.
fn lead(options: &Options) -> Result<bool, Fault> {
    if let Some(folder) = &options.sum {
        return report::sum(folder);
    }
    // Members die with the thread that started them: it must be this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Fault::io("a runtime"))?.block_on(slice::all(options))
}

/// A process of its own: a member, or who writes.
fn play(part: &Part) -> Result<bool, Fault> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("FOREBAY_LOG"))
        .with_writer(std::io::stderr)
        .init();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Fault::io("a runtime"))?;
    match part {
        Part::Member(member) => runtime.block_on(member::play(member)),
        Part::Writer(writer) => runtime.block_on(writer::play(writer)),
    }
}
