//! The product through its public API: what do its ways to receive records cost, with commits on?

mod count;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use forebay::{
    Batch, Batches, Consumer, ConsumerBuilder, ConsumerHandle, Context, OffsetReset, Order, Record,
    Stats, Summary, TopicPartition,
};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, LocalSet};

use crate::error::Error;
use crate::meter::{self, Meter, as_f64};
use count::Counters;

/// A shutdown has this long for its last commit.
const CLOSE: Duration = Duration::from_secs(5);

/// How records are received.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Api {
    /// `run_batches`: borrowed records, a batch at a time.
    Batches,
    /// `run`: an owned record for each run of an async handler.
    Records,
    /// `stream`: batches that are pulled and acked.
    Stream,
    /// `run_batches_local`: as batches, all inside one future.
    Local,
}

/// What is read, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    bootstrap_servers: String,
    #[arg(long, default_value = "t")]
    topic: String,
    /// Partitions 0 to this number, less one.
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    /// Records after which it ends, an equal share of each partition.
    #[arg(long)]
    records: u64,
    #[arg(long, value_enum, default_value = "batches")]
    api: Api,
    /// Join a group that shares the topic, in place of taking its partitions.
    #[arg(long)]
    member: bool,
    /// Threads of the runtime; 1 is a `current_thread` one.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Bytes that may be fetched and not yet let go of.
    #[arg(long, default_value_t = 128 << 20)]
    budget: usize,
    /// Milliseconds that each run of a record's handler waits before it lets the record go.
    #[arg(long, default_value_t = 0)]
    hold: u64,
    /// Handlers at once, in any order; without it in the partition's order.
    #[arg(long)]
    unordered: Option<usize>,
    /// End after so many seconds, whatever has come.
    #[arg(long)]
    seconds: Option<u64>,
    /// Seconds to wait twice: before records are asked for and memory is looked at, and again
    /// before the processor's share is taken.
    #[arg(long, default_value_t = 0)]
    settle: u64,
    /// Keep the process on this core.
    #[arg(long)]
    core: Option<usize>,
    /// Write the consumer's own view of its partitions to this file at the end.
    #[arg(long)]
    stats: Option<PathBuf>,
}

/// The line of this client.
#[derive(Debug, Serialize)]
struct Report {
    client: String,
    records: u64,
    bytes: u64,
    checksum: u64,
    wall_s: f64,
    cpu_s: f64,
    cpu_ns_per_record: f64,
    peak_rss_bytes: u64,
    /// Resident memory before the first record was asked for.
    settled_rss_bytes: u64,
    /// Processor time by wall time from the settling to the last record.
    cpu_share: f64,
    budget_bytes: u64,
    budget_peak_bytes: u64,
    fetched_over_delivered: f64,
    fetches: u64,
    reservoir_empty_s: f64,
    /// Records that the coordinator knows as done.
    committed: u64,
}

/// Reads the records and prints one line of JSON.
///
/// # Errors
///
/// When the consumer cannot start or ends by itself.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    if let Some(core) = options.core {
        meter::pin(core)?;
    }
    let meter = Meter::start();
    let runtime = runtime(options.workers)?;
    let report = LocalSet::new().block_on(&runtime, measure(options, &meter))?;
    let line = serde_json::to_string(&report)
        .map_err(|source| Error::io("write the result")(source.into()))?;
    println!("{line}");
    Ok(())
}

fn runtime(workers: usize) -> Result<Runtime, Error> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().map_err(Error::io("start a runtime"))
}

async fn measure(options: &Options, meter: &Meter) -> Result<Report, Error> {
    let consumer = builder(options).build()?;
    let handle = consumer.handle();
    // It lives as long as the process, so that handlers share it without counting references.
    let counters: &'static Counters =
        Box::leak(Box::new(Counters::new(options.partitions, options.records)));
    settle(options).await;
    let rss = meter::rss();
    let running = start(consumer, counters, options);
    settle(options).await;
    let (cpu, since) = (meter::cpu(), Meter::start());
    let stats = wait(&handle, counters, options).await?;
    let wall = meter.wall();
    let busy = meter::cpu().saturating_sub(cpu).as_secs_f64() / since.wall().as_secs_f64();
    let summary = handle.close(CLOSE).await;
    running.await.map_err(|_| Error::Usage("the consumer's task panicked"))?;
    if let Some(cause) = &summary.cause {
        return Err(cause.clone().into());
    }
    if let Some(path) = &options.stats {
        std::fs::write(path, format!("{stats:#?}\n")).map_err(Error::io("write the stats"))?;
    }
    Ok(report(options, (counters, &stats, &summary), Seen { wall, rss, busy }))
}

fn builder(options: &Options) -> ConsumerBuilder {
    let topic = options.topic.as_str();
    let consumer = Consumer::builder()
        .bootstrap_servers(&options.bootstrap_servers)
        .group_id(fresh_group())
        .auto_offset_reset(OffsetReset::Earliest)
        .budget_bytes(options.budget);
    let consumer = if options.member {
        consumer.topics([topic])
    } else {
        consumer.assign((0..options.partitions).map(|number| TopicPartition::new(topic, number)))
    };
    match options.unordered {
        Some(handlers) => consumer.order(Order::Unordered).concurrency(handlers),
        None => consumer,
    }
}

/// A name that no broker has seen: reading starts at the beginning.
fn fresh_group() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("bench-{}", now.as_nanos())
}

/// What is known before the consumer is closed.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// To the last record.
    wall: Duration,
    /// Resident bytes before the first record was asked for.
    rss: u64,
    /// The share of a core since the settling.
    busy: f64,
}

async fn settle(options: &Options) {
    if options.settle > 0 {
        tokio::time::sleep(Duration::from_secs(options.settle)).await;
    }
}

/// Starts the consumer with a handler that counts; its end is known by the handle.
fn start(
    consumer: Consumer,
    counters: &'static Counters,
    options: &Options,
) -> JoinHandle<Option<Summary>> {
    let batches = async |batch: Batch, _: Context| counters.batch(&batch);
    let hold = Duration::from_millis(options.hold);
    match options.api {
        Api::Batches => tokio::spawn(async move { consumer.run_batches(batches).await.ok() }),
        Api::Local => {
            tokio::task::spawn_local(async move { consumer.run_batches_local(batches).await.ok() })
        }
        Api::Stream => tokio::spawn(pull(consumer.stream(), counters)),
        Api::Records if hold.is_zero() => {
            let record = async |record: Record, _: Context| counters.record(&record);
            tokio::spawn(async move { consumer.run(record).await.ok() })
        }
        Api::Records => {
            let record = move |record: Record, _: Context| async move {
                tokio::time::sleep(hold).await;
                counters.record(&record);
            };
            tokio::spawn(async move { consumer.run(record).await.ok() })
        }
    }
}

async fn pull(mut batches: Batches, counters: &Counters) -> Option<Summary> {
    while let Some(Ok(batch)) = batches.next().await {
        counters.batch(&batch);
        if batch.ack().is_err() {
            return None;
        }
    }
    None
}

/// Waits until every partition has given its share, the time is up, or the consumer has ended.
async fn wait(
    handle: &ConsumerHandle,
    counters: &Counters,
    options: &Options,
) -> Result<Stats, Error> {
    let limit = options.seconds.map_or(Duration::MAX, Duration::from_secs);
    tokio::select! {
        () = counters.complete() => {}
        () = tokio::time::sleep(limit) => {}
        summary = handle.ended() => {
            let cause = summary.cause.clone();
            return Err(cause.map_or(Error::Usage("the consumer ended early"), Error::from));
        }
    }
    Ok(handle.stats().await?)
}

fn report(
    options: &Options,
    (counters, stats, summary): (&Counters, &Stats, &Summary),
    seen: Seen,
) -> Report {
    let total = counters.total();
    let cpu = meter::cpu();
    let committed = summary.partitions.iter().filter_map(|partition| partition.committed);
    Report {
        client: format!("forebay {}{:?}", if options.member { "member " } else { "" }, options.api)
            .to_lowercase(),
        records: total.records,
        bytes: total.bytes,
        checksum: total.checksum,
        wall_s: seen.wall.as_secs_f64(),
        cpu_s: cpu.as_secs_f64(),
        cpu_ns_per_record: cpu.as_secs_f64() * 1e9 / as_f64(total.records.max(1)),
        peak_rss_bytes: meter::peak_rss(),
        settled_rss_bytes: seen.rss,
        cpu_share: seen.busy,
        budget_bytes: stats.budget_bytes,
        budget_peak_bytes: stats.held_bytes_peak,
        fetched_over_delivered: as_f64(stats.bytes_read) / as_f64(stats.bytes_delivered.max(1)),
        fetches: stats.fetches,
        reservoir_empty_s: stats.reservoir_empty.as_secs_f64(),
        committed: committed.map(|position| position.0.cast_unsigned()).sum(),
    }
}
