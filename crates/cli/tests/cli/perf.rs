//! Are the figures there, and do those that can be known hold?

use serde_json::Value;

use crate::program::{Cluster, Ended, forebay};

const RECORDS: i32 = 30_000;
const PARTITIONS: i32 = 3;

fn consume(cluster: &Cluster, more: &[&str]) -> Ended {
    let records = RECORDS.to_string();
    let common = ["perf", "consume", "--topic", "t", "--records", &records, "--output", "json"];
    forebay(&[&common[..], &["--bootstrap-servers", cluster.servers()], more].concat())
}

fn figures(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn every_way_to_consume_prints_its_figures() {
    let cluster = Cluster::with_records(PARTITIONS, RECORDS);
    let ways: [&[&str]; 6] = [
        &["--api", "batches"],
        &["--api", "records"],
        &["--api", "stream"],
        &["--api", "batches", "--workers", "2"],
        &["--api", "records", "--threads", "1", "--workers", "2", "--order", "unordered"],
        &["--partitions", "0-2", "--budget-bytes", "8MiB"],
    ];
    for way in ways {
        let told = figures(&consume(&cluster, way));
        assert_eq!(told["records"], RECORDS, "{way:?}");
        assert_eq!(told["bytes"], RECORDS * 10, "{way:?}");
        assert_eq!(told["checksum"], RECORDS * i32::from(b'0'), "{way:?}");
        for positive in ["wall_s", "cpu_s", "cpu_ns_per_record", "fetches"] {
            assert!(0.0 < told[positive].as_f64().unwrap(), "{way:?}: {positive}");
        }
        let peak = told["peak_rss_bytes"].as_u64().unwrap();
        assert!(told["rss_after_connect_bytes"].as_u64().unwrap() <= peak);
        assert!((0.99..1.1).contains(&told["fetched_over_delivered"].as_f64().unwrap()));
        assert!(0.0 <= told["reservoir_empty_s"].as_f64().unwrap());
    }
}

#[test]
fn what_was_read_is_committed_under_the_group_that_was_named() {
    let cluster = Cluster::with_records(PARTITIONS, RECORDS);
    let told = figures(&consume(&cluster, &["--group", "g", "--api", "records"]));
    assert_eq!(told["committed"], RECORDS);
    assert_eq!(cluster.committed("g", PARTITIONS), i64::from(RECORDS));
}

#[test]
fn handlers_that_hold_their_records_run_at_once() {
    let cluster = Cluster::with_records(PARTITIONS, RECORDS);
    let hold = ["--hold-ms", "20", "--concurrency", "2000", "--order", "unordered"];
    let told = figures(&consume(&cluster, &[&hold[..], &["--api", "records"]].concat()));
    // One after the other would take ten minutes.
    assert!(told["wall_s"].as_f64().unwrap() < 30.0);
    assert_eq!(told["committed"], RECORDS);
}

#[test]
fn a_topic_with_too_few_records_is_an_error_that_says_so() {
    let cluster = Cluster::with_records(1, 10);
    let ended = consume(&cluster, &["--idle-timeout", "300ms"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("t gave 10 of 30000 records"), "{}", ended.stderr);
}

#[test]
fn what_does_not_exist_is_named() {
    let cluster = Cluster::with_records(1, 1);
    let servers = cluster.servers();
    let topic = ["perf", "consume", "--records", "1", "--connect-timeout", "1s", "--topic"];
    let other = [&topic[..], &["other", "--bootstrap-servers", servers]].concat();
    for more in [&[][..], &["--partitions", "0"]] {
        let ended = forebay(&[&other, more].concat());
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("topic other does not exist"), "{}", ended.stderr);
    }
    let here = [&topic[..], &["t", "--bootstrap-servers", servers, "--partitions", "0-1"]].concat();
    let ended = forebay(&here);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("t-1 does not exist: the topic has 1"), "{}", ended.stderr);
}

fn produce(cluster: &Cluster, more: &[&str]) -> Ended {
    let common = ["perf", "produce", "--topic", "t", "--output", "json"];
    forebay(&[&common[..], &["--bootstrap-servers", cluster.servers()], more].concat())
}

#[test]
fn producing_tells_its_price_and_every_record_is_there() {
    let cluster = Cluster::with_records(PARTITIONS, 3);
    let ways: [&[&str]; 3] = [
        &["--records", "20000", "--record-size", "100"],
        &["--records", "20000", "--record-size", "10", "--compression", "lz4"],
        &["--records", "20000", "--batch-size", "4KiB", "--linger-ms", "1"],
    ];
    for (way, size) in ways.iter().zip([100, 10, 100]) {
        let told = figures(&produce(&cluster, way));
        assert_eq!((&told["records"], &told["bytes"]), (&20_000.into(), &(20_000 * size).into()));
        for positive in ["wall_s", "cpu_s", "cpu_ns_per_record", "peak_rss_bytes"] {
            assert!(0.0 < told[positive].as_f64().unwrap(), "{way:?}: {positive}");
        }
        assert_eq!(told["latencies"], 20);
    }
    let all = ["perf", "consume", "--topic", "t", "--records", "60003", "--output", "json"];
    let read = forebay(&[&all[..], &["--bootstrap-servers", cluster.servers()]].concat());
    assert_eq!(figures(&read)["records"], 60_003);
}

#[test]
fn with_a_rate_producing_takes_its_time_and_times_every_record() {
    let cluster = Cluster::with_records(PARTITIONS, 3);
    let told =
        figures(&produce(&cluster, &["--records", "1001", "--rate", "1000", "--linger-ms", "0"]));
    assert!(1.0 <= told["wall_s"].as_f64().unwrap());
    assert_eq!(told["latencies"], 1000);
    let at = |name: &str| told[name].as_u64().unwrap();
    assert!(0 < at("latency_p50_us") && at("latency_p50_us") <= at("latency_p99_us"));
    assert!(at("latency_p99_us") <= at("latency_p999_us"));
    assert!(at("latency_p999_us") <= at("latency_max_us"));
}

#[test]
fn a_file_with_less_than_one_value_is_an_error_that_says_so() {
    let cluster = Cluster::with_records(1, 3);
    let path = std::env::temp_dir().join(format!("forebay-values-{}", std::process::id()));
    std::fs::write(&path, [b'x'; 99]).unwrap();
    let values = ["--records", "5", "--values", path.to_str().unwrap()];
    let ended = produce(&cluster, &values);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("holds 99 bytes, less than one value of 100"),
        "{}",
        ended.stderr
    );
    let told = figures(&produce(&cluster, &[&values[..], &["--record-size", "33"]].concat()));
    assert_eq!(told["bytes"], 165);
    std::fs::remove_file(path).unwrap();
}
