//! Topics from the command line: create, list, describe, delete.

use clap::{Args, Subcommand};
use forebay::admin::{NewTopic, TopicDescription};
use serde::Serialize;

use super::{Ending, Surroundings, connect, runtime};
use crate::args::{Format, Servers, parse};
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Examples:
  forebay topic create orders --partitions 8 --bootstrap-servers localhost:9092
  forebay topic list --bootstrap-servers localhost:9092 --output json";

/// What is done with topics.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a topic and wait until its partitions have leaders
    #[command(after_help = AFTER)]
    Create(Create),
    /// List all topics, Kafka's own too
    #[command(after_help = AFTER)]
    List(List),
    /// Show the partitions of a topic
    #[command(after_help = AFTER)]
    Describe(Named),
    /// Delete a topic and its records
    #[command(after_help = AFTER)]
    Delete(Named),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,
    /// How many partitions [default: the broker's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many replicas of each [default: the broker's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting by Kafka's name, as retention.ms=60000; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::setting)]
    config: Vec<(String, String)>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    servers: Servers,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Named {
    /// The topic
    topic: String,
    #[command(flatten)]
    servers: Servers,
}

/// A topic as programs see it.
#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    internal: bool,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
}

pub(crate) fn run(verb: &Verb, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::with_threads(1)?.block_on(async {
        tokio::select! {
            done = carry_out(verb, around.shared.output) => done.map(|()| Ending::Done),
            () = around.stop.requested() => Ok(Ending::Interrupted),
        }
    })
}

async fn carry_out(verb: &Verb, format: Format) -> Result<(), CliError> {
    match verb {
        Verb::Create(it) => create(it).await,
        Verb::List(it) => {
            let topics = connect::admin(&it.servers)?.list_topics().await?;
            list(&topics, format)
        }
        Verb::Describe(it) => {
            let admin = connect::admin(&it.servers)?;
            describe(&admin.describe_topic(&it.topic.as_str().into()).await?, format)
        }
        Verb::Delete(it) => {
            let admin = connect::admin(&it.servers)?;
            Ok(admin.delete_topic(&it.topic.as_str().into()).await?)
        }
    }
}

async fn create(options: &Create) -> Result<(), CliError> {
    let named = &options.named;
    let mut topic = NewTopic::new(named.topic.as_str(), options.partitions.unwrap_or(-1));
    if let Some(replicas) = options.replication_factor {
        topic = topic.replication_factor(replicas);
    }
    for (key, value) in &options.config {
        topic = topic.config(key, value);
    }
    Ok(connect::admin(&named.servers)?.create_topic(&topic).await?)
}

fn list(topics: &[TopicDescription], format: Format) -> Result<(), CliError> {
    match format {
        Format::Json => output::json(&topics.iter().map(Topic::of).collect::<Vec<_>>()),
        Format::Text => {
            let row = |it: &TopicDescription| {
                vec![it.name.as_str().to_owned(), it.partitions.len().to_string()]
            };
            output::table(&["TOPIC", "PARTITIONS"], topics.iter().map(row))
        }
    }
}

fn describe(topic: &TopicDescription, format: Format) -> Result<(), CliError> {
    let topic = Topic::of(topic);
    match format {
        Format::Json => output::json(&topic),
        Format::Text => {
            let header = ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC"];
            output::table(&header, topic.partitions.iter().map(Partition::row))
        }
    }
}

impl Topic {
    fn of(topic: &TopicDescription) -> Self {
        let partitions = topic.partitions.iter().map(|it| Partition {
            partition: it.partition,
            leader: it.leader.map(|leader| leader.0),
            leader_epoch: it.leader_epoch.0,
            replicas: it.replicas.iter().map(|broker| broker.0).collect(),
            in_sync: it.in_sync.iter().map(|broker| broker.0).collect(),
        });
        Self {
            name: topic.name.as_str().to_owned(),
            internal: topic.is_internal,
            partitions: partitions.collect(),
        }
    }
}

impl Partition {
    fn row(&self) -> Vec<String> {
        let brokers =
            |ids: &[i32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        vec![
            self.partition.to_string(),
            self.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
            self.leader_epoch.to_string(),
            brokers(&self.replicas),
            brokers(&self.in_sync),
        ]
    }
}
