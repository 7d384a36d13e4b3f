//! What does it do for me? Fills a topic, reads it with workers and commits, and proves that every
//! record was processed once, in order, within its memory, and committed.

mod check;
mod fill;
mod group;
mod own_broker;
mod pattern;
mod read;
mod story;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use forebay::admin::NewTopic;
use forebay::{Admin, TopicName, TopicPartition};

use self::check::Check;
use self::own_broker::OwnBroker;
use self::pattern::Pattern;
use self::verdict::Verdict;
use super::{Ending, Surroundings, connect, runtime};
use crate::args::{Servers, parse};
use crate::error::CliError;

pub(crate) const AFTER: &str = "\
Examples:
  forebay demo
  forebay demo --records 10000000 --record-size 1000 --bootstrap-servers localhost:9092
  forebay demo --members 3 --churn      a group whose members join, leave and are killed

With --members records flow for --time, and what passed on the wire and in handlers is judged at
the end: nothing lost, nothing twice that no kill explains, no commit ahead of its work.

Without --bootstrap-servers a broker is started in this process, on loopback. With it, a topic of
its own is created there and deleted afterwards. The exit code is 1 when any check fails.";

/// Beyond this the broker in this process would take too much of the machine.
const OWN_BROKER_MAX: u64 = 4 << 30;
/// What a record takes beside its value, and more than that.
const FRAMING: u64 = 24;

/// Members of a group, unless it is said.
const MEMBERS: u16 = 3;
/// How long records flow in a group, unless it is said.
const FLOW: Duration = Duration::from_secs(20);

/// How long deleting the topic may take.
const STRIKE: Duration = Duration::from_secs(3);

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    records: u64,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    partitions: u16,
    /// Workers, each on a thread of its own [default: as many as processors, 4 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Members of a group that share the work, in place of one consumer of all partitions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32), conflicts_with = "workers")]
    members: Option<u16>,
    /// Let members join, leave and be killed while records flow [default members: 3]
    #[arg(long, conflicts_with = "workers")]
    churn: bool,
    /// How long records flow in a group, as 20s [default: 20s]
    #[arg(long, value_name = "TIME", value_parser = parse::time, conflicts_with = "workers")]
    time: Option<Duration>,
    /// Bytes of each value
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=900_000))]
    record_size: u32,
    /// Bytes that may be fetched and not yet let go of, as 32MiB
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = parse::size)]
    budget_bytes: usize,
    /// Brokers to use instead of one in this process, as host:port,host:port
    #[arg(long, value_name = "LIST", value_parser = parse::servers)]
    bootstrap_servers: Option<String>,
    /// Settings from a property file, as the JVM client has them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to try to reach them, as 10s or 500ms
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse::time)]
    connect_timeout: Duration,
    /// What the contents of the records are made from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Options {
    fn workers(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from).min(4);
        self.workers.map_or_else(processors, usize::from)
    }

    /// Whether a group shares the work.
    const fn is_group(&self) -> bool {
        self.members.is_some() || self.churn
    }

    /// Members of the group.
    fn members(&self) -> u16 {
        self.members.unwrap_or(MEMBERS)
    }

    /// How long records flow in a group.
    fn time(&self) -> Duration {
        self.time.unwrap_or(FLOW)
    }

    /// At most so many bytes are kept by a broker.
    fn volume(&self) -> u64 {
        self.records.saturating_mul(u64::from(self.record_size) + FRAMING)
    }
}

/// Where the demo runs, and what it made for itself.
struct Stage {
    servers: Servers,
    own: Option<OwnBroker>,
    admin: Admin,
    topic: TopicName,
    partitions: Vec<TopicPartition>,
    group: String,
}

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::with_threads(options.workers().max(2))?.block_on(play(options, around))
}

async fn play(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let stage = Stage::set(options).await?;
    let ended = tokio::select! {
        created = stage.create_topic() => match created {
            Ok(()) if options.is_group() => group::acts(options, &stage, around).await,
            Ok(()) => acts(options, &stage, around).await,
            Err(error) => Err(error),
        },
        () = around.stop.requested(), if !options.is_group() => Ok(Ending::Interrupted),
    };
    stage.strike().await;
    ended
}

async fn acts(options: &Options, stage: &Stage, around: &Surroundings) -> Result<Ending, CliError> {
    let format = around.shared.output;
    story::opening(options, stage, format)?;
    let pattern = Pattern::new(options.seed, options.record_size);
    let Some(filled) = fill::fill(options, stage, &pattern, around).await? else {
        return Ok(Ending::Interrupted);
    };
    story::filled(options, filled, format)?;
    let check = Check::for_process(options.records, options.partitions, pattern);
    let Some(reading) = read::read(options, stage, check, around).await? else {
        return Ok(Ending::Interrupted);
    };
    let verdict = Verdict::reach(stage, check, options.records, &reading).await?;
    story::ending(options, filled, &reading, &verdict).show(format)?;
    Ok(if verdict.has_passed() { Ending::Done } else { Ending::Failed })
}

impl Stage {
    async fn set(options: &Options) -> Result<Self, CliError> {
        let own = match (&options.bootstrap_servers, &options.config) {
            (None, None) => Some(OwnBroker::start(own_memory(options)?).await?),
            _ => None,
        };
        let own_servers = own.as_ref().map(|own| own.bootstrap_servers().to_owned());
        let servers = Servers {
            bootstrap_servers: own_servers.or_else(|| options.bootstrap_servers.clone()),
            config: options.config.clone(),
            connect_timeout: options.connect_timeout,
        };
        let admin = connect::admin(&servers)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("forebay-demo-{}", now.as_micros());
        let (topic, count) = (TopicName::from(name.as_str()), i32::from(options.partitions));
        let partitions = (0..count).map(|it| TopicPartition::new(topic.clone(), it)).collect();
        Ok(Self { servers, own, admin, topic, partitions, group: name })
    }

    async fn create_topic(&self) -> Result<(), CliError> {
        let count = i32::try_from(self.partitions.len()).unwrap_or(i32::MAX);
        Ok(self.admin.create_topic(&NewTopic::new(self.topic.clone(), count)).await?)
    }

    /// Leaves nothing behind: a failure to do so is not the demo's.
    async fn strike(self) {
        if let Some(own) = self.own {
            return own.shutdown().await;
        }
        let deleted = tokio::time::timeout(STRIKE, self.admin.delete_topic(&self.topic)).await;
        if !matches!(deleted, Ok(Ok(()))) {
            let topic = self.topic.as_str();
            tracing::warn!(target: "forebay::demo", topic, "the topic may have been left behind");
        }
    }

    /// Processor time that a broker in this process has used so far.
    async fn broker_cpu(&self) -> Duration {
        match &self.own {
            Some(own) => own.cpu().await,
            None => Duration::ZERO,
        }
    }
}

/// What a broker in this process needs for all records.
fn own_memory(options: &Options) -> Result<usize, CliError> {
    let volume = options.volume();
    if OWN_BROKER_MAX < volume {
        return Err(CliError::TooMuch { bytes: volume, limit: OWN_BROKER_MAX });
    }
    // Batches are kept as they come, with a little room lost around them.
    let memory = volume.saturating_add(volume / 2).saturating_add(64 << 20);
    Ok(usize::try_from(memory).unwrap_or(usize::MAX))
}
