//! What user code implements, what it is told, and what it says.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{Offset, TopicPartition};

use super::lease::{Held, Leased};

/// A handler's error, of any type.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Handles units of work: a [`Record`](crate::Record) or a [`Batch`](crate::Batch) at a time.
///
/// Every `Fn(unit, Context) -> impl Future` whose output is an [`IntoOutcome`] is one: closures
/// and `async fn`s need no type of their own.
pub trait Handler<U> {
    /// What a run of the handler ends with.
    type Output: IntoOutcome;
    /// One run of the handler. It is dropped before its end when the partition is lost or the
    /// drain deadline passes.
    type Future: Future<Output = Self::Output>;

    /// Starts a run.
    fn handle(&self, unit: U, context: Context) -> Self::Future;
}

impl<U, F, Fut> Handler<U> for F
where
    F: Fn(U, Context) -> Fut,
    Fut: Future,
    Fut::Output: IntoOutcome,
{
    type Output = Fut::Output;
    type Future = Fut;

    #[inline]
    fn handle(&self, unit: U, context: Context) -> Fut {
        self(unit, context)
    }
}

/// What a handler says about a unit.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done: it may be committed.
    Done,
    /// It failed; it is tried again as the [`FailurePolicy`] says.
    Failed(BoxError),
    /// It failed and trying again is of no use: the policy decides at once.
    Fatal(BoxError),
}

/// What can stand at the end of a handler: nothing, a `Result` with any error, an [`Outcome`].
pub trait IntoOutcome {
    /// The outcome it stands for.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    #[inline]
    fn into_outcome(self) -> Outcome {
        Outcome::Done
    }
}

impl IntoOutcome for Outcome {
    #[inline]
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<T: IntoOutcome, E: Into<BoxError>> IntoOutcome for Result<T, E> {
    #[inline]
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(outcome) => outcome.into_outcome(),
            Err(error) => Outcome::Failed(error.into()),
        }
    }
}

/// What a run of a handler may know about itself. Two words, like the record beside it.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    held: Held,
}

impl Context {
    #[inline]
    pub(crate) const fn new(leased: Leased, attempt: u32) -> Self {
        Self { held: leased.held(attempt) }
    }

    /// Which try this is, counted from 1. It stops counting at 16,777,215.
    #[inline]
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.held.tag()
    }

    /// When this run will be cancelled; `None` while handlers have no deadline of their own.
    #[must_use]
    pub const fn deadline(&self) -> Option<tokio::time::Instant> {
        None
    }

    /// Whether the partition is still ours, so that the result counts. Worth asking before an
    /// effect that cannot be taken back.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.held.is_held()
    }

    /// How we stand to the partition. While it drains the run may end, and its result counts;
    /// nothing else of the partition starts.
    #[must_use]
    pub fn ownership(&self) -> Ownership {
        match (self.held.is_held(), self.held.is_draining()) {
            (false, _) => Ownership::Lost,
            (true, true) => Ownership::Draining,
            (true, false) => Ownership::Held,
        }
    }

    /// The fencing token of our time with this partition: the generation of the group, or the member
    /// epoch (KIP-848), under which it became ours. `None` when it is not ours any more, and for
    /// partitions that no group gave.
    ///
    /// For effects outside of Kafka that must not come from an older owner: whoever owns the
    /// partition later has a larger token. Write it with the effect, and let the store refuse what
    /// carries a smaller one than it has seen for the same group and partition:
    ///
    /// ```sql
    /// UPDATE balance SET amount = $1, token = $2 WHERE account = $3 AND token <= $2
    /// ```
    ///
    /// A group that was deleted and made anew, or whose offsets have expired, counts from the start
    /// again.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u32> {
        self.held.token()
    }

    /// Waits until the partition is no longer ours. Cancel safe.
    pub async fn cancelled(&self) {
        self.held.ended().await;
    }
}

/// How a consumer stands to a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ownership {
    /// It is ours.
    Held,
    /// It is being given up: what runs may end until the drain deadline.
    Draining,
    /// It is not ours any more: results do not count.
    Lost,
}

/// What happens when a record fails for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "commit or not, go on or stop: there is no fifth")]
pub enum Decision {
    /// Count it as done and go on.
    CommitAndContinue,
    /// Go on, but never commit past it: it is seen again after a restart.
    DoNotCommitAndContinue,
    /// Count it as done and stop its partition.
    CommitAndStop,
    /// Stop its partition; nothing is committed past it. The default.
    DoNotCommitAndStop,
}

/// A unit that failed for good.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// Its partition.
    pub tp: &'a TopicPartition,
    /// The record, or the first one of the batch.
    pub offset: Offset,
    /// How often it was tried.
    pub attempts: u32,
    /// The handler's last error, or its panic.
    pub error: &'a (dyn StdError + Send + Sync),
}

/// Decides about a unit that failed for good.
pub type Decide = Arc<dyn Fn(&Failure<'_>) -> Decision + Send + Sync>;

/// How often a failed unit is tried again, how long that waits, and what happens then.
///
/// A panic of the handler is a failure like any other.
#[derive(Clone)]
pub struct FailurePolicy {
    /// Tries after the first. Default 0.
    pub retries: u32,
    /// Wait before the first of them; it doubles with each further one. Default 500 ms.
    pub backoff: Duration,
    /// Longest wait. Default 30 s.
    pub backoff_max: Duration,
    /// Asked when the last try failed. Default: [`Decision::DoNotCommitAndStop`].
    pub decide: Decide,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            retries: 0,
            backoff: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            decide: Arc::new(|_| Decision::DoNotCommitAndStop),
        }
    }
}

impl fmt::Debug for FailurePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailurePolicy")
            .field("retries", &self.retries)
            .field("backoff", &self.backoff)
            .field("backoff_max", &self.backoff_max)
            .finish_non_exhaustive()
    }
}

impl FailurePolicy {
    /// The wait before the try that follows `attempt` tries.
    pub(crate) fn wait_after(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.backoff.saturating_mul(doubled).min(self.backoff_max)
    }
}

/// A handler's panic, as an error.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {message}")]
pub struct HandlerPanic {
    /// What it panicked with, when that was text.
    pub message: String,
}

impl HandlerPanic {
    pub(crate) fn new(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self { message: message.unwrap_or_else(|| "no message".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = FailurePolicy {
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(5),
            ..FailurePolicy::default()
        };
        let waits: Vec<_> = [1, 2, 3, 4, 99].map(|n| policy.wait_after(n).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn results_of_any_error_type_are_outcomes() {
        assert!(matches!(().into_outcome(), Outcome::Done));
        assert!(matches!(Ok::<(), String>(()).into_outcome(), Outcome::Done));
        let failed = Err::<(), _>("no").into_outcome();
        assert!(matches!(failed, Outcome::Failed(error) if error.to_string() == "no"));
        let fatal = Ok::<_, std::io::Error>(Outcome::Fatal("no".into())).into_outcome();
        assert!(matches!(fatal, Outcome::Fatal(_)));
    }
}
