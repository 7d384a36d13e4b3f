//! The least a consumer must do: what would it cost if nothing but the protocol were there?
//!
//! One thread, one blocking socket, full Fetches of version 11. A batch is checked, inflated and
//! walked as soon as its last byte is in, while the cache still holds it. There are no groups, no
//! commits, no retries, no back-pressure: every figure of a real client is quoted as a ratio to
//! this one.

mod batch;
mod fetch;
mod window;

use std::net::TcpStream;

use clap::Args;

use crate::error::Error;
use crate::meter::{self, Meter, Report};
pub(crate) use batch::Tally;
use batch::Walker;
use fetch::Fetcher;

/// Responses without any record before the topic counts as run out.
const PATIENCE: u32 = 2;

/// What the floor reads.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The broker that leads all partitions.
    #[arg(long)]
    bootstrap_servers: String,
    /// The topic, read from offset 0.
    #[arg(long, default_value = "t")]
    topic: String,
    /// Partitions 0 to this number, less one.
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    /// Records after which it ends.
    #[arg(long)]
    records: u64,
    /// Kafka's `max.partition.fetch.bytes`: large, because a broker cuts the last batch of each
    /// partition and those bytes come twice.
    #[arg(long, default_value_t = 8 << 20)]
    partition_max_bytes: i32,
    /// Kafka's `fetch.max.bytes`.
    #[arg(long, default_value_t = 8 << 20)]
    max_bytes: i32,
    /// Keep the process on this core.
    #[arg(long)]
    core: Option<usize>,
}

/// Reads the records and prints one line of JSON.
///
/// # Errors
///
/// When the broker cannot be reached, answers with an error, or holds too few records.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    if let Some(core) = options.core {
        meter::pin(core)?;
    }
    println!("{}", measure(options)?);
    Ok(())
}

/// Reads the records and says what it took.
pub(crate) fn measure(options: &Options) -> Result<Report, Error> {
    let meter = Meter::start();
    let socket = TcpStream::connect(&options.bootstrap_servers)
        .map_err(Error::io("connect to the broker"))?;
    socket.set_nodelay(true).map_err(Error::io("set TCP_NODELAY"))?;
    let mut fetcher = Fetcher::new(&socket, options);
    let mut walker = Walker::new();
    let mut idle = 0;
    while walker.tally.records < options.records {
        let before = walker.tally.records;
        fetcher.round(&mut walker)?;
        idle = if walker.tally.records == before { idle + 1 } else { 0 };
        if idle > PATIENCE {
            let wanted = options.records;
            return Err(Error::TooFew { delivered: before, wanted });
        }
    }
    Ok(Report::new("floor", &meter, walker.tally, fetcher.received()))
}
