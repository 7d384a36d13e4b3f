//! When may a suite be called good, and what do programs read?

use super::*;

fn report(verdicts: &[(&str, Verdict)]) -> Report {
    let cell =
        |(broker, verdict): &(&str, Verdict)| Cell::new("resume", broker, *verdict, String::new());
    Report { cells: verdicts.iter().map(cell).collect() }
}

#[test]
fn a_story_that_failed_anywhere_fails_the_suite() {
    assert!(report(&[("a", Verdict::Pass), ("b", Verdict::Pass)]).is_success());
    assert!(!report(&[("a", Verdict::Pass), ("b", Verdict::Fail)]).is_success());
}

#[test]
fn a_story_that_one_broker_alone_offers_fails_the_suite() {
    let told = [("a", Verdict::Pass), ("b", Verdict::NotOffered), ("c", Verdict::NotOffered)];
    assert!(!report(&told).is_success());
    assert_eq!(report(&told).lonely(), ["resume"]);
    let told = [("a", Verdict::Pass), ("b", Verdict::Pass), ("c", Verdict::NotOffered)];
    assert!(report(&told).is_success());
}

#[test]
fn brokers_that_are_not_there_make_no_story_lonely() {
    assert!(report(&[("a", Verdict::Pass), ("b", Verdict::LeftOut)]).is_success());
}

#[test]
fn programs_read_the_words_that_people_read() {
    let json = report(&[("a", Verdict::NotOffered), ("b", Verdict::LeftOut)]).json();
    assert!(json.contains("\"verdict\": \"not offered\""), "{json}");
    assert!(json.contains("\"verdict\": \"left out\""), "{json}");
}

#[test]
fn one_broker_alone_makes_no_story_lonely() {
    assert!(report(&[("a", Verdict::NotOffered)]).is_success());
}

#[test]
fn what_programs_read_can_be_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let first = report(&[("a", Verdict::NotOffered), ("b", Verdict::Pass)]);
    std::fs::write(&path, first.json()).unwrap();
    let again = Report::of_files(&[path.clone(), path]).unwrap();
    assert_eq!(again.cells.len(), 4);
    assert_eq!(again.cells[0].verdict, Verdict::NotOffered);
    let missing = folder.path().join("none");
    assert!(matches!(Report::of_files(&[missing]), Err(Unread::File { .. })));
}

#[test]
fn a_page_names_each_reason_once() {
    let mut report =
        report(&[("a", Verdict::Pass), ("b", Verdict::NotOffered), ("c", Verdict::NotOffered)]);
    report.cells.iter_mut().for_each(|cell| cell.detail = "no zstd".to_owned());
    let expected = "| story | a | b | c |\n|---|---|---|---|\n\
                    | resume | pass 0.0 s | not offered (1) | not offered (1) |\n\n1. no zstd\n";
    assert_eq!(report.markdown(), expected);
}

#[test]
fn the_table_has_a_column_for_each_broker_and_says_what_went_wrong() {
    let mut report = report(&[("a", Verdict::Pass), ("b", Verdict::Fail)]);
    report.cells.iter_mut().skip(1).for_each(|cell| cell.detail = "a gap at 7".to_owned());
    let table = report.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains("pass") && lines[1].contains("FAIL"));
    assert_eq!(lines[2], "resume on b: a gap at 7");
}
