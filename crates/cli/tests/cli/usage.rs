//! Is what cannot be understood refused with exit code 2 and a reason?

use crate::program::forebay;

#[test]
fn what_is_not_understood_ends_with_2_and_says_what_was_expected() {
    let perf = ["perf", "consume", "--topic", "t", "--bootstrap-servers", "localhost:1"];
    let with = |more: &[&'static str]| [perf.as_slice(), more].concat();
    let cases: [(Vec<&str>, &str); 7] = [
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
    let commands: [&[&str]; 8] = [
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
