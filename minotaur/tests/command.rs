//! Does the command do what its help says, and does nothing stay behind when somebody dies?

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

#[cfg(test)]
#[path = "support/asking.rs"]
#[expect(dead_code, reason = "shared with the tests of the library")]
mod asking;

use asking::{brokers, processes_of};

fn minotaur(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minotaur"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    minotaur(arguments).output().unwrap()
}

/// A cluster that does not outlive a failed test.
fn up(system: &str, name: &str) -> Output {
    let own = std::process::id().to_string();
    run(&["up", system, "--name", name, "--while-pid", &own])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn name(what: &str) -> String {
    format!("{what}-{}", std::process::id())
}

/// Where the lab keeps its clusters, asked from the lab itself.
fn clusters() -> PathBuf {
    minotaur::Lab::from_env().unwrap().home().join("clusters")
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// A start that has come as far as running a node.
fn starting(name: &str) -> (Child, PathBuf) {
    assert!(run(&["fetch", "kafka@4.4.0"]).status.success());
    let mut command = minotaur(&["up", "kafka@4.4.0", "--name", name]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let directory = clusters().join(name);
    eventually("a node runs", || !processes_of(&directory).is_empty());
    (child, directory)
}

fn is_gone(directory: &Path) -> bool {
    processes_of(directory).is_empty()
}

#[test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
fn a_cluster_goes_through_every_verb() {
    let name = name("verbs");
    let started = up("kafka@4.4.0", &name);
    assert!(started.status.success(), "{}", text(&started.stderr));
    let servers = text(&started.stdout);
    assert_eq!(brokers(&servers), [(1, servers.clone())]);

    let again = up("kafka@4.4.0", &name);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("minotaur down"), "{}", text(&again.stderr));

    let state = || {
        let status = run(&["status"]);
        let table = text(&status.stdout);
        let line = table.lines().find(|line| line.starts_with(&name)).unwrap().to_owned();
        line.split_whitespace().nth(4).unwrap().to_owned()
    };
    assert_eq!(state(), "running");
    for (verb, then) in [
        ("pause", "frozen"),
        ("resume", "running"),
        ("kill", "stopped"),
        ("start", "running"),
        ("stop", "stopped"),
        ("start", "running"),
    ] {
        let done = run(&[verb, &name, "1"]);
        assert!(done.status.success(), "{verb}: {}", text(&done.stderr));
        assert_eq!(state(), then, "after {verb}");
    }
    assert!(text(&run(&["logs", &name, "1", "--lines", "500"]).stdout).contains("Kafka Server"));
    assert_eq!(run(&["kill", &name, "2"]).status.code(), Some(1));

    assert!(run(&["down", &name]).status.success());
    assert!(!clusters().join(&name).exists());
    assert_eq!(run(&["down", &name]).status.code(), Some(1));
}

#[test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
fn kafkas_own_tools_run_against_a_cluster() {
    let name = name("tools");
    let started = up("kafka@0.11.0.3", &name);
    assert!(started.status.success(), "{}", text(&started.stderr));
    let topics = |arguments: &[&str]| {
        let tool = ["exec", &name, "kafka.admin.TopicCommand", "--zookeeper", "{zookeeper}"];
        run(&[&tool[..], arguments].concat())
    };
    let create = ["--create", "--topic", "t", "--partitions", "2", "--replication-factor", "1"];
    assert!(topics(&create).status.success());
    assert_eq!(text(&topics(&["--list"]).stdout), "t");
    assert_eq!(topics(&create).status.code(), Some(1), "the topic exists");
    assert!(run(&["down", &name]).status.success());
}

#[test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
fn a_cluster_ends_with_the_process_it_was_tied_to() {
    let name = name("tied");
    let mut owner = Command::new("sleep").arg("300").spawn().unwrap();
    let pid = owner.id().to_string();
    let up = run(&["up", "kafka@4.4.0", "--name", &name, "--while-pid", &pid]);
    assert!(up.status.success(), "{}", text(&up.stderr));
    let directory = clusters().join(&name);
    assert!(!is_gone(&directory));
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("the nodes are gone", || is_gone(&directory));
    eventually("the files are gone", || !directory.exists());
}

#[test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
fn nodes_end_at_once_when_their_starter_is_killed() {
    let (mut starter, directory) = starting(&name("killed"));
    starter.kill().unwrap();
    starter.wait().unwrap();
    eventually("the nodes are gone", || is_gone(&directory));
    assert!(run(&["status"]).status.success());
    assert!(!directory.exists(), "the next command removes the files");
}

#[test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
fn an_interrupted_start_takes_back_what_it_did() {
    for word in ["-INT", "-TERM"] {
        let (mut starter, directory) = starting(&name("interrupted"));
        signal(&starter, word);
        assert_eq!(starter.wait().unwrap().code(), Some(130));
        assert!(is_gone(&directory));
        assert!(!directory.exists());
    }
}

#[test]
fn what_is_not_understood_ends_with_2_and_an_example() {
    for arguments in [
        &["up", "kafka"][..],
        &["up", "kafka@1"],
        &["up", "kafka@0.10.2.2"],
        &["up", "kafka@4.4.0/zookeeper"],
        &["up", "kafka@4.4.0", "-n", "0"],
        &["up", "kafka@4.4.0", "--set", "x"],
        &["up", "kafka@4.4.0", "--name", "../x"],
        &["down"],
        &["kill", "x"],
        &["fly"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_missing_java_ends_with_1_and_how_to_get_one() {
    let mut command = minotaur(&["up", "kafka@4.4.0"]);
    let output = command.env("MINOTAUR_JAVA", "/nowhere/java").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("openjdk-17"), "{}", text(&output.stderr));
}

#[test]
fn a_program_that_is_no_java_is_named_with_what_it_said() {
    let mut command = minotaur(&["up", "kafka@4.4.0"]);
    let output = command.env("MINOTAUR_JAVA", "/bin/true").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("/bin/true does not work as Java"), "{said}");
    assert!(said.contains("MINOTAUR_JAVA"), "{said}");
}

#[test]
fn a_lab_without_a_place_to_work_says_which_to_set() {
    let mut command = minotaur(&["status"]);
    command.env_remove("HOME").env_remove("MINOTAUR_HOME").env_remove("XDG_CACHE_HOME");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("set MINOTAUR_HOME"), "{}", text(&output.stderr));
    let mut command = minotaur(&["up", "kafka@4.4.0"]);
    let output = command.env("MINOTAUR_HOME", "/dev/null/lab").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/dev/null/lab"), "{}", text(&output.stderr));
}

#[test]
#[ignore = "needs real Kafka: Java 17 and Maven"]
fn an_offline_maven_without_jars_ends_with_1_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    // A repository of its own, so that nothing fetched before helps.
    let repository = format!("-Dmaven.repo.local={}", home.path().join("m2").display());
    let mut command = minotaur(&["up", "kafka@4.4.0"]);
    command.env("MINOTAUR_HOME", home.path()).env("MINOTAUR_OFFLINE", "1");
    let output = command.env("MAVEN_OPTS", repository).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("cannot reach a repository"), "{said}");
    assert!(said.contains("minotaur fetch kafka@4.4.0"), "{said}");
}

#[test]
fn an_unknown_cluster_is_named_with_those_there_are() {
    let home = tempfile::tempdir().unwrap();
    let mut command = minotaur(&["logs", "nothing"]);
    let output = command.env("MINOTAUR_HOME", home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("clusters: none"), "{}", text(&output.stderr));
}
