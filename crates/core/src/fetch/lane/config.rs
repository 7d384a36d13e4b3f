//! What a lane is set to: how long brokers may wait, how much they may answer with.

use std::sync::Arc;
use std::time::Duration;

use crate::fetch::size::ResponseSize;

/// The settings of a lane.
#[derive(Clone, Debug)]
pub struct Config {
    /// A broker answers when it has this many bytes, or after `max_wait`.
    pub min_bytes: i32,
    /// The longest a broker waits for bytes.
    pub max_wait: Duration,
    /// Whether records of aborted transactions are left out.
    pub is_read_committed: bool,
    /// Largest response to ask for, in bytes.
    pub response_max: u32,
    /// How long a partition that the broker refused is left alone.
    pub retry_after: Duration,
    /// `client.rack`, for brokers that prefer near replicas.
    pub rack: Arc<str>,
    /// How long a replica that the leader named is asked in its place: `metadata.max.age.ms`.
    pub nearer_for: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_bytes: 1,
            max_wait: Duration::from_millis(500),
            is_read_committed: true,
            response_max: ResponseSize::MAX,
            retry_after: Duration::from_millis(100),
            rack: "".into(),
            nearer_for: Duration::from_secs(300),
        }
    }
}
