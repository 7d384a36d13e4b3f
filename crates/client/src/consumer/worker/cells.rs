//! Futures of handlers in flight: polled where they lie, woken one by one.
//!
//! Each cell is one allocation that is used again for every record, so that a handler that is
//! ready at once costs no allocation and no wake-up. A future that is not ready stays in its cell;
//! its waker sets a bit and wakes the worker once.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tracing::Span;

use crate::budget::{Budget, Lease};
use crate::consumer::handler::HandlerPanic;

/// A fixed number of places for futures of one type.
pub(super) struct Cells<F> {
    cells: Vec<Pin<Box<Option<F>>>>,
    wakers: Vec<Waker>,
    free: Vec<usize>,
    /// Spans of the futures, for as long as somebody listens: beside them and not around them, so
    /// that nobody pays who does not.
    spans: BTreeMap<usize, Span>,
    ready: Arc<Ready>,
    /// Only held: what the cells take of the budget.
    _lease: Lease,
}

/// Bytes beside each future: its box, its waker, its ticket and their places.
const BESIDE: usize = 160;

/// Which cells want to be polled, and who polls them.
#[derive(Debug, Default)]
struct Ready {
    bits: Vec<AtomicU64>,
    worker: Mutex<Option<Waker>>,
}

struct CellWaker {
    cell: usize,
    ready: Arc<Ready>,
}

/// How a poll ended.
pub(super) type Polled<T> = Poll<Result<T, HandlerPanic>>;

impl<F: Future> Cells<F> {
    /// All of them at once, so that what lives as long as the worker lies together and not between
    /// buffers that come and go. Handlers that wait hold memory like records that wait, so they
    /// count in the budget; but only up to a quarter of it, since fetching must go on.
    pub(super) fn new(count: usize, budget: &Budget) -> Self {
        let bits = (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let ready = Arc::new(Ready { bits, worker: Mutex::new(None) });
        let waker = |cell| Waker::from(Arc::new(CellWaker { cell, ready: Arc::clone(&ready) }));
        let bytes = count.saturating_mul(size_of::<Option<F>>() + BESIDE);
        Self {
            cells: (0..count).map(|_| Box::pin(None)).collect(),
            wakers: (0..count).map(waker).collect(),
            free: (0..count).rev().collect(),
            spans: BTreeMap::new(),
            ready,
            _lease: budget.overdraw(bytes.min(budget.total() / 4)),
        }
    }

    /// A cell that is free, without taking it.
    #[inline]
    pub(super) fn peek_free(&self) -> Option<usize> {
        self.free.last().copied()
    }

    /// How many cells there are.
    pub(super) const fn count(&self) -> usize {
        self.cells.len()
    }

    /// How many of them are free.
    pub(super) const fn free(&self) -> usize {
        self.free.len()
    }

    /// Makes a future in the cell that [`peek_free`](Self::peek_free) named and polls it once. The
    /// cell is taken when the future is pending.
    ///
    /// A panic goes through: the loop that calls this thousands of times sets up one catch for all
    /// of them, and then calls [`clear`](Self::clear).
    #[inline]
    pub(super) fn start(&mut self, cell: usize, make: impl FnOnce() -> F) -> Poll<F::Output> {
        let (Some(place), Some(waker)) = (self.cells.get_mut(cell), self.wakers.get(cell)) else {
            return Poll::Pending;
        };
        place.set(Some(make()));
        let polled = poll(place, waker);
        match polled {
            Poll::Ready(_) => place.set(None),
            Poll::Pending => drop(self.free.pop()),
        }
        polled
    }

    /// As [`start`](Self::start), in a span.
    #[cold]
    pub(super) fn start_in(
        &mut self,
        span: Span,
        cell: usize,
        make: impl FnOnce() -> F,
    ) -> Poll<F::Output> {
        let polled = span.in_scope(|| self.start(cell, make));
        if polled.is_pending() {
            self.keep_span(cell, Some(span));
        }
        polled
    }

    /// Drops what a panic left in a free cell. It may panic again, which is of no interest.
    #[cold]
    pub(super) fn clear(&mut self, cell: usize) {
        if let Some(place) = self.cells.get_mut(cell) {
            drop(catch_unwind(AssertUnwindSafe(|| place.set(None))));
        }
    }

    /// Takes a free cell without a future: for a record that waits to be tried again.
    pub(super) fn occupy(&mut self) -> Option<usize> {
        self.free.pop()
    }

    /// Polls a taken cell; it is free again when the future has ended.
    pub(super) fn poll(&mut self, cell: usize) -> Polled<F::Output> {
        let (Some(place), Some(waker)) = (self.cells.get_mut(cell), self.wakers.get(cell)) else {
            return Poll::Pending;
        };
        if place.is_none() {
            return Poll::Pending;
        }
        let span = if self.spans.is_empty() { None } else { self.spans.remove(&cell) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let _entered = span.as_ref().map(Span::enter);
            poll(place, waker)
        }));
        let polled = settle(place, polled);
        if polled.is_ready() {
            self.free.push(cell);
        } else {
            self.keep_span(cell, span);
        }
        polled
    }

    /// Puts a new future into a cell that is occupied without one, and polls it once.
    pub(super) fn again(
        &mut self,
        cell: usize,
        span: Option<Span>,
        make: impl FnOnce() -> F,
    ) -> Polled<F::Output> {
        let Some(place) = self.cells.get_mut(cell) else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => place.set(Some(future)),
            Err(payload) => {
                self.free.push(cell);
                return Poll::Ready(Err(HandlerPanic::new(&*payload)));
            }
        }
        self.keep_span(cell, span);
        self.poll(cell)
    }

    fn keep_span(&mut self, cell: usize, span: Option<Span>) {
        if let Some(span) = span {
            self.spans.insert(cell, span);
        }
    }

    /// Drops what a taken cell holds.
    pub(super) fn cancel(&mut self, cell: usize) {
        if let Some(place) = self.cells.get_mut(cell) {
            drop(catch_unwind(AssertUnwindSafe(|| place.set(None))));
            self.spans.remove(&cell);
            self.free.push(cell);
        }
    }

    /// The worker that is woken from now on.
    pub(super) fn register(&self, waker: &Waker) {
        let mut worker = self.ready.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if !worker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *worker = Some(waker.clone());
        }
    }

    /// The next cell that wants to be polled.
    pub(super) fn next_ready(&self) -> Option<usize> {
        self.ready.bits.iter().enumerate().find_map(|(word, bits)| {
            let set = bits.load(Ordering::Acquire);
            if set == 0 {
                return None;
            }
            let bit = set.trailing_zeros();
            bits.fetch_and(!(1 << bit), Ordering::AcqRel);
            Some(word * 64 + bit as usize)
        })
    }
}

#[inline]
fn poll<F: Future>(place: &mut Pin<Box<Option<F>>>, waker: &Waker) -> Poll<F::Output> {
    match place.as_mut().as_pin_mut() {
        Some(future) => future.poll(&mut Context::from_waker(waker)),
        None => Poll::Pending,
    }
}

/// A future that ended or panicked is dropped.
#[inline]
fn settle<F: Future>(
    place: &mut Pin<Box<Option<F>>>,
    polled: std::thread::Result<Poll<F::Output>>,
) -> Polled<F::Output> {
    match polled {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => {
            place.set(None);
            Poll::Ready(Ok(output))
        }
        Err(payload) => {
            // A future that panicked once may panic again when dropped.
            drop(catch_unwind(AssertUnwindSafe(|| place.set(None))));
            Poll::Ready(Err(HandlerPanic::new(&*payload)))
        }
    }
}

impl Wake for CellWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(bits) = self.ready.bits.get(self.cell / 64) else { return };
        if bits.fetch_or(1 << (self.cell % 64), Ordering::AcqRel) == 0 {
            let worker = self.ready.worker.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(worker) = worker {
                worker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = u32>>>;

    fn cells(count: usize) -> Cells<Boxed> {
        let cells = Cells::new(count, &Budget::new(1 << 20));
        cells.register(Waker::noop());
        cells
    }

    #[test]
    fn what_is_ready_at_once_takes_no_cell() {
        let mut cells = cells(2);
        let cell = cells.peek_free().unwrap();
        let polled = cells.start(cell, || Box::pin(async { 7 }));
        assert!(matches!(polled, Poll::Ready(7)));
        assert_eq!(cells.free(), 2);
    }

    #[test]
    fn what_is_woken_is_named_once() {
        let mut cells = cells(200);
        let (tx, rx) = tokio::sync::oneshot::channel();
        for _ in 0..130 {
            let cell = cells.peek_free().unwrap();
            assert!(cells.start(cell, || Box::pin(std::future::pending())).is_pending());
        }
        let cell = cells.peek_free().unwrap();
        assert!(cells.start(cell, || Box::pin(async { rx.await.unwrap() })).is_pending());
        assert_eq!(cells.next_ready(), None);

        tx.send(9).unwrap();

        assert_eq!(cells.next_ready(), Some(cell));
        assert!(matches!(cells.poll(cell), Poll::Ready(Ok(9))));
        assert_eq!((cells.next_ready(), cells.free()), (None, 70));
    }

    #[test]
    fn a_panic_is_an_error_and_frees_the_cell() {
        let mut cells = cells(1);
        let polled = cells.start(0, || {
            Box::pin(async {
                tokio::task::yield_now().await;
                panic!("boom {}", 1)
            })
        });
        assert!(polled.is_pending());
        assert_eq!(cells.peek_free(), None);
        let Poll::Ready(Err(panic)) = cells.poll(0) else { panic!("it must be an error") };
        assert_eq!(panic.message, "boom 1");
        assert_eq!(cells.peek_free(), Some(0));

        cells.occupy();
        let polled = cells.again(0, None, || panic!("before the future"));
        assert!(matches!(polled, Poll::Ready(Err(_))));
        assert_eq!(cells.peek_free(), Some(0));
    }

    #[test]
    fn what_a_panic_left_is_cleared() {
        let mut cells = cells(1);
        let guard = Arc::new(());
        let held = Arc::clone(&guard);
        let started = catch_unwind(AssertUnwindSafe(|| {
            cells.start(0, || {
                Box::pin(std::future::poll_fn(move |_| {
                    assert_eq!(Arc::strong_count(&held), 1, "boom");
                    Poll::Ready(0)
                }))
            })
        }));
        assert!(started.is_err());
        cells.clear(0);
        assert_eq!((Arc::strong_count(&guard), cells.peek_free()), (1, Some(0)));
    }

    #[test]
    fn a_cancelled_future_is_dropped() {
        let mut cells = cells(1);
        let guard = Arc::new(());
        let held = Arc::clone(&guard);
        let polled = cells.start(0, || {
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(held);
                0
            })
        });
        assert!(polled.is_pending());
        assert_eq!(Arc::strong_count(&guard), 2);
        cells.cancel(0);
        assert_eq!((Arc::strong_count(&guard), cells.free()), (1, 1));
    }

    #[test]
    fn cells_count_in_the_budget_up_to_a_quarter_of_it() {
        let budget = Budget::new(100 << 10);
        let few: Cells<Boxed> = Cells::new(10, &budget);
        assert!((10 * BESIDE..20 * BESIDE).contains(&budget.used()), "{}", budget.used());
        drop(few);
        let many: Cells<Boxed> = Cells::new(1000, &budget);
        assert_eq!(budget.used(), 25 << 10);
        drop(many);
        assert_eq!(budget.used(), 0);
    }
}
