//! One seed, one trace: two processes hear the same bytes at the same times.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use forebay::ProducerRecord;

use crate::faults::disturb;
use crate::world::{PARTITIONS, Seen, World, until, virtual_time};

/// Tells another process of this program which seed to play.
const SEED: &str = "FOREBAY_SIMULATION_SEED";
/// Stands before a trace in the output of such a process.
const TOLD: &str = "trace of seed";
const RECORDS: i32 = 300;

/// A producer and a consumer; every record that was acknowledged is seen once.
async fn a_writer_and_a_reader(seed: u64) -> (u64, u64) {
    let (world, seen) = (World::new(seed), Seen::default());
    let reader = world.reader("reader", 0..PARTITIONS, &seen);
    let producer = world.producer();
    let writing = async {
        let mut receipts = Vec::new();
        for number in 0..RECORDS {
            let value = number.to_string();
            let record = ProducerRecord::new("t", value.as_bytes()).partition(number % PARTITIONS);
            receipts.push(producer.send(record).await.unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for receipt in receipts {
            receipt.delivered().await.unwrap();
        }
    };
    tokio::join!(writing, disturb(&world, seed, 20));
    until("all committed", || world.is_all_committed()).await;
    reader.close().await;
    producer.close(Duration::from_secs(20)).await.unwrap();
    all_in_order(&seen, RECORDS);
    world.trace.told()
}

/// Two consumers of one group, each with partitions of its own.
async fn two_readers(seed: u64) -> (u64, u64) {
    let (world, seen) = (World::new(seed), Seen::default());
    let half = PARTITIONS / 2;
    let readers =
        [world.reader("left", 0..half, &seen), world.reader("right", half..PARTITIONS, &seen)];
    let writing = async {
        for number in 0..RECORDS {
            world.append(number % PARTITIONS, &number.to_string());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(writing, disturb(&world, seed, 20));
    until("all committed", || world.is_all_committed()).await;
    for reader in readers {
        reader.close().await;
    }
    all_in_order(&seen, RECORDS);
    world.trace.told()
}

fn all_in_order(seen: &Seen, records: i32) {
    for (partition, values) in Arc::clone(seen).lock().unwrap().iter() {
        let expected: Vec<_> = (0..records)
            .filter(|number| number % PARTITIONS == *partition)
            .map(|number| number.to_string())
            .collect();
        assert_eq!(*values, expected, "partition {partition}");
    }
}

fn traces(seed: u64) -> String {
    let (left, right) =
        (virtual_time(a_writer_and_a_reader(seed)), virtual_time(two_readers(seed)));
    format!("{TOLD} {seed}: {left:x?} {right:x?}")
}

/// The same in another process, which runs the test below.
fn traces_elsewhere(seed: u64) -> String {
    let program = std::env::current_exe().unwrap();
    let name = "determinism::a_seed_from_outside_is_played_and_told";
    let mut command = Command::new(program);
    let output = command.args(["--exact", name, "--nocapture"]).env(SEED, seed.to_string());
    let output = output.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text.lines().find_map(|line| line.find(TOLD).map(|at| line[at..].to_owned()));
    told.unwrap_or_else(|| panic!("no trace in {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_seed_from_outside_is_played_and_told() {
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    println!("{}", traces(seed.unwrap_or(1)));
}

#[test]
fn one_seed_gives_the_same_trace_in_two_processes() {
    for seed in [1, 2026] {
        assert_eq!(traces(seed), traces_elsewhere(seed));
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let of = |seed| virtual_time(two_readers(seed)).0;
    assert_ne!(of(1), of(2));
}
