//! Does each rule speak when it is broken, and only then?

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::path::{Path, PathBuf};

use forebay_histcheck::{Checker, Event, History, HistoryError, Needs, Rule, Verdict, What};

fn goldens() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    all.sort();
    all
}

fn judge(path: &Path, needs: &Needs) -> Verdict {
    let mut checker = Checker::new();
    for event in History::open([path]).unwrap() {
        checker.hear(&event.unwrap());
    }
    checker.conclude(needs)
}

#[test]
fn a_history_that_keeps_a_rule_is_good() {
    for (name, path) in goldens().iter().filter(|(name, _)| name.ends_with("-kept")) {
        let verdict = judge(path, &Needs::default());
        assert!(verdict.is_good(), "{name}: {verdict}");
    }
}

#[test]
fn a_history_that_breaks_a_rule_breaks_no_other() {
    for (name, path) in goldens().iter().filter(|(name, _)| name.contains("-broken")) {
        let verdict = judge(path, &Needs::default());
        let broken: Vec<_> = verdict.broken.keys().map(|rule| format!("{rule:?}")).collect();
        let rule = name.split('-').next().unwrap();
        assert_eq!((broken, &verdict.refused), (vec![rule.to_owned()], &None), "{name}: {verdict}");
        assert_eq!(verdict.exit_code(), 1);
    }
}

#[test]
fn each_rule_has_a_history_of_either_kind() {
    let names: Vec<_> = goldens().into_iter().map(|(name, _)| name).collect();
    for rule in Rule::ALL {
        for kind in ["kept", "broken"] {
            assert!(names.contains(&format!("{rule:?}-{kind}")), "{rule:?} {kind}");
        }
    }
}

#[test]
fn duplicates_of_a_kill_are_counted_under_it() {
    let path = goldens().into_iter().find(|(name, _)| name == "B3-kept").unwrap().1;
    let figures = judge(&path, &Needs::default()).figures;
    assert_eq!((figures.duplicates, figures.unexplained, figures.kills), (1, 0, 1));
    assert_eq!(figures.explained_by.get("a was killed"), Some(&1));
    assert_eq!((figures.records, figures.done, figures.moves), (2, 2, 1));
}

#[test]
fn a_run_in_which_too_little_happened_is_refused() {
    let path = goldens().into_iter().find(|(name, _)| name == "B1-kept").unwrap().1;
    let none = Needs::default();
    let asked = [
        Needs { kills: 1, ..none },
        Needs { moves: 1, ..none },
        Needs { records: 4, ..none },
        Needs { faults: 1, ..none },
    ];
    for needs in asked {
        let verdict = judge(&path, &needs);
        assert_eq!((verdict.exit_code(), verdict.is_good()), (2, false), "{needs:?}");
    }
    let empty = Checker::new().conclude(&none);
    assert_eq!(empty.exit_code(), 2, "{empty}");
}

#[test]
fn a_history_that_contradicts_itself_is_refused() {
    let event = |at, what| Event { at, what };
    let done = || What::Done { member: "a".into(), tp: "t-0".into(), offset: 0 };
    let truth = || What::Truth { tp: "t-0".into(), offset: 0, key: 1, seq: 1 };
    let end = || What::Final { tp: "t-0".into(), committed: 1, end: 1 };
    let of = |events: &[Event]| {
        let mut checker = Checker::new();
        events.iter().for_each(|event| checker.hear(event));
        checker.conclude(&Needs::default()).refused.unwrap_or_default()
    };
    assert!(
        of(&[event(1, done()), event(2, truth()), event(3, end())]).contains("without a start")
    );
    assert!(of(&[event(2, truth()), event(1, end())]).contains("older"));
    assert!(of(&[event(1, truth())]).contains("without telling what is committed"));
}

#[test]
fn files_are_heard_as_one_by_their_times_and_a_bad_line_is_named() {
    let folder = std::env::temp_dir().join(format!("histcheck-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let quiet = |at: u64| format!("{{\"at\":{at},\"event\":\"quiet_begins\"}}\n");
    let left = write("left", &(quiet(1) + &quiet(4)));
    let right = write("right", &(quiet(2) + &quiet(3)));
    let times: Vec<_> = History::open([left, right]).unwrap().map(|it| it.unwrap().at).collect();
    assert_eq!(times, [1, 2, 3, 4]);
    let bad = write("bad", &(quiet(1) + "{\"at\":2,\"event\":\"slept\"}\n"));
    let error = History::open([bad]).and_then(|all| all.collect::<Result<Vec<_>, _>>());
    assert!(matches!(error, Err(HistoryError::Line { line: 2, .. })), "{error:?}");
    let cut = write("cut", quiet(1).trim_end());
    assert!(matches!(History::open([cut]), Err(HistoryError::Cut { line: 1, .. })));
    std::fs::remove_dir_all(folder).unwrap();
}
