//! What may be wanted of single partitions from outside of the group: hold, drain, hand over,
//! release.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_core::consumer::{Consumer, Event};
use forebay_core::ownership::directive::Directive;
use forebay_core::time::Instant;
use forebay_protocol::types::{Position, TopicPartition};

use super::control::{ControlHandle, Reply};
use crate::error::Error;

/// Directs partitions that a group or an assignment gave to a running consumer, at other times than
/// the group does: for maintenance, for tests, for a change of versions.
///
/// A directive lasts until [`release`](Self::release), and as long as the partition is ours: what
/// the group takes away and gives again flows. With assignors that take everything away at each
/// rebalance (range, round-robin, sticky) that is any rebalance.
#[derive(Clone, Debug)]
pub struct OwnershipHandle {
    control: ControlHandle,
}

/// A partition that was drained: it is still ours, and nothing is done with it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Parked {
    /// The partition.
    pub tp: TopicPartition,
    /// All before it is done; `None` when the partition had not started.
    pub position: Option<Position>,
    /// Whether all of its running records had ended, what is done is committed, and no earlier
    /// commit is on its way. If not, records that ran are done again when it goes on.
    pub is_clean: bool,
}

/// What is wanted, in the user's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    Hold,
    Drain(Duration),
    HandOver(Duration),
    Release,
}

impl Want {
    fn directive(self, now: Instant) -> Directive {
        match self {
            Self::Hold => Directive::Hold,
            Self::Drain(within) => Directive::Drain { deadline: now.after(within) },
            Self::HandOver(within) => Directive::HandOver { deadline: now.after(within) },
            Self::Release => Directive::Release,
        }
    }
}

impl OwnershipHandle {
    pub(super) const fn new(control: ControlHandle) -> Self {
        Self { control }
    }

    /// Hands out no more records of `partitions`, which stay fetched and buffered. What workers have
    /// already goes on and is committed; [`drain`](Self::drain) waits for it.
    ///
    /// A hold and a [pause](super::ConsumerHandle::pause) do not undo each other.
    ///
    /// # Errors
    ///
    /// [`Error::NotAssigned`] for a partition that is not this consumer's or is being given up; then
    /// nothing was changed. [`Error::Closed`] after the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was asked for happens.
    pub async fn hold(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.control.direct(partitions, Want::Hold).await.map(drop)
    }

    /// Starts nothing more of `partitions`, waits for what runs, and commits. They stay ours and are
    /// not fetched until [`release`](Self::release), which goes on where they stood. Tells where
    /// each stands, in the order of their names, after `within` at the latest; records that run
    /// longer are cancelled.
    ///
    /// # Errors
    ///
    /// As [`hold`](Self::hold); also when a partition is taken away meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the drain goes on.
    pub async fn drain(
        &self,
        partitions: Vec<TopicPartition>,
        within: Duration,
    ) -> Result<Vec<Parked>, Error> {
        self.control.direct(partitions, Want::Drain(within)).await
    }

    /// As [`drain`](Self::drain), so that somebody else can go on from there: this consumer commits
    /// nothing more of `partitions`, and a [`release`](Self::release) goes on at what is committed
    /// by then, or by the reset policy where nothing is.
    ///
    /// Where [`is_clean`](Parked::is_clean) is false, a last commit that waited for its coordinator
    /// may arrive after that: it covers nothing that is not done, but it may be lower than what
    /// somebody else has committed meanwhile.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the partitions are handed over.
    pub async fn hand_over(
        &self,
        partitions: Vec<TopicPartition>,
        within: Duration,
    ) -> Result<Vec<Parked>, Error> {
        self.control.direct(partitions, Want::HandOver(within)).await
    }

    /// Ends what [`hold`](Self::hold), [`drain`](Self::drain) or [`hand_over`](Self::hand_over)
    /// began; a drain that still runs ends first. Partitions that flow go on flowing.
    ///
    /// # Errors
    ///
    /// As [`hold`](Self::hold).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was asked for happens.
    pub async fn release(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.control.direct(partitions, Want::Release).await.map(drop)
    }
}

/// Those who wait for partitions to be parked.
#[derive(Debug, Default)]
pub(super) struct Waiters(Vec<Waiter>);

#[derive(Debug)]
struct Waiter {
    left: BTreeSet<TopicPartition>,
    parked: Vec<Parked>,
    reply: Reply<Vec<Parked>>,
}

impl Waiters {
    /// Tells the router what is wanted of all of `tps`, or of none, and waits for what takes time.
    pub(super) fn direct(
        &mut self,
        (machine, now): (&mut Consumer, Instant),
        tps: Vec<TopicPartition>,
        want: Want,
        reply: Reply<Vec<Parked>>,
    ) {
        if let Some(tp) = tps.iter().find(|tp| !machine.may_direct(tp)) {
            drop(reply.send(Err(Error::NotAssigned { tp: tp.clone() })));
            return;
        }
        for tp in &tps {
            machine.handle_directive(now, tp, want.directive(now));
        }
        let mut waiter = Waiter { left: BTreeSet::new(), parked: Vec::new(), reply };
        if matches!(want, Want::Drain(_) | Want::HandOver(_)) {
            waiter.left = tps.into_iter().collect();
        }
        // Some are parked already, and nobody will say so again.
        for tp in waiter.left.clone() {
            if let Some(parked) = machine.parked(&tp) {
                waiter.take(Parked { tp, position: parked.position, is_clean: parked.is_clean });
            }
        }
        self.0.push(waiter);
        self.answer();
    }

    /// Something happened.
    pub(super) fn hear(&mut self, event: &Event) {
        if let Event::Parked { tp, position, is_clean } = event {
            let (position, is_clean) = (*position, *is_clean);
            let parked = Parked { tp: tp.clone(), position, is_clean };
            self.0.iter_mut().for_each(|waiter| waiter.take(parked.clone()));
            self.answer();
        } else if let Event::Lost { tps, .. } = event {
            self.gone(tps);
        } else if let Event::Released { tp, .. } = event {
            self.gone(std::slice::from_ref(tp));
        }
    }

    fn answer(&mut self) {
        for waiter in self.0.extract_if(.., |waiter| waiter.left.is_empty()) {
            let mut parked = waiter.parked;
            parked.sort_by(|one, other| one.tp.cmp(&other.tp));
            drop(waiter.reply.send(Ok(parked)));
        }
    }

    fn gone(&mut self, tps: &[TopicPartition]) {
        for tp in tps {
            for waiter in self.0.extract_if(.., |waiter| waiter.left.contains(tp)) {
                drop(waiter.reply.send(Err(Error::NotAssigned { tp: tp.clone() })));
            }
        }
    }
}

impl Waiter {
    fn take(&mut self, parked: Parked) {
        if self.left.remove(&parked.tp) {
            self.parked.push(parked);
        }
    }
}
