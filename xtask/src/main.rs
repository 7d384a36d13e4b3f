//! Which chores has the house, and how are they called? `cargo xtask` lists them.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod codec;
mod command;
mod fault;
mod layers;
mod sim;
mod suites;
mod tidy;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::fault::Fault;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

/// One line per chore.
fn dispatch(words: &[&str]) -> Result<(), Fault> {
    match words {
        ["tidy"] => tidy::run(&root()),
        ["test", options @ ..] => suites::run(&root(), options),
        ["codec", options @ ..] => Ok(codec::run(&root(), options)?),
        ["bench", options @ ..] => bench::run(&root(), options),
        ["sim", options @ ..] => sim::run(&root(), options),
        ["chaos", options @ ..] => chaos(options),
        ["ci"] => ci::run(&root()),
        _ => Err(Fault::Usage),
    }
}

/// Plays groups on real brokers; the options are those of the program.
pub(crate) fn chaos(options: &[&str]) -> Result<(), Fault> {
    let mut cargo = command::cargo();
    cargo.current_dir(root()).args(["run", "--quiet", "--release", "-p", "forebay-chaos", "--"]);
    command::run(cargo.args(options))
}

/// The workspace's root: cargo sets the variable for what it runs.
fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    manifest.and_then(|dir| dir.parent().map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("."))
}
