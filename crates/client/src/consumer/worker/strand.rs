//! The jobs of one partition, and what of them may start.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;

use forebay_core::orders::Fault;
use forebay_core::run::{Done, Ended, Progress};
use forebay_core::slot::Slot;
use forebay_core::time::Instant;
use forebay_core::work::Order;
use forebay_protocol::records::error::RecordsError;
use forebay_protocol::types::{Offset, Position};

use super::failure::Failed;
use super::open::{Blocked, OpenRun, Taken, Unit, may_be_cured};
use super::{Partition, Worker, has_listener, span};
use crate::consumer::handler::{Context, Handler, HandlerPanic};
use crate::consumer::record::OpenBatch;

/// One partition in its worker.
pub(super) struct Strand {
    pub(super) partition: Arc<Partition>,
    /// Jobs in offset order; those at the front may be exhausted and wait for their handlers.
    pub(super) runs: VecDeque<OpenRun>,
    /// Whether it stands in line.
    pub(super) is_runnable: bool,
    /// Units that run or wait to be tried again.
    pub(super) in_flight: usize,
}

/// What runs, or waits to be tried again, in a cell.
pub(super) struct Ticket {
    pub(super) slot: Slot,
    pub(super) run: u64,
    pub(super) first: Offset,
    /// Tries so far, this one included.
    pub(super) attempt: u32,
    pub(super) batch: Arc<OpenBatch>,
    pub(super) since: Instant,
}

/// A unit whose handler did not just succeed.
struct Started {
    run: u64,
    first: Offset,
    since: Instant,
    batch: Arc<OpenBatch>,
}

/// One stay in the hot loop.
struct Turn {
    /// The free cell in which handlers are tried.
    cell: usize,
    /// Most units to start.
    most: usize,
    started: usize,
    /// The unit whose handler has the processor.
    running: Option<Offset>,
    stopped: Stopped,
}

/// Why the hot loop ended.
enum Stopped {
    /// It is another strand's turn, or the lease has changed.
    Quota,
    /// There is nothing to start.
    Idle,
    /// A handler has to wait.
    Waits { cell: usize, ticket: Started },
    /// A handler failed.
    Failed { ticket: Started, failed: Failed },
    /// A job is exhausted or was let go of.
    Released,
}

impl Started {
    fn of(self, slot: Slot) -> Ticket {
        let Self { run, first, since, batch } = self;
        Ticket { slot, run, first, attempt: 1, batch, since }
    }
}

/// Why a job ends at a batch that cannot be read.
fn ending(base: Offset, last: Offset, error: &RecordsError) -> Ended {
    let reason: Arc<str> = error.to_string().into();
    if may_be_cured(error) {
        return Ended::BadBatch { base, last, reason };
    }
    Ended::Fault(Fault::Corrupt { base, last, reason })
}

impl Strand {
    pub(super) const fn new(partition: Arc<Partition>) -> Self {
        Self { partition, runs: VecDeque::new(), is_runnable: false, in_flight: 0 }
    }

    pub(super) fn run(&mut self, number: u64) -> Option<&mut OpenRun> {
        self.runs.iter_mut().find(|run| run.number == number)
    }
}

impl OpenRun {
    /// Nothing more of it may start; what was not started is let go of.
    pub(super) fn release(&mut self, why: Ended) {
        if !self.is_exhausted {
            self.is_exhausted = true;
            self.cut.get_or_insert((self.next, why));
        }
    }

    /// A unit is not done and will not be: nothing after `first` counts.
    pub(super) fn cut_at(&mut self, first: Offset, why: Ended) {
        let at = Position(first.0);
        match &mut self.cut {
            Some((cut, kept)) if at < *cut => (*cut, *kept) = (at, why),
            Some(_) => {}
            None => self.cut = Some((at, why)),
        }
    }

    /// What to tell when nothing of it runs any more.
    fn ending(&mut self) -> Done {
        self.cut.take().map_or(Done::All, |(at, why)| Done::Ended { at, why })
    }
}

impl<U: Unit, H: Handler<U>> Worker<U, H> {
    /// Starts units of a strand. Returns how many, and whether it may have more.
    pub(super) fn run_strand(
        &mut self,
        slot: Slot,
        strand: &mut Strand,
        most: usize,
    ) -> (usize, bool) {
        let mut started = 0;
        while started < most {
            if self.setup.order == Order::Partition && 0 < strand.in_flight {
                return (started, false);
            }
            if !self.gate.is_open() {
                self.fenced.push(slot);
                return (started, false);
            }
            let Some(cell) = self.cells.peek_free() else { return (started, true) };
            if self.setup.order == Order::Unordered && self.is_over_share(strand) {
                self.throttled.push(slot);
                return (started, false);
            }
            let (count, stopped) = self.start_some(strand, cell, most - started);
            started += count;
            match stopped {
                Stopped::Quota => return (started, true),
                Stopped::Idle => return (started, false),
                Stopped::Waits { cell, ticket } => self.park(slot, strand, cell, ticket),
                Stopped::Failed { ticket, failed } => {
                    Self::count_in(strand, &ticket);
                    self.failed(strand, ticket.of(slot), failed);
                }
                Stopped::Released => self.settle(strand),
            }
        }
        (started, true)
    }

    /// Starts units of the first job that has some, until something else is to be done.
    fn start_some(&mut self, strand: &mut Strand, cell: usize, most: usize) -> (usize, Stopped) {
        let Strand { partition, runs, .. } = strand;
        let Some(run) = runs.iter_mut().find(|run| !run.is_exhausted) else {
            return (0, Stopped::Idle);
        };
        if !run.leased.may_start() {
            run.release(Ended::Released);
            return (0, Stopped::Released);
        }
        let mut turn = Turn { cell, most, started: 0, running: None, stopped: Stopped::Quota };
        let walked = catch_unwind(AssertUnwindSafe(|| self.start_ready(run, partition, &mut turn)));
        match walked {
            Ok(Ok(())) => {}
            Ok(Err(Blocked::NoRoom)) => turn.stopped = Stopped::Idle,
            Ok(Err(Blocked::Exhausted)) => turn.stopped = Stopped::Released,
            Ok(Err(Blocked::Bad { base, last, error })) => {
                run.release(ending(base, last, &error));
                turn.stopped = Stopped::Released;
            }
            Err(payload) => turn.stopped = self.panicked(run, &turn, payload),
        }
        (turn.started, turn.stopped)
    }

    /// The hot loop: handlers that are ready at once, one after the other. Everything else ends it.
    fn start_ready(
        &mut self,
        run: &mut OpenRun,
        partition: &Arc<Partition>,
        turn: &mut Turn,
    ) -> Result<(), Blocked> {
        let (leased, number) = (run.leased, run.number);
        let (cells, handler, since) = (&mut self.cells, &*self.handler, self.turn_began);
        let context = Context::new(leased, 1);
        let (cell, has_listener) = (turn.cell, has_listener());
        let gate = &self.gate;
        let may_go_on = || leased.may_start() && gate.is_open();
        run.each::<U>(&mut self.opener, partition, |taken, batch| {
            let Taken { unit, first, .. } = taken;
            turn.started += 1;
            turn.running = Some(first);
            let make = || handler.handle(unit, context);
            let polled = if has_listener {
                cells.start_in(span(&batch.partition, first, 1), cell, make)
            } else {
                cells.start(cell, make)
            };
            let ended = polled.map(|output| Self::outcome(output, batch));
            turn.running = None;
            let ticket = || Started { run: number, first, since, batch: Arc::clone(batch) };
            match ended {
                Poll::Ready(Ok(())) if turn.started < turn.most && may_go_on() => {
                    return ControlFlow::Continue(());
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(failed)) => {
                    turn.stopped = Stopped::Failed { ticket: ticket(), failed };
                }
                Poll::Pending => turn.stopped = Stopped::Waits { cell, ticket: ticket() },
            }
            ControlFlow::Break(())
        })
    }

    /// A handler panicked in its first poll: a failure of its unit. A panic of anybody else goes on.
    #[cold]
    fn panicked(
        &mut self,
        run: &mut OpenRun,
        turn: &Turn,
        payload: Box<dyn Any + Send>,
    ) -> Stopped {
        let (Some(first), Some(batch)) = (turn.running, run.skip_started()) else {
            resume_unwind(payload)
        };
        self.cells.clear(turn.cell);
        let failed = HandlerPanic::new(&*payload).into();
        let ticket = Started { run: run.number, first, since: self.turn_began, batch };
        Stopped::Failed { ticket, failed }
    }

    /// A handler has to wait: its cell is taken.
    fn park(&mut self, slot: Slot, strand: &mut Strand, cell: usize, ticket: Started) {
        Self::count_in(strand, &ticket);
        self.put_ticket(cell, ticket.of(slot));
    }

    fn count_in(strand: &mut Strand, ticket: &Started) {
        strand.in_flight += 1;
        if let Some(run) = strand.run(ticket.run) {
            run.in_flight += 1;
        }
    }

    /// A handler that had to wait has ended.
    pub(super) fn finish_cell(&mut self, cell: usize, output: Result<H::Output, HandlerPanic>) {
        let Some(ticket) = self.tickets.get_mut(cell).and_then(Option::take) else { return };
        let slot = ticket.slot;
        let Some(mut strand) = self.take_strand(slot) else { return };
        let done = output.map_err(Failed::from);
        match done.and_then(|output| Self::outcome(output, &ticket.batch)) {
            Ok(()) => self.done(&mut strand, &ticket),
            Err(failed) => self.failed(&mut strand, ticket, failed),
        }
        Self::wake(&mut self.runnable, &mut strand, slot);
        self.put_strand(slot, strand);
    }

    /// A unit is off its strand.
    pub(super) fn done(&mut self, strand: &mut Strand, ticket: &Ticket) {
        strand.in_flight = strand.in_flight.saturating_sub(1);
        if let Some(run) = strand.run(ticket.run) {
            run.in_flight = run.in_flight.saturating_sub(1);
        }
        self.settle(strand);
        self.wake_throttled();
    }

    /// Tells of jobs of which nothing runs any more.
    pub(super) fn settle(&mut self, strand: &mut Strand) {
        let progress = &mut self.progress;
        strand.runs.retain_mut(|run| {
            let is_over = run.is_exhausted && run.in_flight == 0;
            if is_over {
                let done = run.ending();
                progress.push(word(run, done));
            }
            !is_over
        });
    }

    /// What may start of a slot has changed.
    pub(super) fn look(&mut self, slot: Slot) {
        self.give_up_retries(slot);
        let Some(mut strand) = self.take_strand(slot) else { return };
        for run in strand.runs.iter_mut().filter(|run| !run.leased.may_start()) {
            run.release(Ended::Released);
        }
        self.settle(&mut strand);
        Self::wake(&mut self.runnable, &mut strand, slot);
        self.put_strand(slot, strand);
    }

    /// Cancels what runs of a slot and forgets it.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.gained -= usize::from(self.take_strand(slot).is_some());
        for (cell, place) in self.tickets.iter_mut().enumerate() {
            if place.as_ref().is_some_and(|ticket| ticket.slot == slot) {
                *place = None;
                self.cells.cancel(cell);
                self.retries.retain(|(_, waiting)| *waiting != cell);
            }
        }
        self.wake_throttled();
    }

    /// How far the jobs are that did not end: up to the oldest unit that runs.
    pub(super) fn tell_unfinished(&mut self) {
        let mut oldest: BTreeMap<u64, Offset> = BTreeMap::new();
        for ticket in self.tickets.iter().flatten() {
            let first = oldest.entry(ticket.run).or_insert(ticket.first);
            *first = ticket.first.min(*first);
        }
        self.note_running();
        for run in self.strands.iter_mut().flatten().flat_map(|strand| &mut strand.runs) {
            run.copy_out_still(&self.setup.budget);
            let running = oldest.get(&run.number).map_or(run.next, |first| Position(first.0));
            let cut = run.cut.as_ref().map_or(running, |(cut, _)| *cut);
            let position = running.min(cut);
            if run.told < position {
                run.told = position;
                self.progress.push(word(run, Done::UpTo(position)));
            }
        }
    }
}

impl<U: Unit, H: Handler<U>> Worker<U, H> {
    /// Notes for each partition how many handlers run, and since when the oldest does.
    fn note_running(&self) {
        let mut oldest: BTreeMap<Slot, Instant> = BTreeMap::new();
        for ticket in self.tickets.iter().flatten() {
            let since = oldest.entry(ticket.slot).or_insert(ticket.since);
            *since = ticket.since.min(*since);
        }
        for (index, strand) in self.strands.iter().enumerate() {
            let Some(strand) = strand else { continue };
            let slot = Slot(u32::try_from(index).unwrap_or(u32::MAX));
            strand.partition.note(strand.in_flight, oldest.get(&slot).copied());
        }
    }
}

fn word(run: &OpenRun, done: Done) -> Progress {
    Progress { slot: run.job.run.slot, fence: run.job.run.fence, block: run.job.block, done }
}
