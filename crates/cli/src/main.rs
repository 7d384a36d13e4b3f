//! The command line of Forebay: understands what was typed, does it, and tells by its exit code how
//! it went.

#![forbid(unsafe_code)]

mod args;
mod command;
mod error;
mod meter;
mod output;
mod progress;
mod signals;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;
use crate::command::Ending;
use crate::signals::{INTERRUPTED, Stop};

const FAILED: u8 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(wrong) = arguments.check() {
        wrong.exit();
    }
    output::log_to_stderr();
    let result = Stop::listen().and_then(|stop| command::run(arguments, stop));
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::from(FAILED),
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        // Who reads our output has seen enough.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "error: {error}").ok();
            ExitCode::from(FAILED)
        }
    }
}
