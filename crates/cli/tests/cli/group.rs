//! Groups from the command line: joining one, looking at it, moving it, deleting it.

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
    assert!(stderr.contains("GROUP_ID_NOT_FOUND"), "{stderr}");
}

#[test]
fn what_a_group_cannot_do_is_said() {
    let cluster = Cluster::with_records(1, 1);
    let (code, _, stderr) = run(&cluster, &["group", "reset-offsets", "g", "--to", "end"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("name topics with --topic"), "{stderr}");
    let (code, _, stderr) = run(&cluster, &["consume", "t", "--group", "g", "--from", "7"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("reset-offsets"), "{stderr}");
}
