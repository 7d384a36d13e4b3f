//! Which request waits for which answer, until when, and who may send at all.
//!
//! ```text
//!   waiting (not written) --take--> sent (in order) --answer--> gone
//! ```
//!
//! Brokers answer in the order of the requests, so the next answer belongs to the oldest one.

use std::collections::VecDeque;
use std::time::Duration;

use super::Fault;
use crate::time::Instant;

/// One request and when its patience ends.
#[derive(Debug)]
struct Entry<C> {
    call: C,
    api: &'static str,
    version: i16,
    correlation: i32,
    deadline: Instant,
    timeout: Duration,
}

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct InFlight<C> {
    waiting: VecDeque<Entry<C>>,
    sent: VecDeque<Entry<C>>,
    limit: usize,
    next_correlation: i32,
    muted_until: Instant,
}

/// A request that was answered.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Answered<C> {
    pub(super) call: C,
    pub(super) version: i16,
}

impl<C> InFlight<C> {
    /// At most `limit` requests are on their way at once.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            limit,
            next_correlation: 0,
            muted_until: Instant::from_nanos(0),
        }
    }

    /// Queues a request whose answer must come within `timeout`.
    pub(super) fn push(&mut self, now: Instant, call: C, api: &'static str, timeout: Duration) {
        let start = now.max(self.muted_until);
        self.waiting.push_back(Entry {
            call,
            api,
            version: 0,
            correlation: 0,
            deadline: start.after(timeout),
            timeout,
        });
    }

    /// Whether a request may be written now.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        self.muted_until <= now && self.sent.len() < self.limit && !self.waiting.is_empty()
    }

    /// The next request to write, with its correlation id. Follow with [`sent`](Self::sent).
    pub(super) fn next(&self) -> Option<(&C, i32)> {
        let correlation = self.next_correlation;
        self.waiting.front().map(|entry| (&entry.call, correlation))
    }

    /// The request of [`next`](Self::next) was written in `version`.
    pub(super) fn sent(&mut self, version: i16) {
        let Some(mut entry) = self.waiting.pop_front() else { return };
        entry.version = version;
        entry.correlation = self.next_correlation;
        self.next_correlation = self.next_correlation.checked_add(1).unwrap_or(0);
        self.sent.push_back(entry);
    }

    /// The request of [`next`](Self::next) cannot be written.
    pub(super) fn refuse(&mut self) -> Option<C> {
        self.waiting.pop_front().map(|entry| entry.call)
    }

    /// An answer with this correlation id came.
    pub(super) fn answer(&mut self, found: i32) -> Result<Answered<C>, Fault> {
        match self.sent.pop_front_if(|entry| entry.correlation == found) {
            Some(entry) => Ok(Answered { call: entry.call, version: entry.version }),
            None => Err(self.sent.front().map_or(Fault::Unasked, |entry| Fault::Correlation {
                expected: entry.correlation,
                found,
            })),
        }
    }

    /// The broker asks for quiet (KIP-219). The quiet time counts for nobody's patience.
    pub(super) fn mute(&mut self, now: Instant, quiet: Duration) {
        let until = now.after(quiet);
        let extra = until.since(self.muted_until.max(now));
        self.muted_until = self.muted_until.max(until);
        for entry in self.waiting.iter_mut().chain(&mut self.sent) {
            entry.deadline = entry.deadline.after(extra);
        }
    }

    /// The oldest passed deadline, if any.
    pub(super) fn overdue(&self, now: Instant) -> Option<Fault> {
        let late = self.sent.iter().chain(&self.waiting).find(|entry| entry.deadline <= now);
        late.map(|entry| Fault::Timeout { api: entry.api, after: entry.timeout })
    }

    /// When something is to be done next: a deadline passes, or quiet time ends.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let unmute =
            (now < self.muted_until && !self.waiting.is_empty()).then_some(self.muted_until);
        let deadlines = self.sent.iter().chain(&self.waiting).map(|entry| entry.deadline);
        deadlines.chain(unmute).min()
    }

    /// Whether nothing waits and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Gives everything up: first what was written, then what was not.
    pub(super) fn take_all(&mut self) -> (VecDeque<C>, VecDeque<C>) {
        let calls = |entries: &mut VecDeque<Entry<C>>| entries.drain(..).map(|e| e.call).collect();
        (calls(&mut self.sent), calls(&mut self.waiting))
    }
}
