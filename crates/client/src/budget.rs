//! The byte budget of a process: what is fetched and not yet let go of.
//!
//! Bytes are reserved before a Fetch is sent. What arrives is cut out of that reservation and
//! travels with the bytes as a [`Lease`]; the last slice that is dropped gives them back. What is
//! counted is chunks and inflated buffers alive, not records: a kept record pins its chunk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use forebay_core::mutant::Mutant;
use tokio::sync::Notify;

/// Part of a budget that fetches leave for copies: one in so many.
const COPY_PART: usize = 16;
/// The most that is left for copies, in bytes.
const COPY_MOST: usize = 2 << 20;

/// Shared by all that hold bytes; clones are the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    freed: Notify,
    total: usize,
    /// Bytes of chunks that somebody holds a part of.
    pinned: AtomicUsize,
    /// Bytes of those parts.
    parts: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// What of it was taken for bytes that have not come yet.
    reserved: usize,
    peak: usize,
}

/// A lease for bytes that are cut into parts, which hold it.
#[derive(Debug)]
pub(crate) struct Pin {
    lease: Lease,
}

/// A part of what is pinned.
#[derive(Debug)]
pub(crate) struct Part {
    pin: Arc<Pin>,
    bytes: usize,
}

/// Bytes taken out of a budget; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    bytes: usize,
    purpose: Purpose,
}

/// What a lease is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// Bytes that may come.
    Coming,
    /// Bytes that are there.
    Here,
}

impl Budget {
    /// 128 MiB: enough to keep a few brokers' responses and their work in memory.
    pub const DEFAULT: usize = 128 << 20;

    /// A budget of `total` bytes.
    #[must_use]
    pub fn new(total: usize) -> Self {
        let state = Mutex::new(State::default());
        let (freed, pinned, parts) = (Notify::new(), AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Inner { state, freed, total, pinned, parts }))
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

    /// Bytes in use now for what may come: reserved for fetches, and not filled yet.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.state(|state| state.reserved)
    }

    /// Most bytes that were ever in use at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.state(|state| state.peak)
    }

    /// Takes `bytes` if there is room.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Lease> {
        self.take_for(Purpose::Here, bytes)
    }

    /// Reserves `bytes` for what may come, if there is room beside what is kept for copies.
    #[must_use]
    pub fn try_reserve(&self, bytes: usize) -> Option<Lease> {
        self.take_for(Purpose::Coming, bytes)
    }

    fn take_for(&self, purpose: Purpose, bytes: usize) -> Option<Lease> {
        let most = match purpose {
            Purpose::Coming => self.most_reserved(),
            Purpose::Here => self.0.total,
        };
        let has_room = self.state(|state| {
            let fits = state.used.saturating_add(bytes) <= most || Mutant::UnboundedQueue.lives();
            if fits {
                state.take(purpose, bytes);
            }
            fits
        });
        has_room.then(|| Lease { budget: self.clone(), bytes, purpose })
    }

    /// Reserves `bytes` for what may come, when there is room. A request for more than there can be is met when
    /// nothing else is in use, so that no one waits for ever.
    ///
    /// Cancel safe: nothing is taken when the future is dropped.
    pub async fn reserve(&self, bytes: usize) -> Lease {
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(lease) = self.try_reserve(bytes) {
                return lease;
            }
            if self.most_reserved() < bytes && self.used() == 0 {
                return self.overdraw_for(Purpose::Coming, bytes);
            }
            freed.await;
        }
    }

    /// Fetches leave a little: what slow records pin can only be copied out, and freed, as long as
    /// there is room for the copy.
    fn most_reserved(&self) -> usize {
        self.0.total - (self.0.total / COPY_PART).min(COPY_MOST)
    }

    /// Takes `bytes` whether there is room or not: for what has arrived already.
    #[must_use]
    pub fn overdraw(&self, bytes: usize) -> Lease {
        self.overdraw_for(Purpose::Here, bytes)
    }

    fn overdraw_for(&self, purpose: Purpose, bytes: usize) -> Lease {
        self.state(|state| state.take(purpose, bytes));
        Lease { budget: self.clone(), bytes, purpose }
    }

    /// Whether chunks are pinned that little of is still held: more than a fifth beyond what is
    /// held, and `spare` bytes. Then copying what stands still frees more than it takes.
    pub(crate) fn is_wasted(&self, spare: usize) -> bool {
        let parts = self.0.parts.load(Ordering::Relaxed);
        parts + parts / 5 + spare < self.0.pinned.load(Ordering::Relaxed)
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
    fn take(&mut self, purpose: Purpose, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
        if purpose == Purpose::Coming {
            self.reserved = self.reserved.saturating_add(bytes);
        }
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

    /// Adds another lease of the same budget and purpose to this one.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// A lease of `bytes` that are there, cut from this one as far as it reaches; the rest is
    /// overdrawn, since what is asked for has arrived already.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let own = bytes.min(self.bytes);
        self.bytes -= own;
        if self.purpose == Purpose::Coming {
            self.budget.state(|state| state.reserved = state.reserved.saturating_sub(own));
        }
        let mut lease = self.budget.overdraw(bytes - own);
        lease.bytes = bytes;
        lease
    }
}

impl Pin {
    /// All of `lease` is pinned until the last part is gone.
    pub(crate) fn new(lease: Lease) -> Arc<Self> {
        lease.budget.0.pinned.fetch_add(lease.bytes, Ordering::Relaxed);
        Arc::new(Self { lease })
    }

    /// A part of `bytes`.
    pub(crate) fn part(self: &Arc<Self>, bytes: usize) -> Part {
        self.lease.budget.0.parts.fetch_add(bytes, Ordering::Relaxed);
        Part { pin: Arc::clone(self), bytes }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.lease.budget.0.pinned.fetch_sub(self.lease.bytes, Ordering::Relaxed);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.pin.lease.budget.0.parts.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if 0 < self.bytes {
            let coming = if self.purpose == Purpose::Coming { self.bytes } else { 0 };
            self.budget.state(|state| {
                state.used = state.used.saturating_sub(self.bytes);
                state.reserved = state.reserved.saturating_sub(coming);
            });
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
        let mut reserved = budget.try_reserve(50).unwrap();
        assert_eq!((budget.used(), budget.reserved()), (50, 50));
        let chunk = reserved.split(30);
        assert_eq!((reserved.bytes(), budget.used(), budget.reserved()), (20, 50, 20));
        let oversized = reserved.split(70);
        assert_eq!((reserved.bytes(), budget.used(), budget.reserved()), (0, 100, 0));
        drop((chunk, reserved, oversized));
        assert_eq!((budget.used(), budget.reserved()), (0, 0));
        let mut reserved = budget.try_reserve(10).unwrap();
        reserved.merge(budget.try_reserve(5).unwrap());
        assert_eq!(budget.reserved(), 15);
        drop(reserved);
        assert_eq!((budget.used(), budget.reserved()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_goes_on_when_bytes_are_given_back() {
        let budget = Budget::new(100);
        let lease = budget.try_take(100).unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(10).await.bytes() }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(lease);
        assert_eq!(waiting.await.unwrap(), 10);
    }

    #[tokio::test]
    async fn more_than_the_whole_budget_is_given_when_nothing_else_is_in_use() {
        let budget = Budget::new(100);
        assert_eq!(budget.reserve(500).await.bytes(), 500);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_pinned_for_small_parts_is_wasted() {
        let budget = Budget::new(1000);
        let pin = Pin::new(budget.try_take(500).unwrap());
        let (large, small) = (pin.part(400), pin.part(100));
        drop(pin);
        assert!(!budget.is_wasted(0));
        drop(large);
        assert!(budget.is_wasted(0) && budget.is_wasted(300) && !budget.is_wasted(400));
        assert_eq!(budget.used(), 500);
        drop(small);
        assert!(!budget.is_wasted(0));
        assert_eq!(budget.used(), 0);
    }
}
