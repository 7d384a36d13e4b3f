//! Does the newcomer's first command work, and does it tell the truth?

use serde_json::Value;

use crate::program::{Cluster, forebay, start};

#[test]
fn the_demo_passes_and_prints_its_verdict() {
    let ended = forebay(&["demo", "--records", "20000", "--partitions", "3", "--workers", "2"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.matches(" kept ").count(), 5, "{}", ended.stdout);
    assert!(ended.stdout.ends_with("verdict: passed\n"), "{}", ended.stdout);
    for pillar in ["ownership", "fetch", "work", "offsets"] {
        assert!(ended.stdout.contains(pillar));
    }
}

#[test]
fn the_demo_runs_on_a_broker_that_is_named_and_leaves_nothing_there() {
    let cluster = Cluster::with_records(1, 1);
    let arguments = ["demo", "--records", "1001", "--output", "json", "--bootstrap-servers"];
    let ended = forebay(&[&arguments[..], &[cluster.servers()]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&told["records"], &told["passed"]), (&1001.into(), &true.into()));
    assert_eq!(told["promises"].as_array().unwrap().len(), 5);
    assert_eq!(cluster.topics(), ["t"]);
}

#[test]
fn members_that_come_and_go_lose_nothing_and_the_story_is_told() {
    let words = ["demo", "--members", "2", "--churn", "--records", "4000", "--time", "5s"];
    let ended = forebay(&words);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    for said in ["m1 joins", "m3 joins", "m1 leaves", "m2 is killed", "nothing lost"] {
        assert!(ended.stdout.contains(said), "{said}: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches(" kept ").count(), 6, "{}", ended.stdout);
    assert!(ended.stdout.ends_with("verdict: passed\n"), "{}", ended.stdout);
}

#[test]
fn members_share_a_topic_of_a_broker_that_is_named_and_leave_nothing_there() {
    let cluster = Cluster::with_records(1, 1);
    let words = ["demo", "--members", "3", "--records", "3000", "--time", "2s"];
    let named = ["--output", "json", "--bootstrap-servers", cluster.servers()];
    let ended = forebay(&[&words[..], &named].concat());
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&told["acknowledged"], &told["passed"]), (&3000.into(), &true.into()));
    assert_eq!((&told["kills"], &told["members"]), (&0.into(), &3.into()));
    assert_eq!(cluster.topics(), ["t"]);
}

#[test]
fn one_record_in_more_partitions_than_records_is_enough() {
    let ended = forebay(&["demo", "--records", "1", "--partitions", "5", "--workers", "1"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut running = start(&["demo", "--records", "1000"]);
    drop(running.stdout());
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.contains("error")), (Some(0), false), "{}", ended.stderr);
}
