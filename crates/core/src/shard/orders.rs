//! What each order of the control plane does to the slots.

use bytes::Bytes;
use forebay_protocol::types::{LeaderEpoch, Position, TopicPartition, Uuid};

use super::Shard;
use super::nearer::Nearer;
use super::output::Output;
use super::slots::{Entry, Phase, Place, Until};
use crate::fence::{Fence, Gain, Start};
use crate::fetch::cursor::{Cursor, Via};
use crate::offsets::tracker::Frontier;
use crate::orders::{Leader, Order};
use crate::run::{BatchRun, Watermarks};
use crate::slot::Slot;
use crate::time::Instant;

/// The fields of [`Order::Gain`].
#[derive(Debug)]
pub(super) struct Gained {
    pub(super) tp: TopicPartition,
    pub(super) gain: Gain,
    pub(super) topic_id: Uuid,
    pub(super) position: Position,
    pub(super) position_epoch: LeaderEpoch,
    pub(super) leader: Option<Leader>,
    pub(super) token: Option<u32>,
}

impl Shard {
    /// The control plane orders something.
    pub fn handle_order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Gain { tp, gain, topic_id, position, position_epoch, leader, token } => {
                self.gain(Gained { tp, gain, topic_id, position, position_epoch, leader, token });
                self.watch.begin(now);
            }
            Order::Leader { tp, gain, leader } => self.leader(&tp, gain, leader),
            Order::Seek { tp, gain, seeks, position, position_epoch } => {
                let at = Frontier { position, epoch: position_epoch };
                self.seek(&tp, (gain, seeks), at);
            }
            Order::Reset { tp, gain, position, position_epoch } => {
                let at = Frontier { position, epoch: position_epoch };
                self.reset(now, &tp, gain, at);
            }
            Order::Pause { tp } => self.pause(&tp),
            Order::Resume { tp } => self.resume(now, &tp),
            Order::Drain { tp, gain, deadline } => self.drain(now, &tp, gain, deadline),
            Order::Lost { tp, gain } => {
                if let Some((slot, _)) = self.slots.current(&tp, gain) {
                    self.free(slot);
                }
            }
            // Addresses and the end are the driver's business.
            Order::Brokers(_) | Order::Close => {}
        }
        self.deliver();
    }

    fn gain(&mut self, gained: Gained) {
        if let Some(slot) = self.slots.slot(&gained.tp) {
            self.free(slot);
        }
        let slot = self.slots.next_slot();
        let fence = Fence { gain: gained.gain, start: Start(0) };
        let worker = self.work.assign(slot);
        let tp = gained.tp.clone();
        let cursor = Self::first_cursor(slot, fence, &gained);
        let (leader, token) = (gained.leader, gained.token);
        self.slots.insert(slot, Entry::fresh(gained, fence, worker, cursor));
        self.outputs.push_back(Output::Gained { slot, tp, fence, worker, token });
        self.reservoir.gain();
        self.lend(slot, leader);
    }

    fn first_cursor(slot: Slot, fence: Fence, gained: &Gained) -> Cursor {
        let unknown =
            Leader { broker: forebay_protocol::types::BrokerId(-1), epoch: LeaderEpoch::UNKNOWN };
        Cursor {
            slot,
            tp: gained.tp.clone(),
            topic_id: gained.topic_id,
            fence,
            position: gained.position,
            position_epoch: gained.position_epoch,
            leader: gained.leader.unwrap_or(unknown),
            via: Via::Leader,
            watermarks: Watermarks::default(),
            rests_until: None,
        }
    }

    fn leader(&mut self, tp: &TopicPartition, gain: Gain, leader: Option<Leader>) {
        let Some((slot, entry)) = self.slots.current(tp, gain) else { return };
        let is_same = entry.leader == leader;
        entry.leader = leader;
        if !is_same && leader.is_some() {
            // Another leader may name another replica, or none.
            entry.nearer = Nearer::Nobody;
        }
        match &mut entry.place {
            Place::Resting { until: until @ (Until::Leader | Until::Right), .. } => {
                *until = Until::Leader;
                self.lend(slot, leader);
            }
            Place::Resting { until: Until::Seek | Until::UserSeek, .. } => {}
            Place::Recalled { leader: next, .. } => *next = leader,
            Place::Lent(_) if is_same || leader.is_none() => {}
            Place::Lent(_) => self.recall(slot, None),
        }
    }

    /// Also ends a stop: who seeks has decided where it goes on.
    fn seek(&mut self, tp: &TopicPartition, (gain, seeks): (Gain, u32), at: Frontier) {
        let Some((slot, entry)) = self.slots.current(tp, gain) else { return };
        entry.seeks = seeks;
        if matches!(entry.phase, Phase::Draining { .. }) {
            return;
        }
        entry.phase = Phase::Running;
        self.restart(slot, at);
    }

    /// Fetching goes on elsewhere. What was fetched before the place is still worked on; when the
    /// place lies behind it, all of it has to end first, and it goes on where both agree.
    fn reset(&mut self, now: Instant, tp: &TopicPartition, gain: Gain, at: Frontier) {
        let Some((slot, entry)) = self.slots.current(tp, gain) else { return };
        let Place::Resting { cursor, until: until @ Until::Seek } = &mut entry.place else {
            return;
        };
        if at.position < cursor.position {
            return self.rewind(now, slot, Some(at));
        }
        let (from, fence, watermarks) = (cursor.position, cursor.fence, cursor.watermarks);
        (cursor.position, cursor.position_epoch) = (at.position, at.epoch);
        *until = Until::Leader;
        let leader = entry.leader;
        let gap = BatchRun {
            slot,
            fence,
            from,
            next: at.position,
            epoch: at.epoch,
            bytes: Bytes::new(),
            watermarks,
            count: Some(0),
        };
        // In line behind what was fetched before.
        self.reservoir.push(now, gap);
        self.hand_out(now, slot);
        self.lend(slot, leader);
    }

    /// Nothing more of what was fetched starts; when what runs has ended it goes on at the
    /// frontier, or at `most` when that lies before it.
    pub(super) fn rewind(&mut self, now: Instant, slot: Slot, most: Option<Frontier>) {
        let Some(entry) = self.slots.entry(slot) else { return };
        if !matches!(entry.phase, Phase::Running | Phase::Rewinding) {
            return;
        }
        entry.phase = Phase::Rewinding;
        entry.rewind_to = most.or(entry.rewind_to);
        self.reservoir.clear(slot);
        self.outputs.push_back(Output::Draining(slot));
        self.settle(now, slot);
    }

    /// What is buffered is kept; the reservoir fills up to its share and then holds the lane back.
    fn pause(&mut self, tp: &TopicPartition) {
        if let Some(entry) = self.slots.slot(tp).and_then(|slot| self.slots.entry(slot)) {
            entry.is_paused = true;
        }
    }

    fn resume(&mut self, now: Instant, tp: &TopicPartition) {
        let Some(slot) = self.slots.slot(tp) else { return };
        if let Some(entry) = self.slots.entry(slot) {
            entry.is_paused = false;
        }
        self.hand_out(now, slot);
    }

    fn drain(&mut self, now: Instant, tp: &TopicPartition, gain: Gain, deadline: Instant) {
        let Some((slot, entry)) = self.slots.current(tp, gain) else { return };
        entry.phase = Phase::Draining { deadline };
        self.recall(slot, None);
        self.reservoir.clear(slot);
        self.outputs.push_back(Output::Draining(slot));
        if !self.end_drain(now, slot) {
            self.draining.push(slot);
            self.drain_until = Some(self.drain_until.map_or(deadline, |until| until.min(deadline)));
        }
    }
}
