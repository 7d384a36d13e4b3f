//! What can be typed? The commands, what they share, and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use forebay::Compression;

use crate::command::{broker, consume, demo, group, pages, perf, produce, topic};

pub(crate) mod parse;

const AFTER: &str = "\
Examples:
  forebay demo                                    a million records, a checked verdict
  forebay topic create orders --partitions 8 --bootstrap-servers localhost:9092
  forebay produce orders --file lines.txt --config client.properties
  forebay consume orders --from beginning --format '%p %o %k:%v\\n' --config client.properties
  forebay perf consume --topic orders --records 1000000 --bootstrap-servers localhost:9092

Results are on standard output, all else on standard error. A reader that goes away, as head does,
is no error. The environment variable RUST_LOG says what is logged: RUST_LOG=forebay=debug

Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted. Ctrl-C and SIGTERM let running work
end and commit what is done; a second one ends at once.";

/// Safe, fast processing of Kafka records
#[derive(Debug, Parser)]
#[command(name = "forebay", version, after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// What the table of options alone cannot say.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        if self.shared.output == Format::Hex && !matches!(self.command, Command::Consume(_)) {
            let told = "--output hex is for consume; the others print text or json";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, told));
        }
        Ok(())
    }
}

/// What every command has.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Shared {
    /// Text for people or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// How long running work may take to end after Ctrl-C or SIGTERM, as 20s or 500ms
    #[arg(long, global = true, default_value = "20s", value_name = "TIME", value_parser = parse::time)]
    pub(crate) drain_timeout: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    /// Keys and values as hexadecimal digits; only for consume
    Hex,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::None => Self::None,
            Codec::Gzip => Self::Gzip,
            Codec::Snappy => Self::Snappy,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd => Self::Zstd,
        }
    }
}

/// Where a cluster is, and how to speak to it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Servers {
    /// Brokers to ask first, as host:port,host:port [default: those of --config]
    #[arg(long, value_name = "LIST", required_unless_present = "config", value_parser = parse::servers)]
    pub(crate) bootstrap_servers: Option<String>,
    /// Settings from a property file, as the JVM client has them; options count more
    ///
    /// Keys that have no meaning here are told on standard error, unknown ones and security that
    /// is not built are errors. docs/configuration.md lists every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How long to try to reach them, as 10s or 500ms
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse::time)]
    pub(crate) connect_timeout: Duration,
}

impl Servers {
    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match (&self.bootstrap_servers, &self.config) {
            (Some(servers), _) => servers.clone(),
            (None, Some(file)) => format!("the cluster of {}", file.display()),
            (None, None) => "the cluster".to_owned(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fill a topic, process it, and check that nothing was lost, repeated or reordered
    #[command(after_help = demo::AFTER)]
    Demo(demo::Options),
    /// Run a broker for tests and trials in this process
    ///
    /// It speaks Kafka's protocol on loopback, keeps everything in memory, and can behave as an
    /// older release.
    #[command(after_help = broker::AFTER)]
    Broker(broker::Options),
    /// Create, list, describe, alter and delete topics
    #[command(subcommand, after_help = topic::AFTER)]
    Topic(topic::Verb),
    /// List, describe, reset and delete groups, and show their lag
    #[command(subcommand, after_help = group::AFTER)]
    Group(group::Verb),
    /// Write lines of standard input or of files as records
    ///
    /// Each line is a record, without its line feed. The command ends when all records are stored
    /// by all in-sync replicas, or at the first that is not.
    #[command(after_help = produce::AFTER)]
    Produce(produce::Options),
    /// Print the records of a topic
    ///
    /// Values as lines, records as JSON, or in a format of your own. It goes on until it is
    /// interrupted, or until --max-messages or --idle-timeout end it.
    #[command(after_help = consume::AFTER)]
    Consume(consume::Options),
    /// Measure what a client costs
    #[command(subcommand)]
    Perf(Perf),
    /// Print what a shell needs to complete commands and options
    #[command(after_help = pages::COMPLETIONS)]
    Completions(pages::Completions),
    /// Print the manual page of a command
    #[command(after_help = pages::MAN)]
    Man(pages::Man),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Perf {
    /// Read records of a topic and tell what that cost
    #[command(after_help = perf::AFTER)]
    Consume(perf::Options),
    /// Write records to a topic and tell what that cost and how long they took
    #[command(after_help = perf::produce::AFTER)]
    Produce(perf::produce::Options),
}

#[cfg(test)]
mod tests;
