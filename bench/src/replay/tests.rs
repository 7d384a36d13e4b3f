//! Does the replay broker hold what it says, for a reader that shares none of its code?

use std::thread;

use clap::Parser;

use super::{Options, open, serve};
use crate::floor;
use crate::meter::Report;
use crate::ours;

#[derive(Parser)]
struct Replay {
    #[command(flatten)]
    options: Options,
}

#[derive(Parser)]
struct Floor {
    #[command(flatten)]
    options: floor::Options,
}

#[derive(Parser)]
struct Ours {
    #[command(flatten)]
    options: ours::Options,
}

/// Starts a replay broker and reads `records` from it with the floor.
fn read(replay: &str, floor: &str) -> Result<Report, crate::error::Error> {
    let arguments = ["replay", "--partitions", "3", "--records-per-batch", "50"];
    let arguments = arguments.into_iter().chain(replay.split_whitespace());
    let (stage, listener) = open(Replay::parse_from(arguments).options)?;
    let address = format!("127.0.0.1:{}", stage.options.port);
    thread::spawn(move || serve(&stage, &listener));
    let arguments = ["floor", "--partitions", "3", "--bootstrap-servers", &address];
    let arguments = arguments.into_iter().chain(floor.split_whitespace());
    floor::measure(&Floor::parse_from(arguments).options)
}

#[test]
fn every_record_is_read_in_every_codec() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let report = read(
            &format!("--codec {codec} --records-per-partition 1000 --key-size 9 --headers 2"),
            "--records 3000",
        )
        .unwrap();
        assert_eq!((report.records, report.bytes), (3_000, 300_000), "{codec}");
        assert_eq!(report.checksum, 3_000 * u64::from(b'{'), "{codec}");
    }
}

#[test]
fn a_group_of_one_shares_the_topic_and_reads_all_of_it() {
    let arguments = ["replay", "--partitions", "3", "--records-per-partition", "1000"];
    let (stage, listener) = open(Replay::parse_from(arguments).options).unwrap();
    let address = format!("127.0.0.1:{}", stage.options.port);
    thread::spawn(move || serve(&stage, &listener));
    let arguments = ["ours", "--member", "--partitions", "3", "--records", "3000"];
    let arguments = arguments.into_iter().chain(["--bootstrap-servers", &address]);
    ours::run(&Ours::parse_from(arguments).options).unwrap();
}

#[test]
fn batches_cut_at_the_size_limit_are_asked_for_again() {
    let shape = "--records-per-partition 1000";
    let report = read(shape, "--records 3000 --partition-max-bytes 10000").unwrap();
    assert_eq!(report.records, 3_000);
    assert!(report.fetched_over_delivered > 1.5, "5,545 bytes a batch: each Fetch wastes 4,455");
    let whole = "--records-per-partition 1000 --whole-batches";
    let report = read(whole, "--records 3000 --partition-max-bytes 10000").unwrap();
    assert!(report.fetched_over_delivered < 1.1, "only the fields around batches are extra");
}

#[test]
fn a_batch_above_the_limit_comes_whole_when_it_is_first() {
    let report = read("--records-per-partition 100", "--records 300 --max-bytes 10").unwrap();
    assert_eq!(report.records, 300);
}

#[test]
fn a_topic_that_runs_out_is_an_error_that_says_how_far_it_went() {
    let error = read("--records-per-partition 100", "--records 301").unwrap_err();
    assert!(error.to_string().contains("300 of 301"), "{error}");
}
