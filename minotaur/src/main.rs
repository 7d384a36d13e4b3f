//! The command: understands what was typed, does it, and tells by its exit code how it went.

#![forbid(unsafe_code)]

mod args;
mod output;
mod verbs;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Arguments;
use crate::verbs::Failure;

const FAILED: u8 = 1;
const NOT_UNDERSTOOD: u8 = 2;
const INTERRUPTED: u8 = 130;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What runs is dropped on a signal, and with it ends what it had started.
    let result = tokio::select! {
        biased;
        () = interrupted() => return ExitCode::from(INTERRUPTED),
        result = verbs::run(arguments) => result,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            writeln!(std::io::stderr(), "error: {failure}").ok();
            ExitCode::from(match failure {
                Failure::Spec(_) => NOT_UNDERSTOOD,
                Failure::Tool { code, .. } => code,
                Failure::Lab(_) | Failure::Output(_) | Failure::Unwell => FAILED,
            })
        }
    }
}

/// Returns on SIGINT, SIGTERM or SIGHUP.
async fn interrupted() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut int), Ok(mut term), Ok(mut hup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => (),
        _ = term.recv() => (),
        _ = hup.recv() => (),
    }
}
