//! The same bytes through kafka-protocol, a codec by other people: it must read what we write, see
//! the same values under the same names, and write the same. It is fed with what we wrote only,
//! since it takes lengths from the wire at their word.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use forebay_protocol::for_each_api;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;

use crate::goldens::{self, Golden};
use crate::subject::Parsed;

/// One type of the oracle, without its type.
#[derive(Clone, Copy)]
struct Oracle {
    versions: VersionRange,
    parse: fn(Bytes, i16) -> (String, Bytes),
}

impl Oracle {
    fn of<M: Message + Decodable + Encodable + std::fmt::Debug>() -> Self {
        Self { versions: M::VERSIONS, parse: parse::<M> }
    }
}

fn parse<M: Decodable + Encodable + std::fmt::Debug>(
    mut bytes: Bytes,
    version: i16,
) -> (String, Bytes) {
    let message = M::decode(&mut bytes, version).unwrap();
    let mut written = BytesMut::new();
    message.encode(&mut written, version).unwrap();
    assert_eq!(message.compute_size(version).unwrap(), written.len());
    (format!("{message:#?}"), written.freeze())
}

macro_rules! oracles {
    ($(($request:ident $response:ident))*) => {
        fn oracles() -> BTreeMap<&'static str, Oracle> {
            BTreeMap::from([
                $(
                    (stringify!($request), Oracle::of::<$request>()),
                    (stringify!($response), Oracle::of::<$response>()),
                )*
                ("ConsumerProtocolSubscription", Oracle::of::<ConsumerProtocolSubscription>()),
                ("ConsumerProtocolAssignment", Oracle::of::<ConsumerProtocolAssignment>()),
            ])
        }
    };
}

for_each_api!(oracles);

/// Whether the oracle was asked. What it does not know, it cannot judge.
fn agrees(oracles: &BTreeMap<&str, Oracle>, golden: &Golden, parsed: &Parsed) -> bool {
    let Golden { subject, version, .. } = golden;
    let oracle = oracles[subject.name];
    if !(oracle.versions.min..=oracle.versions.max).contains(version) {
        return false;
    }
    let bytes = parsed.written.clone().unwrap();
    let (text, written) = (oracle.parse)(bytes.clone(), *version);
    assert_eq!(written, bytes, "{} {version}", subject.name);
    let (theirs, ours) = (plain(&text), plain(&parsed.text));
    let what = format!("{} {version}", subject.name);
    assert_eq!(shared(&theirs, &ours), shared(&ours, &theirs), "{what}");
    true
}

/// A `Debug` text as both codecs would print it: without the dashes of ids, without the underscores
/// of names that are words of Rust, without what only the oracle keeps.
fn plain(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let common = lines.filter(|line| !line.starts_with("unknown_tagged_fields"));
    common.map(|line| line.trim_start_matches('_').replace("_: ", ": ").replace('-', "")).collect()
}

/// The lines of fields that the other text has too: the oracle is an older Kafka.
fn shared<'a>(lines: &'a [String], other: &[String]) -> Vec<&'a String> {
    let name = |line: &'_ String| line.split_once(": ").map(|(name, _)| name.to_owned());
    let names: BTreeSet<_> = other.iter().filter_map(name).collect();
    lines.iter().filter(|line| name(line).is_none_or(|name| names.contains(&name))).collect()
}

#[test]
fn the_oracle_reads_and_writes_every_golden_that_it_knows() {
    let oracles = oracles();
    let asked = goldens::all().into_iter().filter(|golden| {
        let parsed = golden.subject.parse(&golden.bytes, golden.version).unwrap();
        agrees(&oracles, golden, &parsed)
    });
    let asked = asked.count();
    assert!(asked > 1_000, "the oracle was asked {asked} times only");
}

/// Goldens with other values in them: bytes are changed, and what we still read is a message.
#[test]
fn the_oracle_agrees_on_values_made_by_chance() {
    let (goldens, oracles) = (goldens::all(), oracles());
    let mut runner = proptest::test_runner::TestRunner::default();
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6);
    let mut asked = 0;
    for golden in goldens.iter().filter(|it| !it.bytes.is_empty()) {
        for _ in 0..8 {
            let changes = changes.new_tree(&mut runner).unwrap().current();
            let mut bytes = golden.bytes.to_vec();
            changes.iter().for_each(|(at, byte)| bytes[at.index(golden.bytes.len())] = *byte);
            if let Ok(parsed) = golden.subject.parse(&bytes.into(), golden.version) {
                asked += u32::from(agrees(&oracles, golden, &parsed));
            }
        }
    }
    assert!(asked > 3_000, "the oracle was asked {asked} times only");
}
