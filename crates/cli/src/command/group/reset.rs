//! Where is a group to go on? Said first, done only when asked.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{ArgGroup, Args};
use forebay::admin::{CommittedOffset, OffsetSpec};
use forebay::{Admin, LeaderEpoch, Position, TopicName, TopicPartition};
use serde::Serialize;

use crate::args::{Format, Servers, parse};
use crate::command::connect;
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Examples:
  forebay group reset-offsets billing --topic orders --to beginning --bootstrap-servers localhost:9092
  forebay group reset-offsets billing --topic orders --to 2026-01-31T12:00:00Z --execute \\
      --bootstrap-servers localhost:9092
  forebay group reset-offsets billing --shift -100 --execute --bootstrap-servers localhost:9092
  forebay group reset-offsets billing --from-group audit --execute --bootstrap-servers localhost:9092

Without --topic it is about all partitions that the group, or the one it is taken from, has
committed for. Places outside the log become its nearest end. A group with live members is left
alone: they would commit their own positions again.";

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("place").required(true).args(["to", "shift", "from_group"]))]
pub(crate) struct Options {
    /// The group
    group: String,
    /// A topic, all its partitions; may be repeated
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Where: beginning, end, an offset, a time as 2026-01-31T12:00:00Z, or an age as 15m
    #[arg(long, value_name = "PLACE", value_parser = parse::place, allow_negative_numbers = true)]
    to: Option<parse::Place>,
    /// So many records on from what is committed, or back when negative
    #[arg(long, value_name = "N", value_parser = parse::shift, allow_hyphen_values = true)]
    shift: Option<i64>,
    /// Where another group stands
    #[arg(long, value_name = "GROUP")]
    from_group: Option<String>,
    /// Do it
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    servers: Servers,
}

#[derive(Debug, Serialize)]
struct Move {
    topic: String,
    partition: i32,
    from: Option<i64>,
    to: i64,
}

type Committed = BTreeMap<TopicPartition, CommittedOffset>;

pub(super) async fn run(options: &Options, format: Format) -> Result<(), CliError> {
    let admin = connect::admin(&options.servers)?;
    refuse_live(&admin, &options.group).await?;
    let committed = admin.group_offsets(&options.group).await?;
    let targets = targets(&admin, options, &committed).await?;
    if targets.is_empty() {
        return Err(nothing(options));
    }
    let moves = targets.iter().map(|(tp, to)| Move {
        topic: tp.topic.as_str().to_owned(),
        partition: tp.partition,
        from: committed.get(tp).map(|it| it.position.0),
        to: to.position.0,
    });
    show(&moves.collect::<Vec<_>>(), format)?;
    if options.execute {
        admin.commit_offsets(&options.group, &targets).await?;
    } else if format == Format::Text {
        output::line("nothing was changed; --execute does it")?;
    }
    Ok(())
}

/// Why no partition is to be moved.
fn nothing(options: &Options) -> CliError {
    let (group, advice) = match (&options.from_group, options.shift) {
        (Some(other), _) => (other, "take a group that has, or --to"),
        (None, Some(_)) => (&options.group, "there is nothing to shift: take --to with --topic"),
        (None, None) => (&options.group, "name topics with --topic"),
    };
    let names = options.topic.join(", ");
    let named = if names.is_empty() { names } else { format!(" in {names}") };
    CliError::NothingToReset { group: group.clone(), named, advice }
}

/// A group that does not exist yet may be given offsets.
async fn refuse_live(admin: &Admin, group: &str) -> Result<(), CliError> {
    match admin.describe_group(group).await {
        Ok(described) if described.members.is_empty() => Ok(()),
        Ok(described) => {
            let members = described.members.len();
            Err(CliError::LiveGroup { group: group.to_owned(), members })
        }
        Err(error) if super::is_unknown(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn targets(
    admin: &Admin,
    options: &Options,
    committed: &Committed,
) -> Result<Committed, CliError> {
    let other = match &options.from_group {
        Some(group) => Some(admin.group_offsets(group).await?),
        None => None,
    };
    let (source, from) = match (&other, &options.from_group) {
        (Some(other), Some(group)) => (other, group),
        _ => (committed, &options.group),
    };
    let partitions = partitions(admin, options, source).await?;
    if options.to.is_none() {
        tell_left_out(from, partitions.iter().filter(|tp| !source.contains_key(tp)));
    }
    let wanted = match (&other, options.shift, options.to) {
        (Some(other), _, _) => places(&partitions, |tp| other.get(tp).copied()),
        (None, Some(shift), _) => places(&partitions, |tp| {
            Some(Position(committed.get(tp)?.position.0.saturating_add(shift)).into())
        }),
        (None, None, Some(parse::Place::Offset(offset))) => {
            places(&partitions, |_| Some(Position(offset).into()))
        }
        (None, None, place) => listed(admin, &partitions, spec(place)).await?,
    };
    within_logs(admin, &partitions, wanted).await
}

/// Partitions that were asked for and have no place to be moved from.
fn tell_left_out<'a>(group: &str, left_out: impl Iterator<Item = &'a TopicPartition>) {
    let names: Vec<String> = left_out.map(ToString::to_string).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        writeln!(
            io::stderr(),
            "note: left out, since {group} has committed nothing there: {names}"
        )
        .ok();
    }
}

fn places(
    partitions: &[TopicPartition],
    place: impl Fn(&TopicPartition) -> Option<CommittedOffset>,
) -> Committed {
    partitions.iter().filter_map(|tp| Some((tp.clone(), place(tp)?))).collect()
}

const fn spec(place: Option<parse::Place>) -> OffsetSpec {
    match place {
        Some(parse::Place::Beginning) => OffsetSpec::Earliest,
        Some(parse::Place::Time(millis)) => OffsetSpec::At(millis),
        Some(parse::Place::Since(age)) => OffsetSpec::Since(age),
        Some(parse::Place::End | parse::Place::Offset(_)) | None => OffsetSpec::Latest,
    }
}

/// What leaders say; where no record is as young as was asked for, nothing, which means the end.
async fn listed(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Committed, CliError> {
    let mut found = BTreeMap::new();
    for (tp, listed) in admin.list_offsets(partitions, spec).await? {
        let listed = listed?;
        let (offset, epoch) = match listed.offset.0 {
            ..0 => (i64::MAX, LeaderEpoch::UNKNOWN),
            offset => (offset, listed.epoch),
        };
        found.insert(tp, CommittedOffset::new(Position(offset), epoch));
    }
    Ok(found)
}

/// What lies outside the log becomes its nearest end, with the epoch of that.
async fn within_logs(
    admin: &Admin,
    partitions: &[TopicPartition],
    wanted: Committed,
) -> Result<Committed, CliError> {
    let starts = listed(admin, partitions, OffsetSpec::Earliest).await?;
    let ends = listed(admin, partitions, OffsetSpec::Latest).await?;
    let place = |(tp, wanted): (TopicPartition, CommittedOffset)| {
        let (start, end) = (*starts.get(&tp)?, *ends.get(&tp)?);
        let to = if wanted.position < start.position { start } else { wanted };
        Some((tp, if end.position < to.position { end } else { to }))
    };
    Ok(wanted.into_iter().filter_map(place).collect())
}

async fn partitions(
    admin: &Admin,
    options: &Options,
    committed: &Committed,
) -> Result<Vec<TopicPartition>, CliError> {
    if options.topic.is_empty() {
        return Ok(committed.keys().cloned().collect());
    }
    let mut partitions = Vec::new();
    for topic in &options.topic {
        let name = TopicName::from(topic.as_str());
        let described = admin.describe_topic(&name).await?;
        let all = described.partitions.iter().map(|it| it.partition);
        partitions.extend(all.map(|number| TopicPartition::new(name.clone(), number)));
    }
    Ok(partitions)
}

fn show(moves: &[Move], format: Format) -> Result<(), CliError> {
    match format {
        Format::Json => output::json(&moves),
        Format::Text | Format::Hex => {
            let row = |it: &Move| {
                let from = it.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
                vec![it.topic.clone(), it.partition.to_string(), from, it.to.to_string()]
            };
            output::table(&["TOPIC", "PARTITION", "FROM", "TO"], moves.iter().map(row))
        }
    }
}
