//! Prints the records of a topic.

mod print;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use forebay::{
    Consumer, ConsumerHandle, Context, OffsetReset, Order, Outcome, Position, Record, TopicName,
    TopicPartition,
};

use self::print::{Printed, Printer};
use super::{Ending, Surroundings, connect, leftovers, runtime};
use crate::args::{Servers, parse};
use crate::error::CliError;

pub(crate) const AFTER: &str = "\
Examples:
  forebay consume orders --from beginning --bootstrap-servers localhost:9092
  forebay consume orders --group audit --max-messages 10 --output json \\
      --bootstrap-servers localhost:9092

As text, values are printed, one on each line. As JSON, each line has topic, partition, offset,
timestamp, key and value; bytes that are no UTF-8 stand as {\"hex\": \"..\"}. With a group, what was
printed is committed, and the next run goes on there.";

/// How often the time without records is looked at.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The topic to read
    topic: String,
    #[command(flatten)]
    servers: Servers,
    /// Where to begin: beginning, end or an offset; a group begins there only where it has
    /// committed nothing, unless it is an offset
    #[arg(long, value_name = "PLACE", default_value = "end", value_parser = parse::place)]
    from: parse::Place,
    /// Partitions, as 0-7 or 0,3,5-6 [default: all]
    #[arg(long, value_name = "LIST", value_parser = parse::partitions)]
    partitions: Option<parse::Partitions>,
    /// End after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// End when no record came for so long
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    idle_timeout: Option<Duration>,
    /// The group to commit under [default: nothing is committed]
    #[arg(long)]
    group: Option<String>,
}

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::with_threads(1)?.block_on(consume(options, around))
}

async fn consume(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let count = connect::partition_count(&options.servers, &options.topic).await?;
    let all = || (0..count).collect();
    let numbers = options.partitions.clone().map_or_else(all, |parse::Partitions(named)| named);
    let topic = TopicName::from(options.topic.as_str());
    let partitions: Vec<_> =
        numbers.into_iter().map(|number| TopicPartition::new(topic.clone(), number)).collect();
    let consumer = consumer(options, around, &partitions)?;
    let handle = consumer.handle();
    let printer = Arc::new(Printer::new(around.shared.output, options.max_messages));
    let ending = tokio::select! {
        ended = print_all(consumer, &printer, options, &partitions) => ended?,
        () = around.stop.requested() => Ending::Interrupted,
    };
    let summary = handle.close(around.shared.drain_timeout).await;
    if let Some(error) = printer.error() {
        return Err(error.into());
    }
    // Beyond the last record that was asked for, partitions end by refusing the next one.
    if !printer.is_full() {
        leftovers::tell(&summary);
        if let Some(cause) = &summary.cause {
            return Err(cause.clone().into());
        }
    }
    Ok(ending)
}

fn consumer(
    options: &Options,
    around: &Surroundings,
    partitions: &[TopicPartition],
) -> Result<Consumer, CliError> {
    let reset = match options.from {
        parse::Place::End => OffsetReset::Latest,
        parse::Place::Beginning | parse::Place::Offset(_) => OffsetReset::Earliest,
    };
    let consumer = Consumer::builder()
        .bootstrap_servers(&options.servers.bootstrap_servers)
        .assign(partitions.iter().cloned())
        .auto_offset_reset(reset)
        .order(Order::Partition)
        .drain_timeout(around.shared.drain_timeout);
    let consumer = match &options.group {
        Some(group) => consumer.group_id(group.as_str()),
        None => consumer,
    };
    Ok(consumer.build()?)
}

/// Prints until all that was asked for has been printed.
async fn print_all(
    consumer: Consumer,
    printer: &Arc<Printer>,
    options: &Options,
    partitions: &[TopicPartition],
) -> Result<Ending, CliError> {
    let handle = consumer.handle();
    connect::started(&handle, &options.servers, partitions).await?;
    if let parse::Place::Offset(offset) = options.from {
        for tp in partitions {
            handle.seek(tp.clone(), Position(offset)).await?;
        }
    }
    let shared = Arc::clone(printer);
    let handler = move |record: Record, _: Context| {
        let outcome = match shared.print(&record) {
            Ok(Printed::Yes) => Outcome::Done,
            Ok(Printed::IsFull) => Outcome::Fatal("no more records were asked for".into()),
            Err(error) => Outcome::Fatal(error.into()),
        };
        std::future::ready(outcome)
    };
    drop(tokio::spawn(consumer.run(handler)));
    until_done(&handle, printer, options).await
}

async fn until_done(
    handle: &ConsumerHandle,
    printer: &Printer,
    options: &Options,
) -> Result<Ending, CliError> {
    while !printer.is_over() {
        if options.idle_timeout.is_some_and(|limit| limit < printer.idle()) {
            break;
        }
        tokio::select! {
            () = printer.over() => break,
            () = tokio::time::sleep(LOOK) => {}
            summary = handle.ended() => {
                let cause = summary.cause.clone();
                return Err(cause.map_or(CliError::EndedEarly, CliError::from));
            }
        }
    }
    Ok(Ending::Done)
}
