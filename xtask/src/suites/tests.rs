//! Lines that `cargo test` and the stories runner really print, and what they count as.

use serde_json::json;

use super::*;
use crate::command::Ending;

fn hear(lines: &str, ending: Ending) -> Vec<Suite> {
    let mut listener = Listener::default();
    for line in lines.lines() {
        listener.hear(line);
    }
    listener.conclude(ending)
}

#[test]
fn results_are_counted_under_the_name_of_their_suite() {
    let suites = hear(
        "   Compiling forebay-core v0.1.0\n\
         \x20    Running unittests src/lib.rs (target/debug/deps/forebay_core-0a1b2c)\n\
         test offsets::tests::a_second_ack_is_refused ... ok\n\
         test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
         \x20    Running tests/groups.rs (target/debug/deps/groups-0a1b2c)\n\
         test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s\n\
         \x20  Doc-tests forebay_core\n\
         test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s\n",
        Ending::Bad,
    );
    let seen: Vec<_> =
        suites.iter().map(|s| (s.name.as_str(), s.passed, s.failed, s.skipped)).collect();
    let expected = [
        ("forebay_core", 12, 0, 1),
        ("groups, tests/groups.rs", 1, 2, 0),
        ("forebay_core, docs", 3, 0, 0),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_is_asked_for_may_stand_in_any_order_and_nothing_else_is_taken() {
    let all = Wish { kafka: Kafka::Required, releases: "all" };
    for words in [["--require-kafka", "--kafka", "all"], ["--kafka", "all", "--require-kafka"]] {
        assert_eq!(Wish::parse(&words).unwrap(), all);
    }
    let ends = Wish { kafka: Kafka::IfThere, releases: "ends" };
    assert_eq!(Wish::parse(&[]).unwrap(), ends);
    for words in [&["--kafka"][..], &["--kafka", "3.9.2"], &["--quick"]] {
        assert!(matches!(Wish::parse(words), Err(Fault::Usage)), "{words:?}");
    }
}

#[test]
fn a_suite_that_crashed_is_a_failure() {
    let suites = hear("     Running unittests src/lib.rs (target/debug/deps/a-1)\n", Ending::Bad);
    assert_eq!(suites.iter().map(|suite| suite.failed).sum::<u64>(), 1);
}

#[test]
fn a_build_that_failed_is_a_failure() {
    assert_eq!(total(&hear("error: could not compile `forebay`\n", Ending::Bad)).failed, 1);
}

#[test]
fn each_cell_of_the_stories_counts_once_and_what_is_left_out_says_why() {
    let verdicts = json!({"cells": [
        {"story": "resume", "broker": "in-process", "verdict": "pass", "detail": ""},
        {"story": "resume", "broker": "kafka 4.4.0", "verdict": "fail", "detail": "gap at 7"},
        {"story": "resume", "broker": "kafka 0.11.0.3", "verdict": "left out", "detail": "no java"},
        {"story": "zstd", "broker": "kafka 0.11.0.3", "verdict": "not offered", "detail": "Produce 7"},
    ]});
    let suite = stories::suite(&verdicts, Ending::Bad);
    assert_eq!((suite.passed, suite.failed, suite.skipped), (1, 1, 2));
    assert_eq!(suite.left_out, BTreeMap::from([("no java".to_owned(), 1)]));
}

#[test]
fn a_runner_that_fails_without_a_failed_cell_is_a_failure() {
    assert_eq!(stories::suite(&json!({"cells": []}), Ending::Bad).failed, 1);
}

#[test]
fn what_was_left_out_fails_only_when_kafka_is_required() {
    let suite = Suite {
        passed: 1,
        skipped: 1,
        left_out: BTreeMap::from([("x".to_owned(), 1)]),
        ..Suite::default()
    };
    assert!(conclude(std::slice::from_ref(&suite), Kafka::IfThere).is_ok());
    assert!(conclude(&[suite], Kafka::Required).is_err());
}

#[test]
fn a_run_in_which_nothing_passed_is_no_success() {
    assert!(conclude(&[], Kafka::IfThere).is_err());
}
