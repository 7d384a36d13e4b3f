//! The end of a consumer, as a pipeline whose stages read as one sentence.

use super::output::{Cause, Ending, Outcome, Output};
use super::partition::Giving;
use super::release::Steps;
use super::rights::Denied;
use super::{Commits, Consumer};
use crate::orders::Order;
use crate::time::Instant;

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Records flow, until somebody wants the end: ...
    Running,
    /// ... all partitions are given up, their last commits included, and when they are, ...
    Giving { deadline: Instant },
    /// ... the group is left, and when the coordinator knows, ...
    Leaving { deadline: Instant },
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
            Self::Giving { deadline } | Self::Leaving { deadline } | Self::Closing { deadline } => {
                Some(deadline)
            }
        }
    }
}

impl Consumer {
    /// Somebody wants the end by `deadline`. A second call can only make it earlier.
    pub fn handle_shutdown(&mut self, now: Instant, deadline: Instant) {
        match &mut self.stage {
            Stage::Running => self.stage = Stage::Giving { deadline },
            Stage::Giving { deadline: old }
            | Stage::Leaving { deadline: old }
            | Stage::Closing { deadline: old } => *old = (*old).min(deadline),
            Stage::Done => {}
        }
        if matches!(self.stage, Stage::Giving { .. }) {
            let all = self.partitions.keys().cloned().collect();
            self.give_up(all, Steps::until(now, deadline));
        }
        self.route(now);
    }

    /// When every partition has stopped by itself there is nothing to wait for.
    pub(super) fn end_if_nothing_is_left(&mut self, now: Instant) {
        let has_any = self.member.is_none() || !self.partitions.is_empty();
        let is_over = self.partitions.values().all(|partition| partition.trouble.is_some());
        if has_any && is_over && self.stage == Stage::Running {
            self.cause.get_or_insert(Cause::NothingLeft);
            self.handle_shutdown(now, now.after(self.config.drain_timeout));
        }
    }

    /// Goes as many stages ahead as are done.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        if let Stage::Giving { deadline } = self.stage
            && (self.giving.is_empty() || deadline <= now)
        {
            self.stage = Stage::Leaving { deadline };
            match &mut self.member {
                Some(member) => member.handle_leave(),
                None => self.has_left = true,
            }
        }
        if let Stage::Leaving { deadline } = self.stage
            && (self.has_left || deadline <= now)
        {
            self.stage = Stage::Closing { deadline };
            self.outputs.push_back(Output::Order(Order::Close));
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
            let is_lost = partition.giving == Giving::Lost;
            let is_kept = self.config.commits == Commits::Nowhere || self.commit.is_stored(tp);
            let denied = || partition.denied.map(Denied::trouble);
            let ending = Ending {
                frontier: partition.frontier.map(|entry| entry.position),
                committed: self.commit.acked(tp),
                is_drained: partition.is_drained && !is_lost,
                is_committed: is_kept && !is_lost,
                trouble: partition.trouble.clone().or_else(denied),
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
