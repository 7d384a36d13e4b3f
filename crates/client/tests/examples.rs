//! Does every example run by itself, with nothing said, and does it say what it should?

#![allow(clippy::unwrap_used, reason = "a failing step ends the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Every example, and what it says when all goes well.
const EXAMPLES: [(&str, &[&str]); 7] = [
    (
        "admin",
        &[
            "3 brokers",
            "orders is there",
            "INVALID_TOPIC_EXCEPTION",
            "max.message.bytes = 2000000",
            "retention.ms = 86400000",
            "orders-3 ends at 0",
        ],
    ),
    ("consume", &["value_bytes: Some(8)", "1 records", "orders-1: committed Some(Position(1))"]),
    (
        "consumers",
        &["note: ", "num_workers", "consumer-2 starts", "closing 3 consumers", "1000 records"],
    ),
    ("logging", &["not yet", "done", "is_clean=true"]),
    ("own_test", &["passed: 42"]),
    ("producer", &["customer-2: orders-"]),
    ("pull", &["order 99 of orders-0", "committed: Some(100)"]),
];

/// Those that need a cluster with a group, and what they say when none is named.
const WITH_ARGUMENTS: [(&str, &str); 1] = [("member", "member BOOTSTRAP GROUP TOPIC")];

fn run(example: &str) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "forebay", "--example", example]);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn an_example_that_needs_arguments_says_which() {
    for (example, told) in WITH_ARGUMENTS {
        let ended = run(example);
        assert!(!ended.status.success());
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains(told), "{example}: {said}");
    }
}

#[test]
fn every_other_example_runs_without_arguments() {
    for (example, told) in EXAMPLES {
        let ended = run(example);
        let said = String::from_utf8_lossy(&ended.stdout);
        let complained = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{example}: {said}{complained}");
        for words in told {
            assert!(said.contains(words), "{example} does not say {words:?}: {said}{complained}");
        }
    }
}

#[test]
fn no_example_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let programs = files.filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let names: BTreeSet<_> =
        programs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let listed = EXAMPLES.iter().map(|(name, _)| (*name).to_owned());
    let others = WITH_ARGUMENTS.iter().map(|(name, _)| (*name).to_owned());
    let listed: BTreeSet<_> = listed.chain(others).collect();
    assert_eq!(names, listed);
}
