//! The bytes of Kafka's consumer (`cargo xtask codec --goldens`), and what damage does to them.

use super::*;

const GOLDENS: &str = include_str!("../../tests/goldens/group-4.4.0.txt");

fn golden(kind: &str, version: i16) -> Bytes {
    let head = format!("{kind} {version} ");
    let hex = GOLDENS.lines().find_map(|line| line.strip_prefix(&head)).unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn owned() -> Vec<TopicPartition> {
    [("b", 7), ("a", 2), ("b", 0)].map(|(topic, it)| TopicPartition::new(topic, it)).to_vec()
}

fn full() -> Subscription {
    Subscription {
        topics: vec!["b".into(), "a".into()],
        user_data: Some(Bytes::from_static(b"data")),
        owned: owned(),
        generation: Some(5),
        rack: Some(Str::from_static("rack")),
    }
}

fn bare() -> Subscription {
    Subscription { topics: vec!["b".into(), "a".into()], ..Subscription::default() }
}

#[test]
fn subscriptions_are_written_as_java_writes_them() {
    for version in 0..=3 {
        assert_eq!(full().encode(version).unwrap(), golden("subscription-full", version));
        assert_eq!(bare().encode(version).unwrap(), golden("subscription-bare", version));
    }
}

#[test]
fn assignments_are_written_as_java_writes_them() {
    let mut assignment = Assignment { partitions: owned(), user_data: None };
    for version in 0..=3 {
        assignment.user_data = None;
        assert_eq!(assignment.encode(version).unwrap(), golden("assignment-bare", version));
        assignment.user_data = Some(Bytes::from_static(b"data"));
        assert_eq!(assignment.encode(version).unwrap(), golden("assignment-full", version));
    }
}

#[test]
fn what_java_wrote_is_read() {
    let subscription = Subscription::decode(golden("subscription-full", 3)).unwrap();
    let mut sorted = full();
    sorted.topics.sort();
    sorted.owned.sort();
    assert_eq!(subscription, sorted);
    let assignment = Assignment::decode(golden("assignment-full", 3)).unwrap();
    let expected = [("b", 7), ("b", 0), ("a", 2)].map(|(topic, it)| TopicPartition::new(topic, it));
    assert_eq!(assignment.partitions, expected);
}

#[test]
fn a_subscription_of_a_newer_version_is_read_as_far_as_we_know_it() {
    let mut bytes = golden("subscription-full", 3).to_vec();
    bytes[1] = 9;
    bytes.extend_from_slice(b"more");
    assert_eq!(Subscription::decode(bytes.into()).unwrap().generation, Some(5));
}

#[test]
fn an_assignment_of_no_bytes_is_one_of_nothing() {
    assert_eq!(Assignment::decode(Bytes::new()), Ok(Assignment::default()));
}

#[test]
fn damaged_bytes_say_what_is_wrong() {
    let error = Subscription::decode(Bytes::from_static(b"\xff\xff")).unwrap_err();
    assert_eq!((error.field, error.found), ("version", Found::Number(-1)));
    let bytes = golden("subscription-full", 3);
    for len in 0..bytes.len() {
        assert!(Subscription::decode(bytes.slice(..len)).is_err(), "{len} bytes");
    }
}
