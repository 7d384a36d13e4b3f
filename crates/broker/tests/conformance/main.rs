//! Does this broker answer as Kafka does? The same questions went to real brokers, whose answers
//! are kept as goldens; real brokers are right.
//!
//! `FOREBAY_GOLDENS=write cargo test -p forebay-broker --test conformance -- --ignored` asks them
//! anew and keeps what they say.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly"
)]

mod admin;
mod fetch;
mod members;
mod mixed;
mod modern;
mod offsets;
mod oldest;
mod produce;
mod side;
mod topics;
mod transactions;

use std::path::PathBuf;

use forebay_broker::{Broker, Release};
use minotaur::{Lab, LabSpec};

use crate::side::{Kind, Side};

fn all(side: &mut Side) {
    topics::versions(side);
    topics::topics(side);
    produce::produce(side);
    produce::sequences(side);
    fetch::fetch(side);
    offsets::offsets(side);
    offsets::groups(side);
    transactions::transactions(side);
    admin::admin(side);
    topics::create(side, "m", 2);
    members::members(side);
    modern::modern(side);
    mixed::mixed(side);
    transactions::offsets(side);
    oldest::oldest(side);
}

/// What a broker answered, a line for each question.
fn answers(address: &str, kind: Kind) -> Vec<String> {
    let mut side = Side::connect(address, kind).unwrap();
    all(&mut side);
    side.lines.iter().map(|(name, answer)| format!("{name}: {answer}")).collect()
}

fn golden(version: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("tests/conformance/goldens/kafka-{version}.txt"))
}

/// Compares with what the real broker said, and tells every difference.
fn compare(version: &str, found: &[String]) {
    let text = std::fs::read_to_string(golden(version)).unwrap();
    let expected: Vec<&str> = text.lines().collect();
    let mut different = 0;
    for (expected, found) in expected.iter().zip(found) {
        if expected != found {
            different += 1;
            println!("real {expected}\nhere {found}\n");
        }
    }
    assert_eq!((different, found.len()), (0, expected.len()), "differences; questions");
}

/// The in-process broker against the goldens.
async fn here(version: &'static str, release: Release) {
    let broker = Broker::builder().pose_as(release).start().await.unwrap();
    let address = broker.bootstrap_servers().to_owned();
    let found = tokio::task::spawn_blocking(move || answers(&address, Kind::InProcess));
    compare(version, &found.await.unwrap());
    broker.shutdown().await;
}

/// A real broker against the goldens, or into them.
async fn there(version: &str) {
    let spec = LabSpec::parse(&format!("kafka@{version}")).unwrap();
    // The records are old: they shall stay, and in one segment with what brokers write today.
    let spec = spec.set("log.retention.ms", "-1").unwrap();
    let spec = spec.set("log.roll.hours", "900000").unwrap();
    let spec = spec.set("group.initial.rebalance.delay.ms", "0").unwrap();
    // Plans are made at once, and within the heartbeat that asks for them.
    let spec = spec.set("group.consumer.assignment.interval.ms", "0").unwrap();
    let spec = spec.set("group.consumer.assignor.offload.enable", "false").unwrap();
    let cluster = Lab::from_env().unwrap().up(&spec).await.unwrap();
    let address = cluster.bootstrap_servers();
    let found = tokio::task::spawn_blocking(move || answers(&address, Kind::Real)).await.unwrap();
    if std::env::var("FOREBAY_GOLDENS").is_ok_and(|what| what == "write") {
        std::fs::write(golden(version), found.join("\n") + "\n").unwrap();
    }
    compare(version, &found);
}

#[tokio::test(flavor = "multi_thread")]
async fn here_all_is_answered_as_kafka_4_4_0_did() {
    here("4.4.0", Release::V4_4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn here_all_is_answered_as_kafka_0_11_0_3_did() {
    here("0.11.0.3", Release::V0_11).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn kafka_4_4_0_answers_as_it_did() {
    there("4.4.0").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real Kafka: Java 17 and Maven"]
async fn kafka_0_11_0_3_answers_as_it_did() {
    there("0.11.0.3").await;
}
