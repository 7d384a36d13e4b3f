//! Does each version get what was proven to start it?

use super::*;

fn era(text: &str) -> Era {
    text.parse::<KafkaVersion>().unwrap().era().unwrap()
}

#[test]
fn a_version_prints_as_it_was_written() {
    for text in ["4.4.0", "3.9.2", "0.11.0.3"] {
        assert_eq!(text.parse::<KafkaVersion>().unwrap().to_string(), text);
    }
}

#[test]
fn versions_order_by_number_and_not_by_text() {
    let parse = |text: &str| text.parse::<KafkaVersion>().unwrap();
    assert!(parse("0.11.0.3") < parse("1.1.1"));
    assert!(parse("3.9.2") < parse("3.10.0"));
}

#[test]
fn what_is_no_version_is_refused_with_examples() {
    for text in ["", "4", "4.4", "4.4.0.1", "0.11.0", "4.4.x", "latest", "-1.0.0", "4.4.99999"] {
        let error = text.parse::<KafkaVersion>().unwrap_err();
        assert!(matches!(error, VersionError::Malformed { .. }), "{text}: {error}");
        assert!(error.to_string().contains("4.4.0"), "{error}");
    }
}

#[test]
fn versions_before_0_11_are_refused() {
    let error = "0.10.2.2".parse::<KafkaVersion>().unwrap_err();
    assert!(matches!(error, VersionError::TooOld { .. }), "{error}");
}

#[test]
fn eras_are_sorted_so_that_the_first_that_fits_is_the_newest() {
    assert!(ERAS.is_sorted_by(|newer, older| newer.from > older.from));
}

#[test]
fn promised_versions_get_the_proven_scala_logging_and_mode() {
    let facts = |text| {
        let era = era(text);
        (era.scala, era.logging, era.modes.first().copied().unwrap())
    };
    assert_eq!(facts("4.4.0"), ("2.13", Logging::Log4j2, Mode::KRaft));
    assert_eq!(facts("4.3.1"), ("2.13", Logging::Log4j2, Mode::KRaft));
    assert_eq!(facts("3.9.2"), ("2.13", Logging::Reload4j, Mode::KRaft));
    assert_eq!(facts("2.8.2"), ("2.13", Logging::Reload4j, Mode::ZooKeeper));
    assert_eq!(facts("1.1.1"), ("2.11", Logging::Log4j1, Mode::ZooKeeper));
    assert_eq!(facts("0.11.0.3"), ("2.11", Logging::Log4j1, Mode::ZooKeeper));
}

#[test]
fn only_versions_with_a_broken_zookeeper_client_get_another() {
    assert_eq!(era("2.3.1").zookeeper, Some("3.5.7"));
    for text in ["1.1.1", "2.5.1", "2.8.2", "3.9.2"] {
        assert_eq!(era(text).zookeeper, None, "{text}");
    }
}

#[test]
fn brokers_of_4_need_java_17_and_have_no_zookeeper_mode() {
    assert_eq!(era("4.0.0").java, 17);
    assert_eq!(era("4.0.0").modes, [Mode::KRaft]);
    assert_eq!(era("3.9.2").java, 11);
}
