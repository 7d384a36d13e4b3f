//! What does it cost to consume? (What producing costs: [`produce`].) Reads a topic through the public API, with commits on, and tells
//! the price of a record.

mod count;
mod latency;
mod payload;
pub(crate) mod produce;
mod report;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use forebay::config::ClientKind;
use forebay::{
    Batch, Batches, Consumer, ConsumerBuilder, ConsumerHandle, Context, OffsetReset, Order, Record,
    TopicName, TopicPartition,
};

use self::count::Counters;
use self::report::{Figures, Report};
use super::watch::{Look, Watch};
use super::{Ending, Surroundings, connect, leftovers, runtime};
use crate::args::{Servers, parse};
use crate::error::CliError;
use crate::meter::{self, Meter};

pub(crate) const AFTER: &str = "\
Examples:
  forebay perf consume --topic orders --records 1000000 --bootstrap-servers localhost:9092
  forebay perf consume --topic orders --records 1000000 --bootstrap-servers localhost:9092 \\
      --api records --order unordered --concurrency 1000 --hold-ms 10 --output json

Processor time is the whole process's, from before the client is made to the last record. Each
value's length and first byte are read. Offsets are committed meanwhile, under a group of its own
unless one is named.";

/// How records are received.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Api {
    /// Borrowed records, a batch at a time: `run_batches`
    Batches,
    /// One owned record for each run of an async handler: `run`
    Records,
    /// Batches that are pulled and acked: `stream`
    Stream,
}

/// In which order records of a partition run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum OrderChoice {
    Partition,
    Unordered,
}

/// What is read, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    servers: Servers,
    /// The topic to read from its beginning
    #[arg(long)]
    topic: String,
    /// End after so many records; those that are in hand then are counted too
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// How records are received
    #[arg(long, value_enum, default_value_t = Api::Batches)]
    api: Api,
    /// Partitions, as 0-7 or 0,3,5-6 [default: all]
    #[arg(long, value_name = "LIST", value_parser = parse::partitions)]
    partitions: Option<parse::Partitions>,
    /// Workers that partitions are spread over [default: as many as threads]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Threads of the runtime [default: as many as workers were asked for, else 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The group to commit under [default: a new one]
    #[arg(long)]
    group: Option<String>,
    /// Bytes that may be fetched and not yet let go of, as 128MiB
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse::size)]
    budget_bytes: usize,
    /// Milliseconds that each run of a handler keeps its record or batch
    #[arg(long, value_name = "MS", default_value_t = 0)]
    hold_ms: u64,
    /// Handlers at once, over all partitions
    #[arg(long, value_name = "N", default_value_t = 64)]
    concurrency: usize,
    /// In which order records of a partition run
    #[arg(long, value_enum, default_value_t = OrderChoice::Partition)]
    order: OrderChoice,
    /// Fail when no record came for so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse::time)]
    idle_timeout: Duration,
}

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let threads = options.threads.or(options.workers).unwrap_or(1);
    runtime::with_threads(threads)?.block_on(measure(options, around))
}

async fn measure(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let partitions = partitions(options).await?;
    let counters = Counters::of_process(&partitions);
    let meter = Meter::start();
    let consumer = builder(options, around, &partitions)?.build()?;
    let handle = consumer.handle();
    tokio::select! {
        started = connect::started(&handle, &options.servers, &partitions) => started?,
        () = around.stop.requested() => return Ok(Ending::Interrupted),
    }
    let settled_rss = meter::rss();
    start(consumer, counters, options);
    let read = wait(&handle, counters, options, around).await?;
    let (used, peak_rss) = (meter.used(), meter::peak_rss());
    let stats = handle.stats().await?;
    let summary = handle.close(around.shared.drain_timeout).await;
    let figures = Figures { counted: counters.total(), used, settled_rss, peak_rss };
    Report::new(&figures, &stats, &summary).show(around.shared.output)?;
    leftovers::tell(&summary);
    match &summary.cause {
        Some(cause) => Err(cause.clone().into()),
        None => Ok(read),
    }
}

/// Those that were named, or all of the topic's.
async fn partitions(options: &Options) -> Result<Vec<TopicPartition>, CliError> {
    let numbers = match &options.partitions {
        Some(parse::Partitions(numbers)) => numbers.clone(),
        None => (0..connect::partition_count(&options.servers, &options.topic).await?).collect(),
    };
    let topic = TopicName::from(options.topic.as_str());
    Ok(numbers.into_iter().map(|number| TopicPartition::new(topic.clone(), number)).collect())
}

fn builder(
    options: &Options,
    around: &Surroundings,
    partitions: &[TopicPartition],
) -> Result<ConsumerBuilder, CliError> {
    let group = options.group.clone().unwrap_or_else(fresh_group);
    let consumer = Consumer::builder()
        .properties(&connect::settings(&options.servers, ClientKind::Consumer)?)
        .group_id(group)
        .assign(partitions.iter().cloned())
        .auto_offset_reset(OffsetReset::Earliest)
        .budget_bytes(options.budget_bytes)
        .concurrency(options.concurrency)
        .drain_timeout(around.shared.drain_timeout)
        .order(match options.order {
            OrderChoice::Partition => Order::Partition,
            OrderChoice::Unordered => Order::Unordered,
        });
    Ok(match options.workers {
        Some(workers) => consumer.workers(workers),
        None => consumer,
    })
}

/// A name that no broker has seen: reading starts at the beginning.
fn fresh_group() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("forebay-perf-{}", now.as_nanos())
}

/// Starts the consumer with a handler that counts; how it ends is known by its handle.
fn start(consumer: Consumer, counters: &'static Counters, options: &Options) {
    let hold = Duration::from_millis(options.hold_ms);
    let running = match (options.api, hold.is_zero()) {
        (Api::Batches, true) => tokio::spawn(async move {
            let handler = async |batch: Batch, _: Context| counters.batch(&batch);
            consumer.run_batches(handler).await.map(drop)
        }),
        (Api::Batches, false) => tokio::spawn(async move {
            let handler = move |batch: Batch, _: Context| async move {
                tokio::time::sleep(hold).await;
                counters.batch(&batch);
            };
            consumer.run_batches(handler).await.map(drop)
        }),
        (Api::Records, true) => tokio::spawn(async move {
            let handler = async |record: Record, _: Context| counters.record(&record);
            consumer.run(handler).await.map(drop)
        }),
        (Api::Records, false) => tokio::spawn(async move {
            let handler = move |record: Record, _: Context| async move {
                tokio::time::sleep(hold).await;
                counters.record(&record);
            };
            consumer.run(handler).await.map(drop)
        }),
        (Api::Stream, _) => tokio::spawn(pull(consumer.stream(), counters, hold)),
    };
    drop(running);
}

async fn pull(
    mut batches: Batches,
    counters: &Counters,
    hold: Duration,
) -> Result<(), forebay::Error> {
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        counters.batch(&batch);
        // A partition that was lost shows in the summary.
        batch.ack().ok();
    }
    Ok(())
}

/// Waits until enough has come, looking more often as the end comes nearer.
async fn wait(
    handle: &ConsumerHandle,
    counters: &Counters,
    options: &Options,
    around: &Surroundings,
) -> Result<Ending, CliError> {
    let mut watch = Watch::new(options.records);
    loop {
        let Look::Again(pause) = watch.look(counters.total().records) else {
            return Ok(Ending::Done);
        };
        if options.idle_timeout < watch.idle() {
            let (found, after) = (watch.seen(), options.idle_timeout);
            let (topic, wanted) = (options.topic.clone(), options.records);
            return Err(CliError::RanDry { topic, found, wanted, after });
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = around.stop.requested() => return Ok(Ending::Interrupted),
            summary = handle.ended() => {
                let cause = summary.cause.clone();
                return Err(cause.map_or(CliError::EndedEarly, CliError::from));
            }
        }
    }
}
