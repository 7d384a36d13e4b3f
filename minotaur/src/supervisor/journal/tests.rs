//! Is a cluster written down before it runs, and found again whatever happened?

use std::process::Command;

use super::*;
use crate::spec::LabSpec;

struct Place {
    _directory: tempfile::TempDir,
    home: Home,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::at(directory.path()).unwrap();
    Place { _directory: directory, home }
}

fn entry(home: &Home, name: &str, owner: Option<ProcessId>) -> Entry {
    let spec = LabSpec::parse("kafka@4.4.0").unwrap();
    let plan = Plan::new(&spec, name, &home.clusters(), &[20_001, 20_002]).unwrap();
    Entry { plan, java: "java".into(), owner }
}

#[test]
fn what_was_written_is_read_again() {
    let place = place();
    entry(&place.home, "a", ProcessId::own()).create(&place.home).unwrap();
    let read = load(&place.home, "a").unwrap().unwrap();
    assert_eq!(read.plan.version.to_string(), "4.4.0");
    assert_eq!(read.owner, ProcessId::own());
    assert_eq!(claimed_ports(&[read]), [20_001, 20_002].into());
}

#[test]
fn a_name_is_given_only_once() {
    let place = place();
    entry(&place.home, "a", None).create(&place.home).unwrap();
    let again = entry(&place.home, "a", None).create(&place.home);
    assert!(matches!(again, Err(LabError::ClusterExists { .. })), "{again:?}");
    assert_eq!(directories(&place.home), ["a"], "the second try left nothing");
}

#[test]
fn a_cluster_is_left_over_when_its_owner_is_gone() {
    let place = place();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let owner = ProcessId::of(i32::try_from(child.id()).unwrap());
    let owned = entry(&place.home, "a", owner);
    assert!(!owned.is_left_over());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(owned.is_left_over());
    assert!(!entry(&place.home, "b", None).is_left_over(), "without an owner it stays");
}

#[test]
fn directories_of_a_maker_that_died_are_unfinished() {
    let place = place();
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = place.home.clusters().join(format!(".making-a-{}", child.id()));
    let alive = place.home.clusters().join(format!(".making-b-{}", std::process::id()));
    make_directory(&dead).unwrap();
    make_directory(&alive).unwrap();
    assert_eq!(unfinished(&place.home), [dead]);
    assert!(names(&place.home).is_empty());
}

#[test]
fn a_damaged_entry_is_named() {
    let place = place();
    let directory = place.home.clusters().join("a");
    make_directory(&directory).unwrap();
    fs::write(directory.join(ENTRY), "{").unwrap();
    let error = list(&place.home).unwrap_err();
    assert!(error.to_string().contains("cluster.json"), "{error}");
}
