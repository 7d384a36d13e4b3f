//! The request log: what clients asked, when, so that tests can assert rates.

use std::collections::VecDeque;
use std::time::Duration;

use forebay_protocol::api::ApiKey;
use forebay_protocol::types::BrokerId;

use crate::connection::ConnectionId;

/// How many requests are remembered; the oldest go first.
const REMEMBERED: usize = 100_000;

/// A request that came.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Seen {
    /// When, since the cluster was made.
    pub at: Duration,
    /// To which node.
    pub node: BrokerId,
    /// On which connection.
    pub connection: ConnectionId,
    /// What was asked.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// By whom.
    pub client_id: Option<String>,
    /// Under which number.
    pub correlation_id: i32,
    /// How many bytes the frame has, without its length prefix.
    pub bytes: usize,
}

/// The requests that came, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    seen: VecDeque<Seen>,
}

impl RequestLog {
    pub(crate) fn note(&mut self, seen: Seen) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }
}
