//! The end of a consumer, as a pipeline whose stages read as one sentence.

use forebay_protocol::types::TopicPartition;

use super::output::{Cause, Ending, Outcome, Output};
use super::{Commits, Consumer};
use crate::fence::Gain;
use crate::orders::Order;
use crate::time::Instant;

/// Part of the time to the deadline that is kept for the last commit: one in so many.
const COMMIT_SHARE: u32 = 5;
/// The most that is kept for it.
const COMMIT_MOST: std::time::Duration = std::time::Duration::from_secs(2);

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Records flow, until somebody wants the end: ...
    Running,
    /// ... nothing new starts, and when all work is done or `told_by` passed, ...
    Draining { told_by: Instant, deadline: Instant },
    /// ... the last frontiers are committed, and when the coordinator has them, ...
    Committing { deadline: Instant },
    /// ... the shard closes its lanes, and when it has, ...
    Closing { deadline: Instant },
    /// ... it is over. Each step ends at the deadline at the latest.
    Done,
}

impl Stage {
    /// When the stage ends by itself.
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Running | Self::Done => None,
            Self::Draining { told_by, .. } => Some(told_by),
            Self::Committing { deadline } | Self::Closing { deadline } => Some(deadline),
        }
    }
}

impl Consumer {
    /// Somebody wants the end by `deadline`. A second call can only make it earlier.
    pub fn handle_shutdown(&mut self, now: Instant, deadline: Instant) {
        let kept = (deadline.since(now) / COMMIT_SHARE).min(COMMIT_MOST);
        let drain_by = now.after(deadline.since(now).saturating_sub(kept));
        // The shard tells what was left at its deadline: this plane waits for that word, too.
        let told_by = drain_by.after(kept / 2);
        match &mut self.stage {
            Stage::Running => self.start_draining(drain_by, told_by, deadline),
            Stage::Draining { told_by: by, deadline: old } => {
                (*by, *old) = ((*by).min(told_by), (*old).min(deadline));
            }
            Stage::Committing { deadline: old } | Stage::Closing { deadline: old } => {
                *old = (*old).min(deadline);
            }
            Stage::Done => {}
        }
        self.advance_shutdown(now);
    }

    fn start_draining(&mut self, drain_by: Instant, told_by: Instant, deadline: Instant) {
        self.stage = Stage::Draining { told_by, deadline };
        for (tp, gain) in self.ownership.drain_all(drain_by) {
            let order = Order::Drain { tp, gain, deadline: drain_by };
            self.outputs.push_back(Output::Order(order));
        }
        for (tp, partition) in &mut self.partitions {
            self.starts.handle_dropped(tp);
            partition.is_drained |= partition.gain.is_none();
        }
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
            self.unfinished = self.unfinished.saturating_add(unfinished);
            self.commit.handle_flush(now);
        }
    }

    /// When every partition has stopped by itself there is nothing to wait for.
    pub(super) fn end_if_nothing_is_left(&mut self, now: Instant) {
        let is_over = self.partitions.values().all(|partition| partition.trouble.is_some());
        if is_over && self.stage == Stage::Running {
            self.cause.get_or_insert(Cause::NothingLeft);
            self.handle_shutdown(now, now.after(self.config.drain_timeout));
        }
    }

    /// Goes as many stages ahead as are done.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        if let Stage::Draining { told_by, deadline } = self.stage {
            let is_drained = self.partitions.values().all(|partition| partition.is_drained);
            if is_drained || told_by <= now {
                self.stage = Stage::Committing { deadline };
                self.commit.handle_flush(now);
            }
        }
        if let Stage::Committing { deadline } = self.stage {
            let settled = self.partitions.keys().all(|tp| self.commit.is_settled(tp));
            if settled || self.config.commits == Commits::Nowhere || deadline <= now {
                self.stage = Stage::Closing { deadline };
                self.partitions.keys().for_each(|tp| self.ownership.release(tp));
                self.outputs.push_back(Output::Order(Order::Close));
            }
        }
        if let Stage::Closing { deadline } = self.stage
            && (self.is_shard_closed || deadline <= now)
        {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.stage = Stage::Done;
        let partitions = self.partitions.iter().map(|(tp, partition)| {
            let ending = Ending {
                frontier: partition.frontier,
                committed: self.commit.acked(tp),
                is_drained: partition.is_drained,
                is_committed: self.config.commits == Commits::Nowhere || self.commit.is_stored(tp),
                trouble: partition.trouble.clone(),
            };
            (tp.clone(), ending)
        });
        let outcome = Outcome {
            partitions: partitions.collect(),
            unfinished: self.unfinished,
            cause: self.cause.clone(),
        };
        self.outputs.push_back(Output::Done(outcome));
    }
}
