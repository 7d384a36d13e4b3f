//! What becomes of a unit whose handler failed: another try later, or a decision.

use std::sync::Arc;
use std::task::Poll;

use forebay_core::orders::Fault;
use forebay_core::run::Ended;
use forebay_core::slot::Slot;
use tokio::time::Instant;

use super::open::Unit;
use super::strand::{Strand, Ticket};
use super::{Worker, has_listener, span, strand as strand_of};
use crate::consumer::handler::{
    BoxError, Context, Decision, Failure, Handler, HandlerPanic, IntoOutcome, Outcome,
};
use crate::consumer::record::{OpenBatch, Partition};

impl From<HandlerPanic> for Failed {
    fn from(panic: HandlerPanic) -> Self {
        Self::Retriable(panic.into())
    }
}

/// How a unit failed.
pub(super) enum Failed {
    /// It may be tried again.
    Retriable(BoxError),
    /// It may not.
    Fatal(BoxError),
    /// Its batch is malformed: nobody's decision.
    Malformed,
}

impl<U: Unit, H: Handler<U>> Worker<U, H> {
    /// What a handler's end means for its unit.
    #[inline]
    pub(super) fn outcome(output: H::Output, batch: &OpenBatch) -> Result<(), Failed> {
        if batch.is_malformed() {
            return Err(Failed::Malformed);
        }
        match output.into_outcome() {
            Outcome::Done => Ok(()),
            Outcome::Failed(error) => Err(Failed::Retriable(error)),
            Outcome::Fatal(error) => Err(Failed::Fatal(error)),
        }
    }

    /// Tries a failed unit again later, or lets the policy decide.
    #[cold]
    pub(super) fn failed(&mut self, strand: &mut Strand, ticket: Ticket, failed: Failed) {
        let error = match failed {
            Failed::Retriable(error) if self.may_retry(strand, &ticket) => {
                return self.retry_later(&strand.partition, ticket, error);
            }
            Failed::Retriable(error) | Failed::Fatal(error) => error,
            Failed::Malformed => return self.malformed(strand, &ticket),
        };
        let failure = Failure {
            tp: &strand.partition.tp,
            offset: ticket.first,
            attempts: ticket.attempt,
            error: &*error,
        };
        tracing::warn!(
            target: "forebay::handler", tp = %failure.tp, offset = failure.offset.0,
            attempts = failure.attempts, %error, "a handler failed for good"
        );
        let decision = (self.setup.policy.decide)(&failure);
        self.decided(strand, &ticket, decision, &error);
    }

    fn may_retry(&self, strand: &mut Strand, ticket: &Ticket) -> bool {
        ticket.attempt <= self.setup.policy.retries
            && strand.run(ticket.run).is_some_and(|run| run.leased.may_start())
    }

    fn decided(
        &mut self,
        strand: &mut Strand,
        ticket: &Ticket,
        decision: Decision,
        error: &BoxError,
    ) {
        let fault = || {
            Ended::Fault(Fault::Handler { offset: ticket.first, message: error.to_string().into() })
        };
        if let Some(run) = strand.run(ticket.run) {
            match decision {
                Decision::CommitAndContinue => {}
                Decision::DoNotCommitAndContinue => run.cut_at(ticket.first, Ended::Released),
                Decision::CommitAndStop => {
                    run.release(fault());
                }
                Decision::DoNotCommitAndStop => {
                    run.is_exhausted = true;
                    run.cut_at(ticket.first, fault());
                }
            }
        }
        self.done(strand, ticket);
    }

    /// A record that cannot be was met behind a checksum that fits: a producer wrote it so.
    fn malformed(&mut self, strand: &mut Strand, ticket: &Ticket) {
        let batch = &ticket.batch;
        if let Some(run) = strand.run(ticket.run) {
            let (base, last) = (batch.header.base_offset, batch.header.last_offset());
            let reason: Arc<str> = "a record in it cannot be read".into();
            run.is_exhausted = true;
            run.cut_at(ticket.first, Ended::Fault(Fault::Corrupt { base, last, reason }));
        }
        self.done(strand, ticket);
    }

    /// The unit keeps its place, and a cell, until its time comes.
    fn retry_later(&mut self, partition: &Partition, mut ticket: Ticket, error: BoxError) {
        let wait = self.setup.policy.wait_after(ticket.attempt);
        tracing::debug!(
            target: "forebay::handler", tp = %partition.tp, offset = ticket.first.0,
            attempt = ticket.attempt, wait_ms = wait.as_millis(), %error, "a handler failed"
        );
        ticket.attempt += 1;
        let Some(cell) = self.cells.occupy() else { return };
        self.retries.insert((Instant::now() + wait, cell));
        self.put_ticket(cell, ticket);
    }

    /// Tries again what has waited long enough.
    pub(super) fn retry_due(&mut self, now: Instant) {
        while let Some((_, cell)) = self.retries.first().copied().filter(|(at, _)| *at <= now) {
            self.retries.pop_first();
            if self.gate.is_open() {
                self.retry(cell);
            } else {
                // The partition may be somebody else's by now; it is looked at again soon.
                self.retries.insert((now + self.setup.flush_every, cell));
            }
        }
    }

    fn retry(&mut self, cell: usize) {
        let Some(ticket) = self.tickets.get_mut(cell).and_then(Option::as_mut) else { return };
        let Some(strand) = strand_of(&mut self.strands, ticket.slot) else { return };
        let partition = Arc::clone(&strand.partition);
        let Some(run) = strand.run(ticket.run) else { return };
        let again = run.retake::<U>(ticket.first, &mut self.opener, &partition);
        let Some((unit, batch)) = again else { return };
        ticket.batch = batch;
        let context = Context::new(run.leased, ticket.attempt);
        let span = has_listener().then(|| span(&partition, ticket.first, ticket.attempt));
        let handler = &self.handler;
        let make = || handler.handle(unit, context);
        if let Poll::Ready(output) = self.cells.again(cell, span, make) {
            self.finish_cell(cell, output);
        }
    }

    /// A partition that is let go of waits for no further tries.
    pub(super) fn give_up_retries(&mut self, slot: Slot) {
        let waiting: Vec<_> = self.retries.iter().map(|(_, cell)| *cell).collect();
        for cell in waiting {
            let is_of_slot = |ticket: &Ticket| ticket.slot == slot;
            let Some(place) = self.tickets.get_mut(cell) else { continue };
            let Some(ticket) = place.take_if(|ticket| is_of_slot(ticket)) else { continue };
            let Some(mut strand) = self.take_strand(slot) else { continue };
            let is_let_go = strand.run(ticket.run).is_none_or(|run| !run.leased.may_start());
            if is_let_go {
                self.retries.retain(|(_, other)| *other != cell);
                self.cells.cancel(cell);
                if let Some(run) = strand.run(ticket.run) {
                    run.release(Ended::Released);
                    run.cut_at(ticket.first, Ended::Released);
                }
                self.done(&mut strand, &ticket);
            } else if let Some(place) = self.tickets.get_mut(cell) {
                *place = Some(ticket);
            }
            self.put_strand(slot, strand);
        }
    }
}
