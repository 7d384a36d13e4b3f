//! Are good wishes understood and bad ones refused with what was expected?

use super::*;

#[test]
fn the_mode_follows_from_the_version_unless_named() {
    let mode = |text: &str| text.parse::<System>().unwrap().mode;
    assert_eq!(mode("kafka@4.4.0"), Mode::KRaft);
    assert_eq!(mode("kafka@3.9.2"), Mode::KRaft);
    assert_eq!(mode("kafka@3.9.2/zookeeper"), Mode::ZooKeeper);
    assert_eq!(mode("kafka@0.11.0.3"), Mode::ZooKeeper);
}

#[test]
fn a_mode_that_the_version_lacks_is_refused() {
    for text in ["kafka@4.4.0/zookeeper", "kafka@2.8.2/kraft"] {
        let error = text.parse::<System>().unwrap_err();
        assert!(matches!(error, SpecError::Version(VersionError::NoSuchMode { .. })), "{error}");
    }
}

#[test]
fn a_mode_that_is_none_names_the_two_that_are() {
    let error = "kafka@4.4.0/swarm".parse::<System>().unwrap_err();
    assert!(matches!(error, SpecError::Version(VersionError::UnknownMode { .. })), "{error}");
    assert_eq!(error.to_string(), "\"swarm\" is no mode: expected kraft or zookeeper");
}

#[test]
fn texts_that_name_no_server_say_what_was_expected() {
    for text in ["4.4.0", "kafka", "kafka:4.4.0", "cassandra@5.0.0", ""] {
        let error = text.parse::<System>().unwrap_err().to_string();
        assert!(error.contains("kafka@4.4.0"), "{text}: {error}");
    }
}

#[test]
fn names_that_could_leave_the_directory_are_refused() {
    let spec = || LabSpec::parse("kafka@4.4.0").unwrap();
    for name in ["", ".", "..", "../x", "a/b", "a b", "-x", &"x".repeat(61)] {
        assert!(spec().named(name).is_err(), "{name}");
    }
    assert!(spec().named("run-1_b.2").is_ok());
}

#[test]
fn sizes_counts_cores_and_settings_are_checked() {
    let spec = || LabSpec::parse("kafka@4.4.0").unwrap();
    assert!(spec().nodes(0).is_err());
    assert!(spec().nodes(10).is_err());
    assert!(spec().heap("0g").is_err());
    assert!(spec().heap("lots").is_err());
    assert!(spec().heap("512m").is_ok());
    assert!(spec().core("-1").is_err());
    assert!(spec().core("0;rm").is_err());
    assert!(spec().core("0-1").is_ok());
    assert!(spec().set("a b", "c").is_err());
    assert!(spec().set("", "c").is_err());
    assert!(spec().set("num.partitions", "6").is_ok());
}
