//! What can be typed? The commands, what they share, and their help.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::{broker, consume, demo, perf, produce, topic};

pub(crate) mod parse;

const AFTER: &str = "\
Examples:
  forebay demo                                            a million records, a checked verdict
  forebay perf consume --topic orders --records 1000000 --bootstrap-servers localhost:9092

The environment variable RUST_LOG says what is logged to standard error: RUST_LOG=forebay=debug

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
}

/// Where a cluster is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Servers {
    /// Brokers to ask first, as host:port,host:port
    #[arg(long, value_name = "LIST", value_parser = parse::servers)]
    pub(crate) bootstrap_servers: String,
    /// How long to try to reach them, as 10s or 500ms
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse::time)]
    pub(crate) connect_timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fill a topic, process it, and check that nothing was lost, repeated or reordered
    #[command(after_help = demo::AFTER)]
    Demo(demo::Options),
    /// Run a broker for tests and trials in this process
    #[command(after_help = broker::AFTER)]
    Broker(broker::Options),
    /// Create, list, describe and delete topics
    #[command(subcommand, after_help = topic::AFTER)]
    Topic(topic::Verb),
    /// Write lines of standard input as records
    #[command(after_help = produce::AFTER)]
    Produce(produce::Options),
    /// Print the records of a topic
    #[command(after_help = consume::AFTER)]
    Consume(consume::Options),
    /// Measure what a client costs
    #[command(subcommand)]
    Perf(Perf),
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
