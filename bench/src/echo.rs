//! How long does a record take through the product, from when it was due until a handler has it?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use forebay::{Batch, Consumer, Context, OffsetReset, Producer, ProducerRecord, TopicPartition};
use serde::Serialize;

use crate::error::Error;
use crate::meter;

/// The first records warm caches and connections up.
const WARM: usize = 1000;
/// Until the first record is due.
const LEAD: Duration = Duration::from_secs(2);
/// How often it is looked whether all have come.
const LOOK: Duration = Duration::from_millis(50);

/// What is sent.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    bootstrap_servers: String,
    #[arg(long)]
    topic: String,
    #[arg(long)]
    records: u64,
    #[arg(long, default_value_t = 100)]
    record_size: usize,
    /// Records per second.
    #[arg(long)]
    rate: u32,
    /// Milliseconds that a batch waits for more records.
    #[arg(long, default_value_t = 0)]
    linger_ms: u64,
    /// Partitions 0 to this number, less one.
    #[arg(long, default_value_t = 8)]
    partitions: i32,
}

#[derive(Debug, Serialize)]
struct Report {
    client: &'static str,
    records: u64,
    wall_s: f64,
    cpu_s: f64,
    peak_rss_bytes: u64,
    latencies: usize,
    latency_p50_us: f64,
    latency_p99_us: f64,
    latency_p999_us: f64,
    latency_max_us: f64,
}

/// Latencies in nanoseconds, in the order of arrival.
type Seen = Arc<Mutex<Vec<u32>>>;

/// Sends at the rate, reads all of it and prints one line of JSON.
///
/// # Errors
///
/// When a client cannot start, or a record is not stored.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let meter = meter::Meter::start();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(Error::io("start a runtime"))?;
    let begun = Instant::now() + LEAD;
    let seen = Seen::default();
    runtime.block_on(listen(options, begun, &seen))?;
    let producer = Producer::builder()
        .bootstrap_servers(&options.bootstrap_servers)
        .linger(Duration::from_millis(options.linger_ms))
        .build()?;
    let mut value = vec![b'x'; options.record_size.max(8)];
    for number in 0..options.records {
        let after = Duration::from_secs_f64(meter::as_f64(number) / f64::from(options.rate));
        let early = (begun + after).saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        let due = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX).to_le_bytes();
        if let Some(place) = value.first_chunk_mut() {
            *place = due;
        }
        runtime.block_on(producer.send(ProducerRecord::new(&options.topic, &value)))?;
    }
    runtime.block_on(producer.flush())?;
    while lock(&seen).len() < usize::try_from(options.records).unwrap_or(usize::MAX) {
        std::thread::sleep(LOOK);
    }
    let report = report(options, meter.wall(), &lock(&seen));
    println!("{}", serde_json::to_string(&report).unwrap_or_default());
    std::process::exit(0);
}

/// Begins to read, and returns when the positions are known.
async fn listen(options: &Options, begun: Instant, seen: &Seen) -> Result<(), Error> {
    let topic = options.topic.as_str();
    let all = (0..options.partitions).map(|number| TopicPartition::new(topic, number));
    let consumer = Consumer::builder()
        .bootstrap_servers(&options.bootstrap_servers)
        .group_id(format!("echo-{}", std::process::id()))
        .assign(all.clone())
        .auto_offset_reset(OffsetReset::Latest)
        .build()?;
    let handle = consumer.handle();
    let seen = Arc::clone(seen);
    drop(tokio::spawn(async move {
        let handler = move |batch: Batch, _: Context| {
            let now = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let mut seen = lock(&seen);
            for record in batch.records() {
                let due = record.value.and_then(|it| it.first_chunk()).map_or(0, due);
                seen.push(u32::try_from(now.saturating_sub(due)).unwrap_or(u32::MAX));
            }
            std::future::ready(())
        };
        consumer.run_batches(handler).await.ok();
    }));
    for tp in all {
        while handle.position(tp.clone()).await?.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

fn lock(seen: &Seen) -> std::sync::MutexGuard<'_, Vec<u32>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn due(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

fn report(options: &Options, wall: Duration, seen: &[u32]) -> Report {
    let mut counted = seen.get(WARM..).unwrap_or_default().to_vec();
    counted.sort_unstable();
    let at = |thousandth: usize| {
        let rank = (counted.len() * thousandth).div_ceil(1000).saturating_sub(1);
        f64::from(counted.get(rank).copied().unwrap_or(0)) / 1e3
    };
    Report {
        client: "forebay echo",
        records: options.records,
        wall_s: wall.as_secs_f64(),
        cpu_s: meter::cpu().as_secs_f64(),
        peak_rss_bytes: meter::peak_rss(),
        latencies: counted.len(),
        latency_p50_us: at(500),
        latency_p99_us: at(990),
        latency_p999_us: at(999),
        latency_max_us: at(1000),
    }
}
