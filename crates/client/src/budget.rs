//! The byte budget of a process: what is fetched and not yet let go of.
//!
//! Bytes are reserved before a Fetch is sent. What arrives is cut out of that reservation and
//! travels with the bytes as a [`Lease`]; the last slice that is dropped gives them back. What is
//! counted is chunks and inflated buffers alive, not records: a kept record pins its chunk.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

/// Shared by all that hold bytes; clones are the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    freed: Notify,
    total: usize,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    peak: usize,
}

/// Bytes taken out of a budget; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// 128 MiB: enough to keep a few brokers' responses and their work in memory.
    pub const DEFAULT: usize = 128 << 20;

    /// A budget of `total` bytes.
    #[must_use]
    pub fn new(total: usize) -> Self {
        let state = Mutex::new(State::default());
        Self(Arc::new(Inner { state, freed: Notify::new(), total }))
    }

    /// The budget that consumers share when they are given no other: [`Self::DEFAULT`] for the whole
    /// process.
    #[must_use]
    pub fn of_process() -> Self {
        static PROCESS: OnceLock<Budget> = OnceLock::new();
        PROCESS.get_or_init(|| Self::new(Self::DEFAULT)).clone()
    }

    /// All of it, in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// Bytes in use now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.state(|state| state.used)
    }

    /// Most bytes that were ever in use at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.state(|state| state.peak)
    }

    /// Takes `bytes` if there is room.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Lease> {
        let has_room = self.state(|state| {
            let fits = state.used.saturating_add(bytes) <= self.0.total;
            if fits {
                state.take(bytes);
            }
            fits
        });
        has_room.then(|| Lease { budget: self.clone(), bytes })
    }

    /// Takes `bytes` when there is room. A request for more than the whole budget is met when
    /// nothing else is in use, so that no one waits for ever.
    ///
    /// Cancel safe: nothing is taken when the future is dropped.
    pub async fn take(&self, bytes: usize) -> Lease {
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(lease) = self.try_take(bytes) {
                return lease;
            }
            if self.0.total < bytes && self.used() == 0 {
                return self.overdraw(bytes);
            }
            freed.await;
        }
    }

    /// Takes `bytes` whether there is room or not: for what has arrived already.
    #[must_use]
    pub fn overdraw(&self, bytes: usize) -> Lease {
        self.state(|state| state.take(bytes));
        Lease { budget: self.clone(), bytes }
    }

    /// Waits until something is given back. Cancel safe.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    const fn take(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
        if self.peak < self.used {
            self.peak = self.used;
        }
    }
}

impl Lease {
    /// How many bytes this lease is about.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds another lease of the same budget to this one.
    pub fn merge(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// A lease of `bytes`, cut from this one as far as it reaches; the rest is overdrawn, since
    /// what is asked for has arrived already.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let own = bytes.min(self.bytes);
        self.bytes -= own;
        let mut lease = self.budget.overdraw(bytes - own);
        lease.bytes = bytes;
        lease
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if 0 < self.bytes {
            self.budget.state(|state| state.used = state.used.saturating_sub(self.bytes));
            self.budget.0.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_dropped_lease_gives_its_bytes_back() {
        let budget = Budget::new(100);
        let lease = budget.try_take(60).unwrap();
        assert!(budget.try_take(41).is_none());
        drop(lease);
        assert_eq!((budget.used(), budget.peak()), (0, 60));
    }

    #[test]
    fn a_split_moves_bytes_and_overdraws_what_is_missing() {
        let budget = Budget::new(100);
        let mut reserved = budget.try_take(50).unwrap();
        let chunk = reserved.split(30);
        assert_eq!((reserved.bytes(), budget.used()), (20, 50));
        let oversized = reserved.split(70);
        assert_eq!((reserved.bytes(), budget.used()), (0, 100));
        drop((chunk, reserved, oversized));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_goes_on_when_bytes_are_given_back() {
        let budget = Budget::new(100);
        let lease = budget.try_take(100).unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.take(10).await.bytes() }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(lease);
        assert_eq!(waiting.await.unwrap(), 10);
    }

    #[tokio::test]
    async fn more_than_the_whole_budget_is_given_when_nothing_else_is_in_use() {
        let budget = Budget::new(100);
        assert_eq!(budget.take(500).await.bytes(), 500);
        assert_eq!(budget.used(), 0);
    }
}
