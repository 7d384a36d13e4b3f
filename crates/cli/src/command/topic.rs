//! Topics from the command line: create, list, describe, alter, delete.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{ArgGroup, Args, Subcommand};
use forebay::admin::{ConfigChange, ConfigResource, ConfigSource, NewTopic, TopicDescription};
use forebay::{Admin, TopicName};
use serde::Serialize;

use super::{Ending, Surroundings, connect, runtime};
use crate::args::{Format, Servers, parse};
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Examples:
  forebay topic create orders --partitions 8 --bootstrap-servers localhost:9092
  forebay topic list --bootstrap-servers localhost:9092 --output json";

const CREATE: &str = "\
Example:
  forebay topic create orders --partitions 8 --replication-factor 3 --set retention.ms=86400000 \\
      --bootstrap-servers localhost:9092";

const LIST: &str = "\
Example:
  forebay topic list --config client.properties --output json";

const DESCRIBE: &str = "\
Example:
  forebay topic describe orders --bootstrap-servers localhost:9092";

const ALTER: &str = "\
Examples:
  forebay topic alter orders --partitions 16 --bootstrap-servers localhost:9092
  forebay topic alter orders --set retention.ms=3600000 --unset segment.bytes \\
      --bootstrap-servers localhost:9092

Settings that are not named stay as they are. Brokers before 2.3 can only replace all settings of a
topic: there they are read, changed and written back, and a change that somebody else makes in
between is lost. Partitions can be added since 1.0, and never be taken away.";

const DELETE: &str = "\
Example:
  forebay topic delete orders invoices --bootstrap-servers localhost:9092";

/// What is done with topics.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a topic and wait until its partitions have leaders
    #[command(after_help = CREATE)]
    Create(Create),
    /// List all topics, Kafka's own too
    #[command(after_help = LIST)]
    List(List),
    /// Show the partitions of a topic and what was set for it
    #[command(after_help = DESCRIBE)]
    Describe(Named),
    /// Change settings of a topic, or add partitions
    #[command(after_help = ALTER)]
    Alter(Alter),
    /// Delete topics and their records
    #[command(after_help = DELETE)]
    Delete(Delete),
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
    set: Vec<(String, String)>,
}

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["partitions", "set", "unset"]))]
pub(crate) struct Alter {
    #[command(flatten)]
    named: Named,
    /// How many partitions there are to be in total
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// A setting by Kafka's name, as retention.ms=60000; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::setting)]
    set: Vec<(String, String)>,
    /// A setting that is to have its default again; may be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
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

#[derive(Clone, Debug, Args)]
pub(crate) struct Delete {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    servers: Servers,
}

/// A topic as programs see it.
#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    internal: bool,
    partitions: Vec<Partition>,
    /// What was set for it; a list of topics does not ask for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    configs: Option<BTreeMap<String, String>>,
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
    runtime::unless_stopped(around, carry_out(verb, around.shared.output))
}

async fn carry_out(verb: &Verb, format: Format) -> Result<(), CliError> {
    match verb {
        Verb::Create(it) => create(it).await,
        Verb::List(it) => {
            let topics = connect::admin(&it.servers)?.list_topics().await?;
            list(&topics, format)
        }
        Verb::Describe(it) => describe(it, format).await,
        Verb::Alter(it) => alter(it).await,
        Verb::Delete(it) => delete(it).await,
    }
}

async fn create(options: &Create) -> Result<(), CliError> {
    let named = &options.named;
    let mut topic = NewTopic::new(named.topic.as_str(), options.partitions.unwrap_or(-1));
    if let Some(replicas) = options.replication_factor {
        topic = topic.replication_factor(replicas);
    }
    for (key, value) in &options.set {
        topic = topic.config(key, value);
    }
    Ok(connect::admin(&named.servers)?.create_topic(&topic).await?)
}

fn list(topics: &[TopicDescription], format: Format) -> Result<(), CliError> {
    match format {
        Format::Json => output::json(&topics.iter().map(Topic::of).collect::<Vec<_>>()),
        Format::Text | Format::Hex => {
            let row = |it: &TopicDescription| {
                vec![it.name.as_str().to_owned(), it.partitions.len().to_string()]
            };
            output::table(&["TOPIC", "PARTITIONS"], topics.iter().map(row))
        }
    }
}

async fn describe(options: &Named, format: Format) -> Result<(), CliError> {
    let admin = connect::admin(&options.servers)?;
    let name = TopicName::from(options.topic.as_str());
    let described = admin.describe_topic(&name).await?;
    let configs = set_for(&admin, name).await?;
    let topic = Topic { configs: Some(configs), ..Topic::of(&described) };
    match format {
        Format::Json => output::json(&topic),
        Format::Text | Format::Hex => {
            let header = ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC"];
            output::table(&header, topic.partitions.iter().map(Partition::row))?;
            let configs = topic.configs.iter().flatten();
            let mut lines = configs.map(|(key, value)| format!("{key}={value}"));
            lines.try_for_each(|line| output::line(&line))
        }
    }
}

/// The settings that were set for a topic; what the broker keeps secret stands as stars.
async fn set_for(admin: &Admin, name: TopicName) -> Result<BTreeMap<String, String>, CliError> {
    let resource = ConfigResource::Topic(name);
    let mut told = admin.describe_configs(std::slice::from_ref(&resource)).await?;
    let entries = told.remove(&resource).unwrap_or_else(|| Ok(BTreeMap::new()))?;
    let set = entries.into_iter().filter(|(_, entry)| entry.source == ConfigSource::Topic);
    Ok(set.map(|(key, entry)| (key, entry.value.unwrap_or_else(|| "***".to_owned()))).collect())
}

async fn alter(options: &Alter) -> Result<(), CliError> {
    let admin = connect::admin(&options.named.servers)?;
    let name = TopicName::from(options.named.topic.as_str());
    let set = options.set.iter().cloned().map(|(key, value)| (key, ConfigChange::Set(value)));
    let unset = options.unset.iter().cloned().map(|key| (key, ConfigChange::Delete));
    let changes: Vec<_> = set.chain(unset).collect();
    if !changes.is_empty() {
        // Said of a topic that is not there, this is clearer than what brokers say of its settings.
        admin.describe_topic(&name).await?;
        let changes = BTreeMap::from([(ConfigResource::Topic(name.clone()), changes)]);
        admin.alter_configs(&changes).await?.into_values().collect::<Result<(), _>>()?;
    }
    if let Some(total) = options.partitions {
        let totals = BTreeMap::from([(name, total)]);
        admin.create_partitions(&totals).await?.into_values().collect::<Result<(), _>>()?;
    }
    Ok(())
}

/// All that can be; the others are told one by one.
async fn delete(options: &Delete) -> Result<(), CliError> {
    let names: Vec<_> = options.topics.iter().map(|it| TopicName::from(it.as_str())).collect();
    let results = connect::admin(&options.servers)?.delete_topics(&names).await?;
    let all = results.len();
    let mut errors: Vec<_> = results.into_values().filter_map(Result::err).collect();
    if all == 1 {
        return errors.pop().map_or(Ok(()), |error| Err(error.into()));
    }
    for error in &errors {
        writeln!(io::stderr(), "error: {error}").ok();
    }
    if errors.is_empty() { Ok(()) } else { Err(CliError::Some { failed: errors.len(), all }) }
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
            configs: None,
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
