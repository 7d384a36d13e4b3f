//! How is a partition given up in good order? Drain, last commit, release: the one way out, for a
//! rebalance, for an unsubscribe and for the end.

use std::collections::BTreeSet;

use forebay_protocol::types::TopicPartition;

use super::output::{Event, Output};
use super::partition::{Giving, UNKNOWN_TOPIC_OR_PARTITION};
use super::shutdown::Stage;
use super::{Commits, Consumer};
use crate::fence::Gain;
use crate::orders::Order;
use crate::time::Instant;

/// Part of the time to the deadline that is kept for the last commit: one in so many.
const COMMIT_SHARE: u32 = 5;
/// The most that is kept for it.
const COMMIT_MOST: std::time::Duration = std::time::Duration::from_secs(2);

/// By when each step of giving up has to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// No handler runs any longer than this.
    drain_by: Instant,
    /// The shard has told what was left: this plane waits for that word, too.
    told_by: Instant,
    /// The last commit is through, or is given up.
    commit_by: Instant,
}

impl Steps {
    /// Of what has to end by `deadline`, with a rest for what follows.
    pub(super) fn until(now: Instant, deadline: Instant) -> Self {
        let kept = (deadline.since(now) / COMMIT_SHARE).min(COMMIT_MOST);
        let drain_by = now.after(deadline.since(now).saturating_sub(kept));
        let commit_by = now.after(deadline.since(now).saturating_sub(kept / 4));
        Self { drain_by, told_by: drain_by.after(kept / 2), commit_by }
    }
}

/// Which of the partitions that are being given up may be a step further: with ten thousand of them
/// each word about one must not cost a look at all.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Something happened that concerns all.
    all: bool,
    some: BTreeSet<TopicPartition>,
    /// When a step is due, whatever happens; some may be over already.
    times: BTreeSet<Instant>,
}

impl Looks {
    /// Something happened that may concern any of them.
    pub(super) const fn at_all(&mut self) {
        self.all = true;
    }

    fn at(&mut self, tp: &TopicPartition) {
        self.some.insert(tp.clone());
    }

    pub(super) fn wake_at(&mut self, steps: Steps) {
        self.times.extend([steps.told_by, steps.commit_by]);
    }

    /// The partitions to look at.
    fn take(&mut self, now: Instant, ways: [&BTreeSet<TopicPartition>; 2]) -> Vec<TopicPartition> {
        while self.times.first().is_some_and(|at| *at <= now) {
            self.times.pop_first();
            self.all = true;
        }
        let some = std::mem::take(&mut self.some);
        if std::mem::take(&mut self.all) {
            return ways.into_iter().flatten().cloned().collect();
        }
        let leaves = |tp: &TopicPartition| ways.iter().any(|way| way.contains(tp));
        some.into_iter().filter(leaves).collect()
    }
}

impl Consumer {
    /// These are to be given up.
    pub(super) fn give_up(&mut self, tps: Vec<TopicPartition>, steps: Steps) {
        self.looks.wake_at(steps);
        self.looks.at_all();
        for tp in &tps {
            let leaves = self.begin_giving(tp, steps);
            // What was on its way to be parked goes on to the end.
            if self.parking.remove(tp) || leaves {
                self.giving.insert(tp.clone());
            }
        }
        self.outputs.push_back(Output::Event(Event::Draining(tps)));
    }

    /// Nothing new of `tp` starts. Says whether that is new.
    pub(super) fn begin_giving(&mut self, tp: &TopicPartition, steps: Steps) -> bool {
        let Some(partition) = self.partitions.get_mut(tp) else { return false };
        if partition.giving != Giving::No {
            partition.giving.hurry(steps.told_by, steps.commit_by);
            return false;
        }
        let Steps { drain_by, told_by, commit_by: deadline } = steps;
        partition.giving = Giving::Draining { told_by, deadline };
        self.starts.handle_dropped(tp);
        match self.ownership.drain(tp, drain_by) {
            Some(gain) => {
                let order = Order::Drain { tp: tp.clone(), gain, deadline: drain_by };
                self.outputs.push_back(Output::Order(order));
            }
            // The shard never had it.
            None => partition.is_drained |= partition.gain.is_none(),
        }
        true
    }

    /// Nothing of `tp` runs any more.
    pub(super) fn handle_drained(
        &mut self,
        now: Instant,
        tp: &TopicPartition,
        gain: Gain,
        unfinished: u64,
    ) {
        if !self.ownership.get(tp).accepts(gain) {
            return;
        }
        if let Some(partition) = self.partitions.get_mut(tp) {
            partition.is_drained = true;
            partition.unfinished = unfinished;
            self.unfinished = self.unfinished.saturating_add(unfinished);
            self.looks.at(tp);
            self.commit.handle_flush(now);
        }
    }

    /// When the next step of giving up is taken, whatever happens.
    pub(super) fn giving_until(&self) -> Option<Instant> {
        let leaves_any = !self.giving.is_empty() || !self.parking.is_empty();
        self.looks.times.first().copied().filter(|_| leaves_any)
    }

    /// Goes as many steps ahead as are done.
    pub(super) fn advance_giving(&mut self, now: Instant) {
        if self.giving.is_empty() && self.parking.is_empty() {
            self.looks = Looks::default();
            return;
        }
        let looked = self.looks.take(now, [&self.giving, &self.parking]);
        let over: Vec<_> = looked.into_iter().filter(|tp| self.step(now, tp)).collect();
        let (given, parked): (Vec<_>, _) = over.into_iter().partition(|tp| self.giving.remove(tp));
        for tp in parked {
            self.parking.remove(&tp);
            self.park(now, &tp);
        }
        if given.is_empty() || self.stage != Stage::Running {
            return;
        }
        for tp in given {
            let is_stored = self.commit.is_stored(&tp);
            self.commit.handle_lost(&tp);
            let Some(partition) = self.partitions.remove(&tp) else { continue };
            #[cfg(feature = "mutants")]
            self.remember(&tp, partition.frontier.map(|entry| entry.position));
            let is_clean = partition.is_drained && partition.unfinished == 0 && is_stored;
            self.outputs.push_back(Output::Event(Event::Released { tp, is_clean }));
        }
        if self.giving.is_empty()
            && self.takes_partitions()
            && let Some(member) = &mut self.member
        {
            member.handle_released(now);
        }
    }

    /// Takes the steps of one partition that are due. Says whether it is given up.
    fn step(&mut self, now: Instant, tp: &TopicPartition) -> bool {
        let Some(partition) = self.partitions.get_mut(tp) else { return true };
        if let Giving::Draining { told_by, deadline } = partition.giving
            && (partition.is_drained || told_by <= now)
        {
            partition.giving = Giving::Committing { deadline };
            // The shard did not answer in time: what it says from now on counts no more, and the
            // last frontier it told is what is committed.
            if !partition.is_drained
                && let Some(gain) = partition.gain
            {
                let order = Order::Lost { tp: tp.clone(), gain };
                self.outputs.push_back(Output::Order(order));
            }
            self.commit.handle_flush(now);
        }
        if let Giving::Committing { deadline } = partition.giving {
            let is_settled = self.commit.is_settled(tp) || self.config.commits == Commits::Nowhere;
            let topic = self.metadata.topics.get(&tp.topic);
            // Nothing can be stored for a topic that was deleted.
            let is_gone = topic.is_some_and(|topic| topic.error == UNKNOWN_TOPIC_OR_PARTITION);
            if is_settled || is_gone || deadline <= now {
                partition.giving = Giving::Given;
                self.ownership.release(tp);
            }
        }
        matches!(partition.giving, Giving::Given | Giving::Lost)
    }
}
