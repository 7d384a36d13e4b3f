//! The jobs of one partition, and what of them may start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Poll;

use forebay_core::orders::Fault;
use forebay_core::run::{Done, Ended, Progress};
use forebay_core::slot::Slot;
use forebay_core::time::Instant;
use forebay_core::work::Order;
use forebay_protocol::types::{Offset, Position};

use super::open::{Blocked, OpenRun, Taken, Unit, may_be_cured};
use super::{Partition, Worker};
use crate::consumer::handler::{Context, Handler};
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
    pub(super) batch: Option<Arc<OpenBatch>>,
    pub(super) since: Instant,
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
            let Some(cell) = self.cells.peek_free() else { return (started, true) };
            let partition = Arc::clone(&strand.partition);
            let Some(run) = strand.runs.iter_mut().find(|run| !run.is_exhausted) else {
                return (started, false);
            };
            if !run.leased.may_start() {
                run.release(Ended::Released);
                self.settle(strand);
                continue;
            }
            match run.take::<U>(&mut self.opener, &partition) {
                Ok(taken) => {
                    started += 1;
                    self.start(slot, strand, cell, taken);
                }
                Err(Blocked::NoRoom) => return (started, false),
                Err(Blocked::Exhausted) => self.settle(strand),
                Err(Blocked::Bad { base, last, error }) => {
                    let reason: Arc<str> = error.to_string().into();
                    let why = if may_be_cured(&error) {
                        Ended::BadBatch { base, last, reason }
                    } else {
                        Ended::Fault(Fault::Corrupt { base, last, reason })
                    };
                    run.release(why);
                    self.settle(strand);
                }
            }
        }
        (started, true)
    }

    /// Runs the handler on a unit until it is done or has to wait.
    #[inline]
    fn start(&mut self, slot: Slot, strand: &mut Strand, cell: usize, taken: Taken<U>) {
        let Some(run) = strand.runs.iter_mut().find(|run| !run.is_exhausted) else { return };
        let Taken { unit, first, batch } = taken;
        let context = Context::new(run.leased, 1);
        let handler = &self.handler;
        let polled = self.cells.start(cell, || handler.handle(unit, context));
        let since = self.turn_began;
        let ticket = Ticket { slot, run: run.number, first, attempt: 1, batch, since };
        match polled {
            Poll::Pending => {
                run.in_flight += 1;
                strand.in_flight += 1;
                if let Some(place) = self.tickets.get_mut(cell) {
                    *place = Some(ticket);
                }
            }
            Poll::Ready(output) => {
                let outcome = Self::outcome(output, &ticket);
                if let Err(failed) = outcome {
                    run.in_flight += 1;
                    strand.in_flight += 1;
                    self.failed(strand, ticket, failed);
                }
            }
        }
    }

    /// A handler that had to wait has ended.
    pub(super) fn finish_cell(
        &mut self,
        cell: usize,
        output: Result<H::Output, crate::consumer::handler::HandlerPanic>,
    ) {
        let Some(ticket) = self.tickets.get_mut(cell).and_then(Option::take) else { return };
        let slot = ticket.slot;
        let Some(mut strand) = self.take_strand(slot) else { return };
        match Self::outcome(output, &ticket) {
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
        drop(self.take_strand(slot));
        for (cell, place) in self.tickets.iter_mut().enumerate() {
            if place.as_ref().is_some_and(|ticket| ticket.slot == slot) {
                *place = None;
                self.cells.cancel(cell);
                self.retries.retain(|(_, waiting)| *waiting != cell);
            }
        }
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
