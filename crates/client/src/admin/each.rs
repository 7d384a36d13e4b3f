//! Calls about several things at once: what became of each, and which are tried again?

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use forebay_core::backoff::Backoff;
use forebay_core::rng::Rng;
use forebay_protocol::error_code::ErrorCode;

use super::Admin;
use crate::error::Error;

/// What became of each thing that a call was about.
pub type Each<K, V> = BTreeMap<K, Result<V, Error>>;

/// So long a broker may not have heard of what another one just made; afterwards it is believed
/// that there is no such thing.
const NEWS: Duration = Duration::from_secs(2);

/// What is not decided yet, with its last error, and what is.
struct Open<K, V> {
    left: BTreeMap<K, Option<Error>>,
    done: Each<K, V>,
}

/// Whether a broker that says "unknown" is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unknown {
    IsBelieved,
    MayBeNews,
}

impl<K: Clone + Ord, V> Open<K, V> {
    fn settle(&mut self, answers: Each<K, V>, unknown: Unknown) {
        for (key, answer) in answers {
            if self.left.remove(&key).is_none() {
                // Nobody asked for it.
                continue;
            }
            match answer {
                Err(error) if is_open(&error, unknown) => {
                    self.left.insert(key, Some(error));
                }
                decided => drop(self.done.insert(key, decided)),
            }
        }
    }

    /// The time is over. When nobody ever answered, that is the result of the whole call.
    fn late(
        mut self,
        what: &'static str,
        after: Duration,
        failed: Option<Error>,
    ) -> Result<Each<K, V>, Error> {
        let is_silent = self.done.is_empty() && self.left.values().all(Option::is_none);
        if is_silent {
            return Err(Error::Timeout { what, after, last: failed.map(Box::new) });
        }
        let late = self.left.into_iter().map(|(key, last)| {
            let last = last.or_else(|| failed.clone()).map(Box::new);
            (key, Err(Error::Timeout { what, after, last }))
        });
        self.done.extend(late);
        Ok(self.done)
    }
}

fn is_open(error: &Error, unknown: Unknown) -> bool {
    let is_unknown = error.broker_error() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    error.is_retriable() && !(is_unknown && unknown == Unknown::IsBelieved)
}

impl Admin {
    /// Asks about all of `keys`, and again about those whose errors pass, until the time is over.
    /// What an answer leaves out is asked for again.
    ///
    /// An error of the whole call is returned when it does not pass, or when nothing is decided.
    pub(super) async fn each<K, V, F>(
        &self,
        what: &'static str,
        keys: impl IntoIterator<Item = K>,
        attempt: impl Fn(Vec<K>) -> F,
    ) -> Result<Each<K, V>, Error>
    where
        K: Clone + Ord,
        F: Future<Output = Result<Each<K, V>, Error>>,
    {
        let begun = self.clock.now();
        let deadline = begun.after(self.timeout);
        let mut rng = Rng::from_seed(self.seed);
        let mut backoff = Backoff::new(self.retry);
        let left = keys.into_iter().map(|key| (key, None)).collect();
        let mut open = Open { left, done: Each::new() };
        while !open.left.is_empty() {
            let asked = open.left.keys().cloned().collect();
            let unknown = match self.clock.now().since(begun) < NEWS {
                true => Unknown::MayBeNews,
                false => Unknown::IsBelieved,
            };
            let failed = match self.by(deadline, attempt(asked)).await {
                Some(Ok(answers)) => {
                    open.settle(answers, unknown);
                    None
                }
                Some(Err(error)) if error.is_retriable() => Some(error),
                Some(Err(error)) => return Err(error),
                None => return open.late(what, self.timeout, None),
            };
            let again = self.clock.now().after(backoff.fail(&mut rng));
            if deadline <= again {
                return open.late(what, self.timeout, failed);
            }
            if !open.left.is_empty() {
                failed.iter().chain(open.left.values().flatten()).for_each(|it| self.refresh(it));
                self.clock.sleep_until(Some(again)).await;
            }
        }
        Ok(open.done)
    }
}

/// The one result of a call about one thing.
pub(super) fn only<K: Ord, V>(mut each: Each<K, V>, key: &K) -> Result<V, Error> {
    each.remove(key).unwrap_or(Err(Error::Closed))
}
