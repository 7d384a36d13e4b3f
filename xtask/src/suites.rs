//! Do all tests pass, real Kafka included, and what was left out? The last line counts.

mod libtest;
mod stories;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

use crate::command::{cargo, exists, run as run_command, watch};
use crate::fault::Fault;
use libtest::Listener;

/// Tells tests and stories that real Kafka must be there.
const REQUIRE: &str = "FOREBAY_REQUIRE_KAFKA";

/// How to get what real Kafka needs.
const HOW: &str = "apt-get install openjdk-17-jdk-headless maven";

/// One row of the table at the end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Why something was left out and how to get it, and how many tests that concerns.
    pub(crate) left_out: BTreeMap<String, u64>,
}

/// Whether the absence of real Kafka is a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kafka {
    Required,
    IfThere,
}

/// On which releases of Kafka stories are told, as their runner takes it.
const RELEASES: [&str; 2] = ["ends", "all"];

/// What was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Wish<'a> {
    kafka: Kafka,
    releases: &'a str,
}

impl<'a> Wish<'a> {
    fn parse(options: &[&'a str]) -> Result<Self, Fault> {
        let mut wish = Self { kafka: Kafka::IfThere, releases: "ends" };
        let mut rest = options;
        loop {
            rest = match rest {
                [] => return Ok(wish),
                ["--require-kafka", rest @ ..] => {
                    wish.kafka = Kafka::Required;
                    rest
                }
                ["--kafka", releases, rest @ ..] if RELEASES.contains(releases) => {
                    wish.releases = *releases;
                    rest
                }
                _ => return Err(Fault::Usage),
            };
        }
    }
}

pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), Fault> {
    let wish = Wish::parse(options)?;
    let kafka = wish.kafka;
    // All targets at once: what tests and stories need is then compiled a single time.
    run_command(cargo().current_dir(root).args(["build", "--workspace", "--all-targets"]))?;
    let mut suites = libtest_suites(root, kafka)?;
    suites.push(stories_suite(root, wish)?);
    conclude(&suites, kafka)
}

/// Unit, integration and doc tests; then those marked as needing real Kafka.
fn libtest_suites(root: &Path, kafka: Kafka) -> Result<Vec<Suite>, Fault> {
    let mut plain = Listener::default();
    let mut command = tests(root, kafka, &["--no-fail-fast"]);
    let ending = watch(&mut command, |line| plain.hear(line))?;
    let mut suites = plain.conclude(ending);
    if suites.iter().all(|suite| suite.skipped == 0) {
        return Ok(suites);
    }
    if let Some(reason) = kafka_missing() {
        for suite in suites.iter_mut().filter(|suite| suite.skipped != 0) {
            suite.left_out.insert(reason.clone(), suite.skipped);
        }
        return Ok(suites);
    }
    for suite in &mut suites {
        suite.skipped = 0;
    }
    let mut real = Listener::default();
    let on_kafka = ["--no-fail-fast", "--lib", "--bins", "--tests", "--", "--ignored"];
    let ending = watch(&mut tests(root, kafka, &on_kafka), |line| real.hear(line))?;
    suites.extend(real.conclude(ending).into_iter().filter_map(on_real_kafka));
    Ok(suites)
}

fn on_real_kafka(mut suite: Suite) -> Option<Suite> {
    suite.name.push_str(", real Kafka");
    (suite.passed + suite.failed != 0).then_some(suite)
}

fn tests(root: &Path, kafka: Kafka, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.current_dir(root).args(["test", "--workspace"]).args(arguments);
    require(&mut command, kafka);
    command
}

fn require(command: &mut Command, kafka: Kafka) {
    if kafka == Kafka::Required {
        command.env(REQUIRE, "1");
    }
}

/// The stories runner stands beside us in the target folder.
fn stories_suite(root: &Path, wish: Wish<'_>) -> Result<Suite, Fault> {
    let program = env::current_exe().unwrap_or_default().with_file_name("forebay-stories");
    let mut command = Command::new(program);
    command.current_dir(root).args(["--output", "json", "--kafka", wish.releases]);
    require(&mut command, wish.kafka);
    stories::run(&mut command)
}

/// Why real Kafka cannot be started here.
fn kafka_missing() -> Option<String> {
    let missing = [("java", "-version"), ("mvn", "--version")];
    let (program, _) = missing.into_iter().find(|(program, word)| !exists(program, word))?;
    Some(format!("no {program} found: {HOW}"))
}

/// Prints the table and, as the last line, the counts.
fn conclude(suites: &[Suite], kafka: Kafka) -> Result<(), Fault> {
    println!("\n{}", table(suites));
    for suite in suites {
        for (reason, count) in &suite.left_out {
            println!("left out: {count} of {} ({reason})", suite.name);
        }
    }
    let total = total(suites);
    let absent = kafka == Kafka::Required && !suites.iter().all(|suite| suite.left_out.is_empty());
    if absent {
        println!("failed: --require-kafka was given and something was left out");
    }
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if absent || total.failed != 0 || total.passed == 0 { Err(Fault::Tests) } else { Ok(()) }
}

fn total(suites: &[Suite]) -> Suite {
    suites.iter().fold(Suite::default(), |mut total, suite| {
        total.passed += suite.passed;
        total.failed += suite.failed;
        total.skipped += suite.skipped;
        total
    })
}

/// Suites in which nothing ran are not shown.
fn table(suites: &[Suite]) -> String {
    let ran = suites.iter().filter(|suite| suite.passed + suite.failed + suite.skipped != 0);
    let width = ran.clone().map(|suite| suite.name.len()).max().unwrap_or(0);
    let rows = ran.map(|suite| {
        let Suite { name, passed, failed, skipped, .. } = suite;
        format!("{name:width$} {passed:>6} {failed:>6} {skipped:>7}\n")
    });
    let head = format!("{:width$} passed failed skipped\n", "suite");
    std::iter::once(head).chain(rows).collect()
}
