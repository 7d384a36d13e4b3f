//! Admin: one call, one typed answer. Straight-line code: an admin call has no states.

mod configs;
mod each;
mod groups;
mod leaders;
mod nodes;
mod offsets;
mod records;
mod route;
mod topics;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::backoff::{self, Backoff};
use forebay_core::rng::Rng;
use forebay_core::time::Instant;
use forebay_protocol::error_code::{ErrorCode, Refresh};

pub use configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};
pub use each::Each;
pub use groups::{GroupDescription, GroupListing, GroupMember};
pub use leaders::{Elected, Election, Reassignment};
pub use nodes::{ClusterDescription, LogDir, Node, ReplicaSize};
pub use offsets::{CommittedOffset, ListedOffset, OffsetSpec};
pub use records::DeleteBefore;
pub use topics::{NewTopic, PartitionDescription, TopicDescription};

use crate::cluster::Cluster;
use crate::config::ClientConfig;
use crate::error::Error;
use crate::net::connector::{Connector, TcpConnector};
use crate::runtime::Clock;

/// How long a broker may take to do what it was asked for.
const BROKER_TIMEOUT_MS: i32 = 30_000;

/// So much longer an attempt may take that knows itself when the time is over: its error says why.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Asks and changes a cluster. Cheap to clone; connections close with the last clone.
///
/// Every call is tried again on errors that pass, until `default.api.timeout.ms`; calls about
/// several things say of [each](Each) what became of it. What changes a cluster is sent to its
/// controller, what concerns a partition to its leader. Dropping a call's future leaves open
/// whether it happened.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
    retry: backoff::Config,
    timeout: Duration,
    clock: Clock,
    seed: u64,
}

impl Admin {
    /// An admin client over TCP.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a setting that cannot be used, [`Error::Start`] outside a Tokio
    /// runtime.
    pub fn new(config: &ClientConfig) -> Result<Self, Error> {
        Self::with_connector(config, Arc::new(TcpConnector::default()), Clock::start())
    }

    /// An admin client over another way to dial, and another clock.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_connector(
        config: &ClientConfig,
        connector: Arc<dyn Connector>,
        clock: Clock,
    ) -> Result<Self, Error> {
        config.check()?;
        tokio::runtime::Handle::try_current().map_err(std::io::Error::other)?;
        Ok(Self {
            cluster: Cluster::spawn(config, connector, clock),
            retry: backoff::Config { first: config.retry_backoff, max: config.retry_backoff_max },
            timeout: config.api_timeout,
            clock,
            seed: config.seed(),
        })
    }

    /// Tries `attempt` until it succeeds, fails for good, or the time is over.
    async fn retrying<T, F>(&self, what: &'static str, attempt: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = self.clock.now().after(self.timeout);
        let mut backoff = Backoff::new(self.retry);
        let mut rng = Rng::from_seed(self.seed);
        let mut last = None;
        loop {
            let error = match self.by(deadline, attempt()).await {
                Some(Ok(done)) => return Ok(done),
                Some(Err(error)) if !error.is_retriable() => return Err(error),
                Some(Err(error)) => error,
                None => return Err(Error::Timeout { what, after: self.timeout, last }),
            };
            let again = self.clock.now().after(backoff.fail(&mut rng));
            if deadline <= again {
                let last = Some(Box::new(error));
                return Err(Error::Timeout { what, after: self.timeout, last });
            }
            self.refresh(&error);
            last = Some(Box::new(error));
            self.clock.sleep_until(Some(again)).await;
        }
    }

    /// What an attempt brings, unless it takes too long: a broker that has stopped in the middle
    /// answers for none of the time that a call may take.
    async fn by<T>(
        &self,
        deadline: Instant,
        attempt: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        tokio::select! {
            biased;
            result = attempt => Some(result),
            () = self.clock.sleep_until(Some(deadline.after(LAST_WORDS))) => None,
        }
    }

    /// Asks anew what an error shows to be out of date.
    fn refresh(&self, error: &Error) {
        let code = error.broker_error().map(ErrorCode);
        let refresh = code.map_or(Refresh::Nothing, ErrorCode::refresh);
        if matches!(refresh, Refresh::Metadata | Refresh::Controller) {
            self.cluster.stale();
        }
    }
}

#[cfg(test)]
mod tests;
