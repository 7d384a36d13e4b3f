//! How does it end when there is nobody, and when the user wants an end?

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use forebay_broker::ApiKey;
use rustix::process::Signal;

use crate::program::{Cluster, Running, forebay, start};

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_broker_that_is_not_there_is_an_error_within_the_time_to_connect() {
    let servers = nobody();
    let perf = ["perf", "consume", "--topic", "t", "--records", "1", "--partitions", "0"];
    for command in [&["demo"][..], &perf] {
        let to = ["--bootstrap-servers", &servers, "--connect-timeout", "1s"];
        let ended = forebay(&[command, &to].concat());
        assert_eq!(ended.code, Some(1), "{command:?}");
        assert!(ended.after < Duration::from_secs(10), "{:?}", ended.after);
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
        assert!(ended.stderr.contains("cannot connect"), "{}", ended.stderr);
        assert!(ended.stderr.contains(&servers), "{}", ended.stderr);
    }
}

/// A consumer whose handlers keep their records for a minute, when it is in the middle of that.
fn held(cluster: &Cluster, drain: &str) -> Running {
    cluster.forget_requests();
    let running = start(&[
        "perf",
        "consume",
        "--topic",
        "t",
        "--records",
        "100",
        "--api",
        "records",
        "--hold-ms",
        "60000",
        "--group",
        "g",
        "--drain-timeout",
        drain,
        "--bootstrap-servers",
        cluster.servers(),
    ]);
    cluster.wait_for(ApiKey::Fetch);
    thread::sleep(Duration::from_secs(1));
    running
}

#[test]
fn a_signal_drains_within_the_deadline_and_says_what_was_left() {
    let cluster = Cluster::with_records(1, 100);
    for signal in [Signal::INT, Signal::TERM] {
        let running = held(&cluster, "500ms");
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        assert!(ended.after < Duration::from_secs(10), "{:?}", ended.after);
        assert!(ended.stderr.contains("left: "), "{}", ended.stderr);
        assert_eq!(cluster.committed("g", 1), 0);
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let cluster = Cluster::with_records(1, 100);
    let running = held(&cluster, "50s");
    running.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(500));
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130));
    assert!(ended.after < Duration::from_secs(10), "{:?}", ended.after);
}

#[test]
fn an_interrupted_demo_cleans_up_and_ends_with_130() {
    let cluster = Cluster::with_records(1, 1);
    let records = ["demo", "--records", "1000000000", "--bootstrap-servers", cluster.servers()];
    cluster.forget_requests();
    let running = start(&records);
    cluster.wait_for(ApiKey::Produce);
    running.signal(Signal::INT);
    assert_eq!(running.end().code, Some(130));
    assert_eq!(cluster.topics(), ["t"]);
}

#[test]
fn a_reader_that_has_seen_enough_ends_consuming_without_a_word() {
    let cluster = Cluster::with_records(1, 1_000);
    let read = ["consume", "t", "--from", "beginning", "--bootstrap-servers", cluster.servers()];
    for look in [&[][..], &["--output", "json"], &["--format", "%v\\n"]] {
        let mut running = start(&[&read[..], look].concat());
        drop(running.stdout());
        let ended = running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{look:?}");
    }
    for command in [&["completions", "bash"][..], &["man"], &["--help"]] {
        let mut running = start(command);
        drop(running.stdout());
        let ended = running.end();
        assert!(!ended.stderr.contains("panicked"), "{command:?}: {}", ended.stderr);
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.stderr);
    }
}

#[test]
fn an_interrupted_reader_has_committed_what_it_printed() {
    let cluster = Cluster::with_records(1, 100);
    let read = ["consume", "t", "--from", "beginning", "--commit-as", "g"];
    cluster.forget_requests();
    let running = start(&[&read[..], &["--bootstrap-servers", cluster.servers()]].concat());
    cluster.wait_for(ApiKey::Fetch);
    thread::sleep(Duration::from_secs(1));
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(130), 100), "{}", ended.stderr);
    assert_eq!(cluster.committed("g", 1), 100);
}
