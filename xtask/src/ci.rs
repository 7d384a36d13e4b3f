//! Which checks must hold before a change is taken? All of them, in order, each with its time.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::command::{cargo, run as run_command};
use crate::fault::Fault;
use crate::{codec, sim, suites, tidy};

/// A check: its name and what it does.
type Step = (&'static str, fn(&Path) -> Result<(), Fault>);

/// Cheap ones first; the first that fails ends the run.
const STEPS: &[Step] = &[
    ("format", format),
    ("clippy", clippy),
    ("tidy", tidy::run),
    ("docs", docs),
    ("codec", codec),
    ("tests", |root| suites::run(root, &["--require-kafka"])),
    ("demo", demo),
    ("sim", sim::fresh),
    ("chaos", chaos),
];

pub(crate) fn run(root: &Path) -> Result<(), Fault> {
    let mut times = Vec::new();
    for (name, step) in STEPS {
        println!("\n== {name}");
        let start = Instant::now();
        let result = step(root);
        times.push((*name, start.elapsed(), result.is_ok()));
        if result.is_err() {
            summary(&times);
            return result;
        }
    }
    summary(&times);
    Ok(())
}

fn format(root: &Path) -> Result<(), Fault> {
    run_command(cargo().current_dir(root).args(["fmt", "--all", "--check"]))
}

fn clippy(root: &Path) -> Result<(), Fault> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run_command(cargo().current_dir(root).args(arguments))
}

fn docs(root: &Path) -> Result<(), Fault> {
    let mut command = cargo();
    command.current_dir(root).args(["doc", "--workspace", "--no-deps", "--locked"]);
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn codec(root: &Path) -> Result<(), Fault> {
    Ok(codec::run(root, &["--check"])?)
}

/// The first command of the README, a fifth of its records.
fn demo(root: &Path) -> Result<(), Fault> {
    let arguments = ["run", "--release", "--locked", "--", "demo", "--records", "200000"];
    run_command(cargo().current_dir(root).args(arguments))
}

/// Two minutes per protocol; it needs real Kafka and fails without.
fn chaos(_: &Path) -> Result<(), Fault> {
    for protocol in ["classic", "consumer"] {
        crate::chaos(&["--minutes", "2", "--protocol", protocol])?;
    }
    Ok(())
}

fn summary(times: &[(&str, Duration, bool)]) {
    println!();
    for (name, time, passed) in times {
        let verdict = if *passed { "ok" } else { "FAILED" };
        println!("{name:10} {:>7.1} s  {verdict}", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time, _)| *time).sum();
    println!("{:10} {:>7.1} s", "total", total.as_secs_f64());
}
