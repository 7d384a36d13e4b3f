//! Prints the records of a topic.

pub(crate) mod format;
mod print;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use forebay::admin::OffsetSpec;
use forebay::config::ClientKind;
use forebay::{
    Consumer, ConsumerHandle, Context, OffsetReset, Order, Outcome, Position, Record, TopicName,
    TopicPartition,
};

use self::format::Template;
use self::print::{Look, Printed, Printer};
use super::{Ending, Surroundings, connect, leftovers, runtime};
use crate::args::{Servers, parse};
use crate::error::CliError;

pub(crate) const AFTER: &str = "\
Examples:
  forebay consume orders --from beginning --bootstrap-servers localhost:9092
  forebay consume orders --from 15m --format '%t %p %o %k:%v\\n' --bootstrap-servers localhost:9092
  forebay consume orders --group billing --from beginning --bootstrap-servers localhost:9092
  forebay consume orders --commit-as audit --max-messages 10 --output json --config consumer.properties

As text, values are printed, one on each line. As JSON, each line has topic, partition, offset,
timestamp, key, value and headers; bytes that are no UTF-8 stand as {\"hex\": \"..\"}. As hex, each
line has topic-partition@offset, key and value; what is not there is a dash.

Letters of --format, as kcat has them: %t topic, %p partition, %o offset, %T timestamp in
milliseconds, %k key, %K its length, %s or %v value, %S its length, %R the same in four bytes,
%h headers, %% a percent sign; \\n \\r \\t \\0 \\xHH characters. Nothing is added at a record's end.

With --commit-as, what was printed is committed under that group, and the next run goes on there.";

/// How often the time without records is looked at.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The topic to read
    topic: String,
    #[command(flatten)]
    servers: Servers,
    /// Where to begin: beginning, end, an offset, a time as 2026-01-31T12:00:00Z, or an age as 15m
    ///
    /// With --commit-as, partitions with a committed offset go on there; an offset, a time or an
    /// age counts more.
    #[arg(long, value_name = "PLACE", default_value = "end", value_parser = parse::place,
          allow_negative_numbers = true)]
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
    /// Join this group and share the topic's partitions with its other members
    ///
    /// What was printed is committed under it. --from counts where it has committed nothing.
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["commit_as", "partitions"])]
    group: Option<String>,
    /// The group to commit under [default: nothing is committed]
    #[arg(long, value_name = "GROUP")]
    commit_as: Option<String>,
    /// How each record is printed, with kcat's letters: see below
    #[arg(long, value_name = "FORMAT", value_parser = Template::read, conflicts_with = "output")]
    format: Option<Template>,
}

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::with_threads(1)?.block_on(consume(options, around))
}

async fn consume(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let is_exact = matches!(options.from, parse::Place::Offset(_) | parse::Place::Time(_));
    if options.group.is_some() && is_exact {
        return Err(CliError::PlaceInGroup);
    }
    let count = connect::partition_count(&options.servers, &options.topic).await?;
    let all = || (0..count).collect();
    let numbers = options.partitions.clone().map_or_else(all, |parse::Partitions(named)| named);
    let topic = TopicName::from(options.topic.as_str());
    let partitions: Vec<_> =
        numbers.into_iter().map(|number| TopicPartition::new(topic.clone(), number)).collect();
    let consumer = consumer(options, around, &partitions)?;
    let handle = consumer.handle();
    let look = Look::of(around.shared.output, options.format.as_ref());
    let printer = Arc::new(Printer::new(look, options.max_messages));
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
        parse::Place::Since(age) if options.group.is_some() => OffsetReset::ByDuration(age),
        parse::Place::Beginning
        | parse::Place::Offset(_)
        | parse::Place::Time(_)
        | parse::Place::Since(_) => OffsetReset::Earliest,
    };
    // What a file says of a group is for programs: here nothing is committed unless it is asked for.
    let mut settings = connect::settings(&options.servers, ClientKind::Consumer)?;
    for key in ["group.id", "group_id"] {
        drop(settings.take(key));
    }
    let consumer = Consumer::builder()
        .properties(&settings)
        .auto_offset_reset(reset)
        .order(Order::Partition)
        .drain_timeout(around.shared.drain_timeout);
    let consumer = match (&options.group, &options.commit_as) {
        (Some(group), _) => consumer.group_id(group.as_str()).topics([options.topic.as_str()]),
        (None, Some(group)) => consumer.group_id(group.as_str()).assign(partitions.iter().cloned()),
        (None, None) => consumer.assign(partitions.iter().cloned()),
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
    // Who joins a group gets what the group gives, from where it stands.
    if options.group.is_none() {
        connect::started(&handle, &options.servers, partitions).await?;
        for (tp, position) in places(options, partitions).await? {
            handle.seek(tp, position).await?;
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

/// Where partitions begin, if neither the group nor the reset policy says so. Where no record is
/// as young as was asked for, it is the end.
async fn places(
    options: &Options,
    partitions: &[TopicPartition],
) -> Result<Vec<(TopicPartition, Position)>, CliError> {
    let spec = match options.from {
        parse::Place::Beginning | parse::Place::End => return Ok(Vec::new()),
        parse::Place::Offset(offset) => {
            return Ok(partitions.iter().map(|tp| (tp.clone(), Position(offset))).collect());
        }
        parse::Place::Time(millis) => OffsetSpec::At(millis),
        parse::Place::Since(age) => OffsetSpec::Since(age),
    };
    let admin = connect::admin(&options.servers)?;
    let mut ends = admin.list_offsets(partitions, OffsetSpec::Latest).await?;
    let mut places = Vec::with_capacity(partitions.len());
    for (tp, found) in admin.list_offsets(partitions, spec).await? {
        let mut offset = found?.offset;
        if let (true, Some(end)) = (offset.0 < 0, ends.remove(&tp)) {
            offset = end?.offset;
        }
        places.push((tp, Position(offset.0)));
    }
    Ok(places)
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
                // Partitions end by refusing what nobody wants to see any more.
                if printer.is_over() {
                    break;
                }
                let cause = summary.cause.clone();
                return Err(cause.map_or(CliError::EndedEarly, CliError::from));
            }
        }
    }
    Ok(Ending::Done)
}
