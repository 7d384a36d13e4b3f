//! May this record still start, and does its result still count?
//!
//! One cell per partition that is ours. The shard's driver writes it, workers and users read it:
//! a run in progress must stop at the next record, and a message would wait for its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use forebay_core::mutant::Mutant;
use tokio::sync::Notify;

/// Cells are never freed, only used again: so a record's [`Context`](crate::Context) can point to
/// one without counting references, which would cost more than the rest of its dispatch. There are
/// as many as partitions were ever ours at once.
static IDLE: Mutex<Vec<&'static Cell>> = Mutex::new(Vec::new());

/// Numbers of leases and of starts; never used twice, so that a late look at a cell that belongs to
/// another partition by now finds a different number.
static NEXT: AtomicU64 = AtomicU64::new(1);

#[derive(Debug)]
struct Cell {
    /// The lease it stands for; 0 when idle: nothing counts.
    lease: AtomicU64,
    /// The start under which records may run; 0 when none may.
    start: AtomicU64,
    /// The fencing token of the lease, and one more; 0 for none.
    token: AtomicU64,
    ended: Notify,
}

/// The writing end: the shard's driver has it for as long as the partition is ours.
#[derive(Debug)]
pub(crate) struct Lease {
    cell: &'static Cell,
    id: u64,
    start: u64,
}

/// The reading end of one start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leased {
    cell: &'static Cell,
    id: u64,
    start: u64,
}

/// The reading end without the start, and a small number of its holder's: two words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    cell: &'static Cell,
    /// The lease in the upper bits, the tag in the lower ones.
    word: u64,
}

/// Bits of the tag; a lease has the other forty, enough for thirty years of a thousand a second.
const TAG_BITS: u32 = 24;
const TAG_MAX: u32 = (1 << TAG_BITS) - 1;

impl Lease {
    /// The partition is ours, under this fencing token if there is a group; records may start.
    pub(crate) fn grant(token: Option<u32>) -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let cell = idle.unwrap_or_else(|| {
            Box::leak(Box::new(Cell {
                lease: AtomicU64::new(0),
                start: AtomicU64::new(0),
                token: AtomicU64::new(0),
                ended: Notify::new(),
            }))
        });
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut lease = Self { cell, id, start: 0 };
        lease.restart();
        cell.token.store(token.map_or(0, |token| u64::from(token) + 1), Ordering::Release);
        cell.lease.store(id, Ordering::Release);
        lease
    }

    /// Only records that are leased from now on may start.
    pub(crate) fn restart(&mut self) {
        self.start = NEXT.fetch_add(1, Ordering::Relaxed);
        self.cell.start.store(self.start, Ordering::Relaxed);
    }

    /// No record may start any more; what runs still counts.
    pub(crate) fn drain(&self) {
        self.cell.start.store(0, Ordering::Relaxed);
    }

    /// The reading end.
    pub(crate) const fn leased(&self) -> Leased {
        Leased { cell: self.cell, id: self.id, start: self.start }
    }
}

impl Drop for Lease {
    /// The partition is no longer ours: nothing counts, and who waits for the end is told.
    fn drop(&mut self) {
        self.drain();
        self.cell.lease.store(0, Ordering::Release);
        self.cell.ended.notify_waiters();
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self.cell);
    }
}

impl Leased {
    /// Whether a record may start now.
    #[inline]
    pub(crate) fn may_start(self) -> bool {
        self.cell.start.load(Ordering::Relaxed) == self.start || Mutant::NoFence.lives()
    }

    /// Whether results still count.
    #[inline]
    pub(crate) fn is_held(self) -> bool {
        self.cell.lease.load(Ordering::Acquire) == self.id
    }

    /// The same for a run of a handler, which has a number of its own.
    #[inline]
    pub(crate) const fn held(self, tag: u32) -> Held {
        let tag = if tag < TAG_MAX { tag } else { TAG_MAX };
        Held { cell: self.cell, word: self.id << TAG_BITS | tag as u64 }
    }
}

impl Held {
    /// Whether nothing more of the partition may start.
    pub(crate) fn is_draining(self) -> bool {
        self.is_held() && self.cell.start.load(Ordering::Relaxed) == 0
    }

    /// The holder's number; larger ones stand at the largest.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the tag has 24 bits")]
    pub(crate) const fn tag(self) -> u32 {
        (self.word & TAG_MAX as u64) as u32
    }

    /// Whether results still count.
    #[inline]
    pub(crate) fn is_held(self) -> bool {
        self.cell.lease.load(Ordering::Acquire) == self.word >> TAG_BITS
    }

    /// The fencing token of the lease, as long as it counts.
    pub(crate) fn token(self) -> Option<u32> {
        let token = self.cell.token.load(Ordering::Acquire);
        let token = u32::try_from(token.checked_sub(1)?).ok()?;
        // Looked at after the token: by now the cell may serve another partition.
        self.is_held().then_some(token)
    }

    /// Waits until results no longer count. Cancel safe.
    pub(crate) async fn ended(self) {
        loop {
            let ended = self.cell.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if !self.is_held() {
                return;
            }
            ended.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_start_only_under_the_current_start() {
        let mut lease = Lease::grant(None);
        let before = lease.leased();
        assert!(before.may_start());
        lease.restart();
        assert!(!before.may_start());
        assert!(lease.leased().may_start());
        lease.drain();
        assert!(!lease.leased().may_start());
        assert!(lease.leased().is_held(), "what runs still counts");
    }

    #[test]
    fn a_cell_that_serves_another_partition_does_not_revive_an_old_lease() {
        let first = Lease::grant(None);
        let old = first.leased();
        drop(first);
        let next: Vec<_> = (0..50).map(|_| Lease::grant(None)).collect();
        assert!(!old.is_held() && !old.may_start());
        assert!(next.iter().all(|lease| lease.leased().is_held()));
    }

    #[test]
    fn a_token_is_told_as_long_as_the_lease_counts_and_never_that_of_another() {
        let lease = Lease::grant(Some(7));
        let held = lease.leased().held(1);
        assert_eq!(held.token(), Some(7));
        lease.drain();
        assert_eq!(held.token(), Some(7), "what runs may still write");
        drop(lease);
        let others: Vec<_> = (0..50).map(|token| Lease::grant(Some(token))).collect();
        assert_eq!(held.token(), None);
        assert_eq!(others[3].leased().held(1).token(), Some(3));
        assert_eq!(Lease::grant(None).leased().held(1).token(), None);
    }

    #[tokio::test]
    async fn who_waits_for_the_end_is_told() {
        let lease = Lease::grant(None);
        let held = lease.leased().held(1);
        let waiting = tokio::spawn(held.ended());
        tokio::task::yield_now().await;
        drop(lease);
        waiting.await.unwrap();
        held.ended().await;
    }

    #[test]
    fn a_tag_rides_along_and_stops_at_its_largest() {
        let lease = Lease::grant(None);
        let tags = [0, 1, TAG_MAX, u32::MAX].map(|tag| lease.leased().held(tag));
        assert_eq!(tags.map(Held::tag), [0, 1, TAG_MAX, TAG_MAX]);
        assert!(tags.iter().all(|held| held.is_held()));
        drop(lease);
        assert!(!tags.iter().any(|held| held.is_held()));
    }
}
