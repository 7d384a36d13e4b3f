//! Runs handlers over the records of its partitions.
//!
//! A worker is one future. It takes jobs, opens their batches, starts handlers as the order and the
//! concurrency allow, polls those that are not ready at once, and tells its shard how far each job
//! is. Nothing per record is sent, locked or allocated: a handler that is ready at once costs its
//! own time and a few nanoseconds.
//!
//! ```text
//!   jobs --> strand (one per partition) --> cell (one per running handler) --> progress
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use forebay_core::run::{Job, Progress};
use forebay_core::slot::Slot;
use forebay_core::work::Order;
use tokio::time::{Instant, Sleep};
use tracing::Span;

use self::cells::Cells;
pub(crate) use self::open::Unit;
use self::open::{OpenRun, Opener};
use self::strand::{Strand, Ticket};
use super::handler::{FailurePolicy, Handler};
use super::lease::Leased;
use super::record::Partition;
use crate::budget::Budget;
use crate::link;
use crate::runtime::{Clock, Gate, Validity};

mod cells;
mod failure;
mod open;
mod strand;

/// Shard to worker.
pub(crate) enum ToWorker {
    /// Jobs of this turn, with the lease under which each may start.
    Jobs(Vec<(Job, Leased)>),
    /// A slot has a partition; jobs of it follow.
    Gained(Slot, Arc<Partition>),
    /// What may start of a slot has changed: let go of what may not.
    Look(Slot),
    /// The slot is free: cancel what runs.
    Gone(Slot),
}

/// What a worker is made with.
pub(crate) struct Setup {
    pub(crate) order: Order,
    /// Handlers that may run at once in this worker; at least 1.
    pub(crate) concurrency: usize,
    pub(crate) policy: FailurePolicy,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    /// Until when records may start, as far as the group is concerned.
    pub(crate) validity: Validity,
    /// How often the progress of unfinished jobs is told.
    pub(crate) flush_every: Duration,
    pub(crate) inbox: link::Receiver<ToWorker>,
    pub(crate) progress: link::Sender<Vec<Progress>>,
}

/// Most units that are started before other tasks of the runtime get their turn.
const TURN: usize = 8192;

/// A future that ends when its shard is gone.
pub(crate) struct Worker<U: Unit, H: Handler<U>> {
    handler: Arc<H>,
    setup: Setup,
    cells: Cells<H::Future>,
    /// What runs in each cell.
    tickets: Vec<Option<Ticket>>,
    /// By slot.
    strands: Vec<Option<Strand>>,
    /// How many strands there are.
    gained: usize,
    /// Strands that may have something to start.
    runnable: VecDeque<Slot>,
    /// Strands that have their share of the cells and wait for others to be free.
    throttled: Vec<Slot>,
    /// Strands that may not start anything while the membership may have expired.
    fenced: Vec<Slot>,
    /// Cells that wait to be tried again.
    retries: BTreeSet<(Instant, usize)>,
    opener: Opener,
    gate: Gate,
    progress: Vec<Progress>,
    runs: u64,
    flush_at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
    /// When this turn began, by the clock of the planes: exact enough for how long handlers run.
    turn_began: forebay_core::time::Instant,
    _unit: std::marker::PhantomData<fn() -> U>,
}

impl<U: Unit, H: Handler<U>> Worker<U, H> {
    pub(crate) fn new(handler: Arc<H>, setup: Setup) -> Self {
        let count = setup.concurrency.max(1);
        let opener = Opener::new(setup.budget.clone());
        let cells = Cells::new(count, &setup.budget);
        let gate = Gate::new(setup.validity.clone(), setup.clock);
        Self {
            handler,
            setup,
            cells,
            tickets: Vec::new(),
            strands: Vec::new(),
            gained: 0,
            runnable: VecDeque::new(),
            throttled: Vec::new(),
            fenced: Vec::new(),
            retries: BTreeSet::new(),
            opener,
            gate,
            progress: Vec::new(),
            runs: 0,
            flush_at: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: None,
            turn_began: forebay_core::time::Instant::default(),
            _unit: std::marker::PhantomData,
        }
    }

    fn hear(&mut self, message: ToWorker) {
        match message {
            ToWorker::Jobs(jobs) => {
                jobs.into_iter().for_each(|(job, leased)| self.admit(job, leased))
            }
            ToWorker::Gained(slot, partition) => {
                self.gained += 1;
                self.put_strand(slot, Strand::new(partition));
            }
            ToWorker::Look(slot) => self.look(slot),
            ToWorker::Gone(slot) => self.forget(slot),
        }
    }

    fn admit(&mut self, job: Job, leased: Leased) {
        let slot = job.run.slot;
        let Some(strand) = strand(&mut self.strands, slot) else { return };
        self.runs += 1;
        strand.runs.push_back(OpenRun::new(self.runs, job, leased));
        Self::wake(&mut self.runnable, strand, slot);
        if self.flush_at.is_none() {
            self.flush_at = Some(Instant::now() + self.setup.flush_every);
        }
    }

    /// A strand on loan to a method that needs the rest of the worker too.
    fn take_strand(&mut self, slot: Slot) -> Option<Strand> {
        self.strands.get_mut(slot.index())?.take()
    }

    fn put_strand(&mut self, slot: Slot, strand: Strand) {
        if self.strands.len() <= slot.index() {
            self.strands.resize_with(slot.index() + 1, || None);
        }
        if let Some(place) = self.strands.get_mut(slot.index()) {
            *place = Some(strand);
        }
    }

    /// Notes what runs or waits in a cell.
    fn put_ticket(&mut self, cell: usize, ticket: Ticket) {
        if self.tickets.len() <= cell {
            self.tickets.resize_with(cell + 1, || None);
        }
        if let Some(place) = self.tickets.get_mut(cell) {
            *place = Some(ticket);
        }
    }

    /// A cell is free: those that had their share may have more of it now.
    fn wake_throttled(&mut self) {
        let throttled = std::mem::take(&mut self.throttled);
        self.wake_all(throttled);
    }

    fn wake_all(&mut self, slots: Vec<Slot>) {
        for slot in slots {
            if let Some(strand) = strand(&mut self.strands, slot) {
                Self::wake(&mut self.runnable, strand, slot);
            }
        }
    }

    /// The last quarter of the cells is kept for strands that have less than their part of all: so
    /// that one whose handlers hang does not take every one of them.
    fn is_over_share(&self, strand: &Strand) -> bool {
        let cells = self.cells.count();
        let part = (cells / self.gained.max(1)).max(1);
        part <= strand.in_flight && self.cells.free() <= cells / 4
    }

    fn wake(runnable: &mut VecDeque<Slot>, strand: &mut Strand, slot: Slot) {
        if !strand.is_runnable {
            strand.is_runnable = true;
            runnable.push_back(slot);
        }
    }

    /// Lets every runnable strand start what it may. Returns how many units were started.
    fn start_all(&mut self) -> usize {
        let mut started = 0;
        while started < TURN
            && let Some(slot) = self.runnable.pop_front()
        {
            let Some(mut strand) = self.take_strand(slot) else { continue };
            strand.is_runnable = false;
            let (count, is_more) = self.run_strand(slot, &mut strand, TURN - started);
            started += count;
            if is_more {
                strand.is_runnable = true;
            }
            self.put_strand(slot, strand);
            match (is_more, self.cells.peek_free().is_some()) {
                // No cell is free: it stays first in line.
                (true, false) => {
                    self.runnable.push_front(slot);
                    break;
                }
                (true, true) => self.runnable.push_back(slot),
                (false, _) => {}
            }
        }
        started
    }

    /// Polls the handlers that were woken.
    fn poll_woken(&mut self) -> usize {
        let mut polled = 0;
        while polled < TURN
            && let Some(cell) = self.cells.next_ready()
        {
            polled += 1;
            if let Poll::Ready(output) = self.cells.poll(cell) {
                self.finish_cell(cell, output);
            }
        }
        polled
    }

    /// Tells the progress of this turn; of unfinished jobs when their time has come.
    fn tell(&mut self, now: Option<Instant>) {
        if let (Some(now), Some(at)) = (now, self.flush_at)
            && at <= now
        {
            self.tell_unfinished();
            let fenced = std::mem::take(&mut self.fenced);
            self.wake_all(fenced);
            let has_open = self.strands.iter().flatten().any(|strand| !strand.runs.is_empty());
            self.flush_at = has_open.then(|| now + self.setup.flush_every);
        }
        if !self.progress.is_empty() {
            self.setup.progress.send(std::mem::take(&mut self.progress));
        }
    }

    /// Arms the one timer for the next flush or retry, and looks whether it has fired.
    fn poll_timer(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let retry = self.retries.first().map(|(at, _)| *at);
        let next = [retry, self.flush_at].into_iter().flatten().min();
        let Some(at) = next else { return false };
        if self.timer_at != Some(at) {
            self.timer.as_mut().reset(at);
            self.timer_at = Some(at);
        }
        let is_due = self.timer.as_mut().poll(cx).is_ready();
        if is_due {
            self.timer_at = None;
        }
        is_due
    }
}

fn strand(strands: &mut [Option<Strand>], slot: Slot) -> Option<&mut Strand> {
    strands.get_mut(slot.index())?.as_mut()
}

/// Whether anybody listens to the spans of handler runs.
fn has_listener() -> bool {
    tracing::enabled!(target: "forebay::handler", tracing::Level::DEBUG)
}

/// The span of one handler run: place and try, never payloads.
#[cold]
fn span(partition: &Partition, first: forebay_protocol::types::Offset, attempt: u32) -> Span {
    tracing::debug_span!(
        target: "forebay::handler", "handle", tp = %partition.tp, offset = first.0, attempt
    )
}

impl<U: Unit, H: Handler<U>> Unpin for Worker<U, H> {}

impl<U: Unit, H: Handler<U>> Future for Worker<U, H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        this.cells.register(cx.waker());
        this.turn_began = this.setup.clock.now();
        let mut units = 0;
        loop {
            let mut is_idle = true;
            while let Poll::Ready(message) = this.setup.inbox.poll_recv(cx) {
                let Some(message) = message else { return Poll::Ready(()) };
                this.hear(message);
                is_idle = false;
            }
            let now = this.poll_timer(cx).then(Instant::now);
            if let Some(now) = now {
                this.retry_due(now);
                is_idle = false;
            }
            let polled = this.poll_woken();
            units += polled + this.start_all();
            this.tell(now);
            if TURN <= units {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if is_idle && polled == 0 {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests;
