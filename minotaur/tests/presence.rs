//! Is real Kafka here when it was asked for? Not marked as needing it, so that a run that asks
//! for it fails without it.

use std::env;
use std::io::Write;
use std::process::{Command, Output};

use minotaur::Lab;

/// Set by runs in which the absence of real Kafka is a failure.
const REQUIRED: &str = "FOREBAY_REQUIRE_KAFKA";

#[tokio::test]
async fn real_kafka_is_here_when_it_is_required() {
    let report = Lab::from_env().unwrap().doctor().await;
    if report.is_well() {
        return;
    }
    let missing = report.checks.iter().filter(|check| !check.works);
    let details: Vec<&str> = missing.map(|check| check.detail.as_str()).collect();
    let reason = details.join("; ");
    assert!(env::var_os(REQUIRED).is_none(), "real Kafka is required and cannot run: {reason}");
    writeln!(std::io::stderr(), "left out: tests on real Kafka: {reason}").unwrap();
}

/// Runs the test above as it would run on a machine without Java.
fn without_java(required: Option<&str>) -> std::io::Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", "real_kafka_is_here_when_it_is_required"]);
    command.env("MINOTAUR_JAVA", "/nowhere/java").env_remove(REQUIRED);
    if let Some(value) = required {
        command.env(REQUIRED, value);
    }
    command.output()
}

#[test]
fn a_missing_java_fails_only_the_runs_that_require_kafka() {
    let required = without_java(Some("1")).unwrap();
    assert!(!required.status.success());
    assert!(String::from_utf8_lossy(&required.stdout).contains("MINOTAUR_JAVA"));

    let optional = without_java(None).unwrap();
    assert!(optional.status.success());
    let said = String::from_utf8_lossy(&optional.stderr).into_owned();
    assert!(said.contains("left out: tests on real Kafka: Java is missing"), "{said}");
}
