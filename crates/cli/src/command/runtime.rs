//! On which threads does a command run?

use tokio::runtime::{Builder, Runtime};

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
