//! Groups from the command line: list, describe, lag, reset-offsets, delete.

mod reset;

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use forebay::admin::{CommittedOffset, GroupDescription, GroupListing, OffsetSpec};
use forebay::{Admin, TopicPartition};
use serde::Serialize;

use super::{Ending, Surroundings, connect, runtime};
use crate::args::{Format, Servers};
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Examples:
  forebay group list --bootstrap-servers localhost:9092
  forebay group lag billing --bootstrap-servers localhost:9092 --output json
  forebay group reset-offsets billing --topic orders --to 15m --bootstrap-servers localhost:9092";

const LIST: &str = "\
Example:
  forebay group list --config client.properties --output json";

const DESCRIBE: &str = "\
Example:
  forebay group describe billing --bootstrap-servers localhost:9092";

const LAG: &str = "\
Example:
  forebay group lag billing --bootstrap-servers localhost:9092";

const DELETE: &str = "\
Example:
  forebay group delete billing --bootstrap-servers localhost:9092

What the group has committed is deleted with it. A group with live members is left alone.";

/// What is done with groups.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// List all groups
    #[command(after_help = LIST)]
    List(List),
    /// Show the members of a group and what each has
    #[command(after_help = DESCRIBE)]
    Describe(Named),
    /// Show how far a group is behind, partition by partition
    #[command(after_help = LAG)]
    Lag(Named),
    /// Let a group go on elsewhere; without --execute it only says where
    #[command(after_help = reset::AFTER)]
    ResetOffsets(reset::Options),
    /// Delete a group and what it has committed
    #[command(after_help = DELETE)]
    Delete(Named),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    servers: Servers,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Named {
    /// The group
    group: String,
    #[command(flatten)]
    servers: Servers,
}

#[derive(Debug, Serialize)]
struct Member {
    member: String,
    instance: Option<String>,
    client_id: String,
    host: String,
    partitions: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Group {
    group: String,
    state: String,
    protocol: &'static str,
    assignor: String,
    members: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Listed {
    group: String,
    state: Option<String>,
    protocol: Option<String>,
    kind: String,
}

/// Where a group stands in one partition.
#[derive(Debug, Serialize)]
struct Standing {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
    member: Option<String>,
}

pub(crate) fn run(verb: &Verb, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::unless_stopped(around, carry_out(verb, around.shared.output))
}

async fn carry_out(verb: &Verb, format: Format) -> Result<(), CliError> {
    match verb {
        Verb::List(it) => list(&connect::admin(&it.servers)?.list_groups().await?, format),
        Verb::Describe(it) => {
            let described = connect::admin(&it.servers)?.describe_group(&it.group).await;
            describe(&described.map_err(|error| about(&it.group, error))?, format)
        }
        Verb::Lag(it) => lag(it, format).await,
        Verb::ResetOffsets(it) => reset::run(it, format).await,
        Verb::Delete(it) => {
            let deleted = connect::admin(&it.servers)?.delete_group(&it.group).await;
            deleted.map_err(|error| about(&it.group, error))
        }
    }
}

/// Whether the brokers know no such group.
fn is_unknown(error: &forebay::Error) -> bool {
    const GROUP_ID_NOT_FOUND: i16 = 69;
    error.broker_error() == Some(GROUP_ID_NOT_FOUND)
}

/// What went wrong with a group, in words of who types.
fn about(group: &str, error: forebay::Error) -> CliError {
    if is_unknown(&error) {
        return CliError::NoGroup { group: group.to_owned() };
    }
    error.into()
}

fn list(groups: &[GroupListing], format: Format) -> Result<(), CliError> {
    let listed = |it: &GroupListing| Listed {
        group: it.group.clone(),
        state: it.state.clone(),
        protocol: it.kind.clone(),
        kind: it.protocol_type.clone(),
    };
    match format {
        Format::Json => output::json(&groups.iter().map(listed).collect::<Vec<_>>()),
        Format::Text | Format::Hex => {
            let dash = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
            let row = |it: &GroupListing| {
                let Listed { group, state, protocol, kind } = listed(it);
                vec![group, dash(state), dash(protocol), kind]
            };
            output::table(&["GROUP", "STATE", "PROTOCOL", "KIND"], groups.iter().map(row))
        }
    }
}

fn describe(described: &GroupDescription, format: Format) -> Result<(), CliError> {
    let members = described.members.iter().map(|it| Member {
        member: it.id.clone(),
        instance: it.instance.clone(),
        client_id: it.client_id.clone(),
        host: it.host.clone(),
        partitions: it.partitions.iter().map(ToString::to_string).collect(),
    });
    let group = Group {
        group: described.group.clone(),
        state: described.state.clone(),
        protocol: if described.is_consumer_protocol { "consumer" } else { "classic" },
        assignor: described.assignor.clone(),
        members: members.collect(),
    };
    match format {
        Format::Json => output::json(&group),
        Format::Text | Format::Hex => {
            output::rows(&[
                ("state", group.state),
                ("protocol", group.protocol.to_owned()),
                ("assignor", group.assignor),
            ])?;
            let row = |it: Member| {
                let partitions = it.partitions.join(" ");
                let instance = it.instance.unwrap_or_else(|| "-".to_owned());
                vec![it.member, instance, it.client_id, it.host, partitions]
            };
            let header = ["MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS"];
            output::table(&header, group.members.into_iter().map(row))
        }
    }
}

async fn lag(options: &Named, format: Format) -> Result<(), CliError> {
    let admin = connect::admin(&options.servers)?;
    let described = admin.describe_group(&options.group).await;
    let described = described.map_err(|error| about(&options.group, error))?;
    let committed = admin.group_offsets(&options.group).await?;
    let standings = standings(&admin, &described, &committed).await?;
    match format {
        Format::Json => output::json(&standings),
        Format::Text | Format::Hex => {
            let number = |it: Option<i64>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
            let row = |it: &Standing| {
                let member = it.member.clone().unwrap_or_else(|| "-".to_owned());
                let partition = it.partition.to_string();
                let (committed, end, lag) = (number(it.committed), number(it.end), number(it.lag));
                vec![it.topic.clone(), partition, committed, end, lag, member]
            };
            let header = ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER"];
            output::table(&header, standings.iter().map(row))
        }
    }
}

/// Every partition that the group has committed for or that a member has.
async fn standings(
    admin: &Admin,
    described: &GroupDescription,
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<Vec<Standing>, CliError> {
    let owners: BTreeMap<&TopicPartition, &str> = described
        .members
        .iter()
        .flat_map(|member| member.partitions.iter().map(|tp| (tp, member.id.as_str())))
        .collect();
    let all: BTreeSet<TopicPartition> =
        committed.keys().chain(owners.keys().copied()).cloned().collect();
    let all: Vec<TopicPartition> = all.into_iter().collect();
    let mut ends = admin.list_offsets(&all, OffsetSpec::Latest).await?;
    let standing = |tp: &TopicPartition| {
        // A topic that is gone has no end; what was committed for it is shown all the same.
        let end = ends.remove(tp).and_then(Result::ok).map(|end| end.offset.0);
        let committed = committed.get(tp).map(|it| it.position.0);
        Standing {
            topic: tp.topic.as_str().to_owned(),
            partition: tp.partition,
            committed,
            end,
            lag: committed.zip(end).map(|(committed, end)| end.saturating_sub(committed).max(0)),
            member: owners.get(tp).map(|&member| member.to_owned()),
        }
    };
    Ok(all.iter().map(standing).collect())
}
