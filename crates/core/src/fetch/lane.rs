//! One lane: what to ask next, what arrived, and which cursors go back and why.
//!
//! ```text
//!   lend ──► wanted ──poll_request──► on the wire ──heads, batches, tails──► runs
//!              ▲                                            │
//!              └──── the position moved: it is dirty ◄──────┘──► returned (leader moved, reset, fault)
//! ```
//!
//! A position moves on the word of batch headers, so that the next request can leave with the last
//! byte of this response, before anything was decoded. The frontier does not: it waits for
//! workers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use forebay_protocol::types::{TopicPartition, Uuid};

use super::cursor::{Cursor, Returned};
use super::session::{Asked, Session, Table};
use super::size::{PartitionSize, ResponseSize};
use crate::orders::Leader;
use crate::run::{BatchRun, Flow};
use crate::slot::Slot;
use crate::time::Instant;
use answering::Answering;
use doubt::Doubt;
use names::Names;

mod answering;
mod config;
mod doubt;
mod epochs;
mod names;
mod nearer;
mod pick;
mod refusal;
mod request;
mod response;

pub use config::Config;
pub use epochs::{EpochAsk, EpochEnd, Epochs};
pub use request::{FetchPlan, TopicPlan};

/// The fetch side of one connection.
#[derive(Debug)]
pub struct Lane {
    config: Config,
    slots: Vec<Option<Fetching>>,
    names: Names,
    session: Session,
    table: Table,
    version: i16,
    size: ResponseSize,
    /// Most that one partition may bring, in bytes.
    share: u32,
    /// Cursors on loan here.
    lent: usize,
    /// Slots that the next request would bring.
    wanted: usize,
    /// Slots that are left alone until a time.
    resting: BTreeSet<(Instant, Slot)>,
    turn: usize,
    in_flight: bool,
    response_bytes: u64,
    /// How long the broker wants no further request (KIP-219).
    throttle: Duration,
    doubt: Doubt,
    answering: Option<Answering>,
    runs: Vec<BatchRun>,
    returned: VecDeque<(Cursor, Returned)>,
    /// Cursors whose broker named a leader whose address may stand at the response's end.
    hinted: Vec<(Cursor, Leader)>,
    /// Which partition the session knows under a slot.
    known: BTreeMap<Slot, (TopicPartition, Uuid)>,
    /// Partitions that the session knows and whose slot has another one now.
    gone: Vec<(TopicPartition, Uuid)>,
    /// Who compares our last epoch with the log.
    epochs: Epochs,
    /// Slots that must not be fetched before their last epoch was compared with the log.
    unchecked: BTreeSet<Slot>,
}

/// One slot on loan.
#[derive(Debug)]
struct Fetching {
    cursor: Cursor,
    is_held: bool,
    rests_until: Option<Instant>,
    is_wanted: bool,
    size: PartitionSize,
}

/// What to do with the records that follow a partition's head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Records {
    /// Hand their batches in.
    Read,
    /// Skip them by length.
    Skip,
}

impl Lane {
    /// A lane without partitions and without connection.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let size = ResponseSize::new(config.response_max);
        Self {
            config,
            slots: Vec::new(),
            names: Names::default(),
            session: Session::Sessionless,
            table: Table::default(),
            version: 0,
            size,
            share: PartitionSize::MAX,
            lent: 0,
            wanted: 0,
            resting: BTreeSet::new(),
            turn: 0,
            in_flight: false,
            response_bytes: 0,
            throttle: Duration::ZERO,
            doubt: Doubt::default(),
            answering: None,
            runs: Vec::new(),
            returned: VecDeque::new(),
            hinted: Vec::new(),
            known: BTreeMap::new(),
            gone: Vec::new(),
            epochs: Epochs::InFetch,
            unchecked: BTreeSet::new(),
        }
    }

    /// A connection stands; requests are made in this version of Fetch from now on.
    pub fn handle_connected(&mut self, version: i16) {
        self.version = version;
        self.session =
            if 7 <= version { Session::Opening { closing: 0 } } else { Session::Sessionless };
        self.in_flight = false;
        // Its response was cut, and may have brought batches before.
        if let Some(answering) = self.answering.take() {
            self.want(answering.slot);
        }
        self.uncheck_all();
    }

    /// The connection is lost, and with it what was on the wire.
    pub fn handle_disconnected(&mut self) {
        self.handle_connected(self.version);
        // Where new leaders live would have stood at the response's end.
        self.give_back_hinted(&[]);
    }

    /// A cursor on loan.
    pub fn lend(&mut self, mut cursor: Cursor) {
        let (slot, rests_until) = (cursor.slot, cursor.rests_until.take());
        drop(self.recall(slot));
        if self.slots.len() <= slot.index() {
            self.slots.resize_with(slot.index() + 1, || None);
        }
        self.part_with_other(slot, &cursor);
        self.names.insert(&cursor);
        let fetching = Fetching {
            cursor,
            is_held: false,
            rests_until,
            is_wanted: false,
            size: PartitionSize::new(),
        };
        if let Some(place) = self.slots.get_mut(slot.index()) {
            *place = Some(fetching);
            self.lent += 1;
        }
        self.resting.extend(rests_until.map(|until| (until, slot)));
        self.uncheck(slot);
        self.want(slot);
    }

    /// The shard wants a cursor back. What of it is on the wire will be skipped.
    pub fn recall(&mut self, slot: Slot) -> Option<Cursor> {
        let fetching = self.slots.get_mut(slot.index())?.take()?;
        self.lent = self.lent.saturating_sub(1);
        if fetching.is_wanted {
            self.wanted = self.wanted.saturating_sub(1);
        }
        if let Some(until) = fetching.rests_until {
            self.resting.remove(&(until, slot));
        }
        self.names.remove(&fetching.cursor);
        self.unchecked.remove(&slot);
        self.table.want(slot, None);
        Some(fetching.cursor)
    }

    /// The reservoir holds a slot back, or lets it go on.
    pub fn flow(&mut self, slot: Slot, flow: Flow) {
        if let Some(fetching) = fetching(&mut self.slots, slot) {
            fetching.is_held = flow == Flow::Hold;
        }
        self.want(slot);
    }

    /// Most that one partition may bring from now on, in bytes.
    pub const fn set_share(&mut self, bytes: u32) {
        self.share = bytes;
    }

    /// There was no room in the budget for a response of the size that was wanted. Says whether a
    /// smaller one is wanted now.
    pub fn handle_no_room(&mut self) -> bool {
        self.size.shrink()
    }

    /// The settings it was made with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether there is something to fetch and nothing on the wire.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        !self.in_flight && 0 < self.wanted
    }

    /// The slots on loan that the next request leaves out.
    #[must_use]
    pub fn left_out(&self) -> BTreeSet<Slot> {
        if self.wanted == self.lent {
            return BTreeSet::new();
        }
        let left_out = self.slots.iter().flatten().filter(|fetching| !fetching.is_wanted);
        left_out.map(|fetching| fetching.cursor.slot).collect()
    }

    /// Most bytes that the next response may bring, its first batch aside.
    #[must_use]
    pub const fn response_bytes(&self) -> u32 {
        self.size.bytes()
    }

    /// When a slot that is left alone is to be asked for again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.resting.first().map(|(until, _)| *until)
    }

    /// Slots whose rest is over are wanted again.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, slot)) = self.resting.first().copied().filter(|(until, _)| *until <= now)
        {
            self.resting.pop_first();
            if let Some(fetching) = fetching(&mut self.slots, slot) {
                fetching.rests_until = None;
            }
            self.want(slot);
        }
    }

    /// How long to be quiet after this response.
    pub const fn take_throttle(&mut self) -> Duration {
        std::mem::replace(&mut self.throttle, Duration::ZERO)
    }

    /// Whether every cursor here knows its topic's id.
    #[must_use]
    pub fn has_ids(&self) -> bool {
        self.slots.iter().flatten().all(|fetching| !fetching.cursor.topic_id.is_zero())
    }

    /// The runs read since the last call.
    pub fn take_runs(&mut self) -> Vec<BatchRun> {
        std::mem::take(&mut self.runs)
    }

    /// Whether there are runs to take.
    #[must_use]
    pub const fn has_runs(&self) -> bool {
        !self.runs.is_empty()
    }

    /// A cursor that goes back, and why; call until `None`.
    pub fn poll_returned(&mut self) -> Option<(Cursor, Returned)> {
        self.returned.pop_front()
    }

    /// How many cursors are on loan here.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lent
    }

    /// Whether no cursor is on loan here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lent == 0
    }

    /// The session may know another partition under this slot: that one is to be forgotten.
    fn part_with_other(&mut self, slot: Slot, cursor: &Cursor) {
        let is_same =
            |known: &(TopicPartition, Uuid)| *known == (cursor.tp.clone(), cursor.topic_id);
        if self.known.get(&slot).is_none_or(is_same) {
            return;
        }
        let was_believed = self.table.disown(slot);
        self.gone.extend(self.known.remove(&slot).filter(|_| was_believed));
    }

    /// Brings table and count in line with what is wanted of a slot.
    fn want(&mut self, slot: Slot) {
        let Some(fetching) = fetching(&mut self.slots, slot) else { return };
        let is_checked = !self.unchecked.contains(&slot);
        let is_wanted = !fetching.is_held && fetching.rests_until.is_none() && is_checked;
        if is_wanted != fetching.is_wanted {
            fetching.is_wanted = is_wanted;
            self.wanted = if is_wanted { self.wanted + 1 } else { self.wanted - 1 };
        }
        let asked = is_wanted.then(|| Asked {
            position: fetching.cursor.position,
            position_epoch: fetching.cursor.position_epoch,
            leader_epoch: fetching.cursor.leader.epoch,
            max_bytes: fetching.size.ask(self.share),
        });
        self.table.want(slot, asked);
    }

    fn give_back(&mut self, slot: Slot, why: Returned) {
        if let Some(cursor) = self.recall(slot) {
            self.returned.push_back((cursor, why));
        }
    }
}

fn fetching(slots: &mut [Option<Fetching>], slot: Slot) -> Option<&mut Fetching> {
    slots.get_mut(slot.index())?.as_mut()
}

#[cfg(test)]
mod tests;
