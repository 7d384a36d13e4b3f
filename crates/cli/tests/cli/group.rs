//! Groups from the command line: joining one, looking at it, moving it, deleting it.

use std::time::Duration;

use forebay_broker::ApiKey;
use rustix::process::Signal;

use crate::program::{Cluster, forebay, start};

fn run(cluster: &Cluster, words: &[&str]) -> (Option<i32>, String, String) {
    let servers = ["--bootstrap-servers", cluster.servers()];
    let ended = forebay(&[words, &servers[..]].concat());
    (ended.code, ended.stdout, ended.stderr)
}

#[test]
fn who_consumes_in_a_group_shares_it_and_goes_on_where_it_stands() {
    let cluster = Cluster::with_records(4, 100);
    let words = ["consume", "t", "--group", "g", "--from", "beginning", "--max-messages", "100"];
    let (code, stdout, stderr) = run(&cluster, &words);
    assert_eq!((code, stdout.lines().count()), (Some(0), 100), "{stderr}");
    assert_eq!(cluster.committed("g", 4), 100);
    let words = ["consume", "t", "--group", "g", "--idle-timeout", "2s"];
    let (code, stdout, stderr) = run(&cluster, &words);
    assert_eq!((code, stdout.lines().count()), (Some(0), 0), "{stderr}");
}

#[test]
fn a_live_group_is_listed_described_and_left_where_it_stands() {
    let cluster = Cluster::with_records(2, 10);
    let servers = cluster.servers();
    let member = start(&[
        "consume",
        "t",
        "--group",
        "g",
        "--from",
        "beginning",
        "--bootstrap-servers",
        servers,
    ]);
    cluster.wait_for(ApiKey::OffsetCommit);
    let (code, stdout, stderr) = run(&cluster, &["group", "list", "--output", "json"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(r#""group":"g""#), "{stdout}");
    let (_, stdout, stderr) = run(&cluster, &["group", "describe", "g"]);
    assert!(stdout.contains("t-0 t-1"), "{stdout} {stderr}");
    for words in [
        &["group", "reset-offsets", "g", "--topic", "t", "--to", "beginning", "--execute"][..],
        &["group", "delete", "g"],
    ] {
        let (code, _, stderr) = run(&cluster, words);
        assert_eq!(code, Some(1));
        assert!(stderr.contains("live members"), "{stderr}");
    }
    member.signal(Signal::TERM);
    assert_eq!(member.end().code, Some(130));
    let (_, stdout, stderr) = run(&cluster, &["group", "lag", "g", "--output", "json"]);
    assert_eq!(stdout.matches(r#""lag":0"#).count(), 2, "{stdout} {stderr}");
}

#[test]
fn a_group_is_moved_only_when_that_is_asked_for() {
    let cluster = Cluster::with_records(2, 10);
    let reset = |words: &[&str]| run(&cluster, &[&["group", "reset-offsets", "g"], words].concat());
    let (code, stdout, stderr) = reset(&["--topic", "t", "--to", "3"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("nothing was changed"), "{stdout}");
    assert_eq!(cluster.committed("g", 2), 0);
    assert_eq!(reset(&["--topic", "t", "--to", "3", "--execute"]).0, Some(0));
    assert_eq!(cluster.committed("g", 2), 6);
    assert_eq!(reset(&["--shift", "-1", "--execute"]).0, Some(0));
    assert_eq!(cluster.committed("g", 2), 4);
    assert_eq!(reset(&["--to", "end", "--execute"]).0, Some(0));
    assert_eq!(cluster.committed("g", 2), 10);
    assert_eq!(reset(&["--shift", "-99", "--execute"]).0, Some(0));
    assert_eq!(cluster.committed("g", 2), 0, "not before the log begins");
    let other = ["group", "reset-offsets", "h", "--from-group", "g", "--execute"];
    assert_eq!(run(&cluster, &other).0, Some(0));
    assert_eq!(run(&cluster, &["group", "delete", "h"]).0, Some(0));
    let (code, _, stderr) = run(&cluster, &["group", "describe", "h"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("group h does not exist"), "{stderr}");
}

#[test]
fn a_group_that_is_moved_keeps_the_leader_epoch_where_it_is_known() {
    let cluster = Cluster::with_records(1, 10);
    let epoch = cluster.elect_again();
    assert!(0 < epoch);
    let reset = |group: &str, words: &[&str]| {
        let start = ["group", "reset-offsets", group, "--execute"];
        let (code, _, stderr) = run(&cluster, &[&start, words].concat());
        assert_eq!(code, Some(0), "{stderr}");
        cluster.committed_with_epoch(group)
    };
    assert_eq!(reset("g", &["--topic", "t", "--to", "end"]), Some((10, epoch)));
    assert_eq!(reset("h", &["--from-group", "g"]), Some((10, epoch)));
    assert_eq!(reset("g", &["--shift", "-1"]), Some((9, -1)), "nobody told of the record before");
    assert_eq!(reset("g", &["--shift", "99"]), Some((10, epoch)), "the end, which is told");
    let old = epoch - 1;
    assert_eq!(reset("g", &["--topic", "t", "--to", "beginning"]), Some((0, old)));
}

#[test]
fn a_group_is_moved_to_a_time_and_to_an_age() {
    let cluster = Cluster::with_records(1, 0);
    let days = |days: u64| Duration::from_secs(days * 86_400);
    for age in [days(9_000), days(9_000), days(2), days(0)] {
        cluster.append_aged(age, "x");
    }
    for (place, offset) in [
        ("2000-01-01T00:00:00Z", 0),
        ("2020-01-01T00:00:00Z", 2),
        ("7d", 2),
        ("24h", 3),
        ("2099-01-01T00:00:00Z", 4),
    ] {
        let words = ["group", "reset-offsets", "g", "--topic", "t", "--to", place, "--execute"];
        let (code, stdout, stderr) = run(&cluster, &words);
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(cluster.committed("g", 1), offset, "{place}: {stdout}");
    }
}

#[test]
fn what_a_group_cannot_do_is_said() {
    let cluster = Cluster::with_records(2, 1);
    let said = |code: i32, words: &[&str], what: &str| {
        let (ended, stdout, stderr) = run(&cluster, words);
        assert_eq!((ended, &*stdout), (Some(code), ""), "{words:?}: {stderr}");
        assert!(stderr.contains(what), "{words:?}: {stderr}");
    };
    for verb in ["describe", "lag", "delete"] {
        said(1, &["group", verb, "g"], "error: group g does not exist; forebay group list");
    }
    let reset = ["group", "reset-offsets", "g"];
    let resets = |code, words: &[&str], what: &str| said(code, &[&reset, words].concat(), what);
    resets(1, &["--to", "end"], "group g has committed nothing; name topics with --topic");
    resets(
        1,
        &["--shift", "5", "--topic", "t"],
        "committed nothing in t; there is nothing to shift",
    );
    resets(1, &["--from-group", "h"], "group h has committed nothing; take a group that has");
    resets(2, &["--shift", "abc"], "expected a number of records, such as 100, or -100 for back");
    resets(2, &["--to", "-3"], "expected beginning, end, an offset");
    resets(2, &["--to", "yesterday"], "expected beginning, end, an offset");
    resets(2, &["--to", "3", "--shift", "3"], "cannot be used with");
    resets(2, &[], "required");
    resets(1, &["--topic", "u", "--to", "end"], "topic u does not exist");
    said(1, &["consume", "t", "--group", "g", "--from", "7"], "reset-offsets");
}

#[test]
fn partitions_without_a_place_to_be_moved_from_are_named() {
    let cluster = Cluster::with_records(1, 10);
    let words = ["group", "reset-offsets", "g", "--topic", "t", "--to", "end", "--execute"];
    assert_eq!(run(&cluster, &words).0, Some(0));
    assert_eq!(run(&cluster, &["topic", "alter", "t", "--partitions", "2"]).0, Some(0));
    for place in [&["--shift", "-3"][..], &["--from-group", "g"]] {
        let words = [&["group", "reset-offsets", "g", "--topic", "t"], place].concat();
        let (code, stdout, stderr) = run(&cluster, &words);
        assert_eq!((code, stdout.lines().count()), (Some(0), 3), "{stdout}");
        assert!(stderr.contains("left out, since g has committed nothing there: t-1"), "{stderr}");
    }
}
