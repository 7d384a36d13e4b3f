//! Runs the in-process broker until it is interrupted.

use std::net::Ipv4Addr;

use clap::Args;
use forebay_broker::{Broker, Release};
use serde::Serialize;

use super::{Ending, Surroundings, runtime};
use crate::args::{Format, parse};
use crate::error::CliError;
use crate::output;

pub(crate) const AFTER: &str = "\
Examples:
  forebay broker --port 9092
  forebay broker --port 0 --nodes 3 --pose-as 0.11 --auto-create 8

The broker listens on loopback only and keeps everything in memory: it is made for tests and
trials. Records beyond its memory are refused, never dropped. Ctrl-C ends it.";

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// Port of the first node, others follow; 0 takes free ones
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    nodes: u16,
    /// Bytes of records that are kept, as 1GiB
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse::size)]
    memory: usize,
    /// The release of Kafka to behave as: 0.11, 1.1, 2.8, 3.9 or 4.4 [default: the newest]
    #[arg(long, value_name = "RELEASE", value_parser = parse::release)]
    pose_as: Option<Release>,
    /// Create topics that clients ask for, with so many partitions
    #[arg(long, value_name = "PARTITIONS", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    auto_create: Option<i32>,
}

#[derive(Debug, Serialize)]
struct Started<'a> {
    bootstrap_servers: &'a str,
}

pub(crate) fn run(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    runtime::with_threads(1)?.block_on(serve(options, around))
}

async fn serve(options: &Options, around: &Surroundings) -> Result<Ending, CliError> {
    let mut broker =
        Broker::builder().port(options.port).nodes(options.nodes).memory(options.memory);
    if let Some(partitions) = options.auto_create {
        broker = broker.auto_create(partitions);
    }
    if let Some(release) = options.pose_as {
        broker = broker.pose_as(release);
    }
    let broker = broker.start().await.map_err(|source| CliError::Listen {
        address: (Ipv4Addr::LOCALHOST, options.port).into(),
        source,
    })?;
    let bootstrap_servers = broker.bootstrap_servers();
    match around.shared.output {
        Format::Text | Format::Hex => output::line(bootstrap_servers)?,
        Format::Json => output::json(&Started { bootstrap_servers })?,
    }
    around.stop.requested().await;
    broker.shutdown().await;
    // This is how it is meant to end.
    Ok(Ending::Done)
}
