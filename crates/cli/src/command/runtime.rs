//! On which threads does a command run?

use tokio::runtime::{Builder, Runtime};

use super::{Ending, Surroundings};
use crate::error::CliError;

/// A runtime with so many threads; one thread is the caller's own.
pub(super) fn with_threads(threads: usize) -> Result<Runtime, CliError> {
    let mut builder = match threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if 1 < threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().map_err(CliError::system("start a runtime"))
}

/// Does something short on one thread, unless somebody wants the end before it is done.
pub(super) fn unless_stopped(
    around: &Surroundings,
    work: impl Future<Output = Result<(), CliError>>,
) -> Result<Ending, CliError> {
    with_threads(1)?.block_on(async {
        tokio::select! {
            done = work => done.map(|()| Ending::Done),
            () = around.stop.requested() => Ok(Ending::Interrupted),
        }
    })
}
