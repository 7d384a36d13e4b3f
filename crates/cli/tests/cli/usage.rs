//! Is what cannot be understood refused with exit code 2 and a reason?

use crate::program::forebay;

#[test]
fn what_is_not_understood_ends_with_2_and_says_what_was_expected() {
    let perf = ["perf", "consume", "--topic", "t", "--bootstrap-servers", "localhost:1"];
    let with = |more: &[&'static str]| [perf.as_slice(), more].concat();
    let consume = ["consume", "t", "--bootstrap-servers", "localhost:1"];
    let consume = |more: &[&'static str]| [consume.as_slice(), more].concat();
    let cases: [(Vec<&str>, &str); 16] = [
        (vec!["consume", "t"], "--bootstrap-servers"),
        (consume(&["--from", "yesterday"]), "2026-01-31T12:00:00Z"),
        (consume(&["--format", "%q"]), "%q stands for nothing"),
        (consume(&["--format", "%k", "--output", "json"]), "cannot be used with"),
        (vec!["topic", "list", "--output", "hex", "--bootstrap-servers", "a:1"], "for consume"),
        (vec!["topic", "alter", "t", "--bootstrap-servers", "a:1"], "--partitions"),
        (vec!["produce", "t", "--header", "x", "--bootstrap-servers", "a:1"], "source=import"),
        (vec!["broker", "--pose-as", "0.9"], "0.11, 1.1, 2.8, 3.9 or 4.4"),
        (vec!["completions", "cmd"], "bash"),
        (vec!["no-such-command"], "unrecognized subcommand"),
        (with(&[]), "--records"),
        (with(&["--records", "0"]), "1.."),
        (with(&["--records", "5", "--partitions", "3-1"]), "0-7"),
        (with(&["--records", "5", "--api", "magic"]), "batches, records, stream"),
        (vec!["demo", "--bootstrap-servers", "localhost"], "host:port"),
        (vec!["demo", "--drain-timeout", "soon"], "20s"),
    ];
    for (arguments, expected) in cases {
        let ended = forebay(&arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn every_help_text_has_an_example() {
    let commands: [&[&str]; 11] = [
        &["topic", "alter"],
        &["completions"],
        &["man"],
        &[],
        &["demo"],
        &["broker"],
        &["perf", "consume"],
        &["produce"],
        &["consume"],
        &["topic"],
        &["topic", "create"],
    ];
    for command in commands {
        let ended = forebay(&[command, &["--help"]].concat());
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("Example"), "{command:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_end_with_1_and_name_what_would_do() {
    let ended = forebay(&["demo", "--records", "1000000000"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("--bootstrap-servers"), "{}", ended.stderr);
    let ended = forebay(&["demo", "--records", "10", "--budget-bytes", "1KiB"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("at least 4 MiB"), "{}", ended.stderr);
}

#[test]
fn shells_get_completions_and_man_gets_pages() {
    for (shell, word) in
        [("bash", "complete -F"), ("zsh", "#compdef forebay"), ("fish", "complete -c")]
    {
        let ended = forebay(&["completions", shell]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(word) && ended.stdout.contains("consume"), "{shell}");
    }
    let ended = forebay(&["man", "topic", "alter"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for part in [".TH forebay-topic-alter", ".SH SYNOPSIS", "unset", "retention.ms=3600000"] {
        assert!(ended.stdout.contains(part), "{part}");
    }
    let ended = forebay(&["man", "topics"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no command topics"), "{}", ended.stderr);
}

#[test]
fn the_help_tells_the_exit_codes() {
    let told = forebay(&["--help"]).stdout;
    assert!(told.contains("0 done, 1 failed, 2 not understood, 130 interrupted"), "{told}");
}
