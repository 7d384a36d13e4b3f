//! A broker that costs next to nothing: what does a client spend when the other side is free?
//!
//! One node leads every partition of one topic. The base offset and leader epoch of a batch lie
//! outside its CRC, so a few batches made at the start serve every offset, and responses leave by
//! vectored writes from the memory they were made in.

mod answers;
mod connection;
mod fetch;
mod group;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use clap::Args;
use serde_json::json;

use crate::canned::{Canned, Shape};
use crate::error::Error;
use crate::meter;

/// What the replay broker plays.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Port on 127.0.0.1; 0 takes a free one, which is printed.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Keep every thread on this core.
    #[arg(long)]
    core: Option<usize>,
    /// Name of the one topic.
    #[arg(long, default_value = "t")]
    topic: String,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    /// Leader epoch of all batches and partitions.
    #[arg(long, default_value_t = 0)]
    leader_epoch: i32,
    /// Highest version of Fetch to offer (4 to 18).
    #[arg(long, default_value_t = 18)]
    fetch_version: i16,
    /// Refuse fetch sessions: every Fetch is a full one.
    #[arg(long)]
    no_sessions: bool,
    /// Send whole batches only; a real broker cuts the last one at the size limit.
    #[arg(long)]
    whole_batches: bool,
    #[command(flatten)]
    shape: Shape,
}

/// What all connections share.
#[derive(Debug)]
struct Stage {
    options: Options,
    canned: Canned,
    /// What each group has committed of each partition.
    committed: Mutex<HashMap<(String, i32), i64>>,
}

impl Stage {
    /// Where to connect and what is there, as one line of JSON.
    fn invitation(&self) -> serde_json::Value {
        json!({
            "bootstrap": format!("127.0.0.1:{}", self.options.port),
            "topic": self.options.topic,
            "records": self.canned.end() * i64::from(self.options.partitions),
            "mean_batch_bytes": self.canned.mean_size(),
        })
    }

    /// The committed position of a partition, -1 without one.
    fn committed(&self, group: &str, partition: i32) -> i64 {
        self.commits().get(&(group.to_owned(), partition)).copied().unwrap_or(-1)
    }

    fn commit(&self, group: &str, partition: i32, position: i64) {
        self.commits().insert((group.to_owned(), partition), position);
    }

    fn commits(&self) -> MutexGuard<'_, HashMap<(String, i32), i64>> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the process is ended.
///
/// # Errors
///
/// When the port is taken, the core does not exist or the options contradict each other.
pub(crate) fn run(options: Options) -> Result<(), Error> {
    if let Some(core) = options.core {
        meter::pin(core)?;
    }
    let (stage, listener) = open(options)?;
    println!("{}", stage.invitation());
    serve(&stage, &listener);
    Ok(())
}

/// Makes the batches and listens; the port in the options is the true one from here on.
fn open(mut options: Options) -> Result<(Arc<Stage>, TcpListener), Error> {
    let listener =
        TcpListener::bind(("127.0.0.1", options.port)).map_err(Error::io("bind the port"))?;
    options.port = listener.local_addr().map_err(Error::io("read the port"))?.port();
    let canned = Canned::new(&options.shape)?;
    let committed = Mutex::default();
    Ok((Arc::new(Stage { options, canned, committed }), listener))
}

fn serve(stage: &Arc<Stage>, listener: &TcpListener) {
    for socket in listener.incoming() {
        match socket {
            Ok(socket) => admit(stage, socket),
            Err(error) => eprintln!("replay: cannot accept a connection: {error}"),
        }
    }
}

fn admit(stage: &Arc<Stage>, socket: TcpStream) {
    let stage = Arc::clone(stage);
    thread::spawn(move || {
        if let Err(error) = connection::serve(&stage, &socket) {
            eprintln!("replay: {error}");
        }
    });
}
