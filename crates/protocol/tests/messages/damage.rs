//! Damaged and hostile bytes: every message answers with an error or a value, never with a panic,
//! and never asks for more memory than the bytes can pay for.

use allocation_counter::measure;
use bytes::Bytes;
use forebay_protocol::messages::describe_groups_response::DescribedGroup;
use forebay_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, ListGroupsResponse, MetadataResponse,
};
use forebay_protocol::wire::{Message, Reader, Writer};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;

use crate::goldens::{self, Golden};
use crate::subject::Subject;

/// The most memory that `len` bytes may make a decoder ask for, all its requests added up.
fn bound(len: usize) -> u64 {
    64 * len as u64 + 64 * 1024
}

fn check(subject: Subject, bytes: &Bytes, version: i16) -> bool {
    let mut decoded = false;
    let asked = measure(|| decoded = subject.decodes(bytes.clone(), version));
    let most = bound(bytes.len());
    let start = bytes.slice(..bytes.len().min(80));
    assert!(asked.bytes_total <= most, "{} {version}: {asked:?} for {start:?}", subject.name);
    decoded
}

/// Messages with something in every field, in their oldest and newest version.
fn filled() -> impl Iterator<Item = Golden> {
    let ends = |it: &Golden| [it.subject.min, it.subject.max].contains(&it.version);
    goldens::all().into_iter().filter(|it| it.variant == "filled").filter(ends)
}

#[test]
fn a_message_that_ends_too_early_is_refused_wherever_it_ends() {
    for Golden { subject, version, bytes, .. } in goldens::all() {
        for len in 0..bytes.len() {
            let decoded = check(subject, &bytes.slice(..len), version);
            assert!(!decoded, "{} {version} was read from {len} bytes", subject.name);
        }
    }
}

#[test]
fn lengths_from_nowhere_ask_for_no_memory() {
    const LIES: [&[u8]; 5] = [
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff\x0f",
        b"\x80\x80\x80\x80\x08",
        b"\x7f\xff",
        b"\x00\x10\x00\x00",
    ];
    for Golden { subject, version, bytes, .. } in filled() {
        for at in 0..bytes.len() {
            for lie in LIES {
                let mut bytes = bytes.to_vec();
                bytes.splice(at.., lie.iter().copied().chain([0; 600]));
                check(subject, &bytes.into(), version);
            }
        }
    }
}

/// Counts that are possible, again and again, so that arrays inside of arrays believe them too; in
/// the messages whose arrays take the most memory for each byte.
#[test]
fn arrays_in_arrays_with_possible_counts_stay_within_the_bound() {
    const DEAREST: [&str; 6] = [
        "ConsumerGroupDescribeResponse",
        "OffsetFetchRequest",
        "ShareGroupDescribeResponse",
        "DescribeConfigsResponse",
        "DescribeGroupsResponse",
        "ListGroupsResponse",
    ];
    const COUNTS: [&[u8]; 4] = [b"\0\0\x20\0", b"\x80\x40", b"\xff\x60", b"\xff\xff\x01"];
    for golden in filled().filter(|it| DEAREST.contains(&it.subject.name)) {
        let Golden { subject, version, bytes, .. } = golden;
        for lies in COUNTS.map(|count| count.repeat(20_000 / count.len())) {
            for at in 0..bytes.len() {
                check(subject, &[&bytes[..at], &lies].concat().into(), version);
            }
        }
    }
}

/// Elements that are as small on the wire as they can be, of the types that are large in memory.
#[test]
fn arrays_of_the_smallest_elements_stay_within_the_bound() {
    const MANY: usize = 50_000;
    let names = vec![Default::default(); MANY];
    thrifty(&ListGroupsResponse { groups: vec![Default::default(); MANY], ..Default::default() });
    thrifty(&DescribeGroupsRequest { groups: names, ..Default::default() });
    let members = vec![Default::default(); MANY];
    let group = DescribedGroup { members, ..Default::default() };
    thrifty(&DescribeGroupsResponse { groups: vec![group; 2], ..Default::default() });
    let topics = vec![Default::default(); MANY];
    thrifty(&MetadataResponse { topics, ..Default::default() });
}

fn thrifty<M: Message>(message: &M) {
    for version in M::MIN_VERSION..=M::MAX_VERSION {
        let mut writer = Writer::with_capacity(0);
        message.encode(&mut writer, version).unwrap();
        let bytes = writer.into_bytes();
        let asked = measure(|| drop(M::decode(&mut Reader::new(bytes.clone()), version).unwrap()));
        let most = bound(bytes.len());
        assert!(asked.bytes_total <= most, "{} {version}: {asked:?} of {most}", M::NAME);
    }
}

#[test]
fn changed_bytes_are_an_error_or_another_message() {
    let mut runner = proptest::test_runner::TestRunner::default();
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6);
    for Golden { subject, version, bytes, .. } in goldens::all() {
        for _ in 0..if bytes.is_empty() { 0 } else { 16 } {
            let changes = changes.new_tree(&mut runner).unwrap().current();
            let mut changed = bytes.to_vec();
            changes.iter().for_each(|(at, byte)| changed[at.index(bytes.len())] = *byte);
            let changed = changed.into();
            if check(subject, &changed, version) {
                comes_back(subject, &changed, version);
            }
        }
    }
}

/// What was read can be written, and reads as the same.
fn comes_back(subject: Subject, bytes: &Bytes, version: i16) {
    let first = subject.parse(bytes, version).unwrap();
    let written = first.written.unwrap();
    assert_eq!(first.announced.unwrap(), written.len());
    let second = subject.parse(&written, version).unwrap();
    assert_eq!((second.text, second.left), (first.text, 0), "{} {version}", subject.name);
    assert_eq!(second.written.unwrap(), written);
}

#[test]
fn a_version_that_we_do_not_speak_is_refused_both_ways() {
    for subject in crate::subject::all() {
        for version in [subject.min - 1, subject.max + 1, i16::MIN, i16::MAX] {
            assert!(!subject.decodes(Bytes::from_static(&[0; 64]), version));
            assert!(subject.default(version).is_err());
        }
    }
}
