//! What meetings with brokers give.

use super::*;

#[test]
fn every_key_finds_its_row() {
    for row in ApiKey::table() {
        assert_eq!(row.key.api(), *row);
        assert_eq!(ApiKey::from_code(row.key.code()), Some(row.key));
        assert!(row.min <= row.max, "{} has no version", row.name);
    }
    assert_eq!(ApiKey::from_code(4), None, "LeaderAndIsr is for brokers among themselves");
}

#[test]
fn the_newest_common_version_is_taken() {
    assert_eq!(ApiKey::Fetch.meet(0, 5), Ok(5), "Kafka 0.11");
    assert_eq!(ApiKey::Fetch.meet(4, 99), Ok(ApiKey::Fetch.api().max));
    assert_eq!(ApiKey::DescribeConfigs.meet(0, 0), Ok(0), "Kafka 0.11, removed in 4.0");
}

#[test]
fn a_version_that_kafka_calls_unstable_is_never_negotiated() {
    assert_eq!(ApiKey::InitProducerId.meet(0, 6), Ok(5));
}

#[test]
fn ranges_that_do_not_meet_are_named() {
    let error = ApiKey::Fetch.meet(0, 3).unwrap_err();
    assert_eq!((error.broker_max, error.our_min), (3, 4));
    assert!(error.to_string().starts_with("Fetch is spoken by the broker in versions 0 to 3"));
    assert!(ApiKey::Fetch.meet(50, 60).is_err());
}

/// What Kafka's classes of each release say (`cargo xtask codec --goldens`): RELEASE KEY MIN MAX.
const RELEASES: &str = include_str!("../../tests/goldens/versions.txt");

#[test]
fn every_promised_kafka_meets_us_in_its_newest_version_of_each_api() {
    let mut met = 0;
    for line in RELEASES.lines() {
        let (release, numbers) = line.split_once(' ').unwrap();
        let mut numbers = numbers.split(' ').map(|number| number.parse::<i16>().unwrap());
        let mut number = || numbers.next().unwrap();
        let (key, min, max) = (number(), number(), number());
        if let Some(api) = ApiKey::from_code(key) {
            assert_eq!(api.meet(min, max), Ok(max), "{api} of Kafka {release}");
            met += 1;
        }
    }
    assert!(met > 200, "only {met} meetings");
}
