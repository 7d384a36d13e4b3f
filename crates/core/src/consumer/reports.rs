//! What does the shard say, and does it still count?

use forebay_protocol::types::TopicPartition;

use super::output::{Cause, Output, Trouble};
use super::shutdown::Stage;
use super::{Consumer, Entry};
use crate::fence::Gain;
use crate::orders::{Fault, Leader, LeaderHint, Report};
use crate::time::Instant;

impl Consumer {
    /// The shard reports.
    pub fn handle_report(&mut self, now: Instant, report: Report) {
        match report {
            Report::Frontier { tp, gain, seeks, position, position_epoch } => {
                // One that was told before the user's word came is of a place that he left.
                if self.partitions.get(&tp).is_some_and(|it| it.seeks == seeks) {
                    let entry = Entry { position, epoch: position_epoch };
                    self.handle_frontier(now, &tp, gain, entry);
                }
            }
            Report::Drained { tp, gain, position, position_epoch, unfinished } => {
                let entry = Entry { position, epoch: position_epoch };
                self.handle_frontier(now, &tp, gain, entry);
                self.handle_drained(now, &tp, gain, unfinished);
            }
            Report::NeedsReset { tp, gain, position, position_epoch, cause } => {
                let counts = self.stage == Stage::Running && self.ownership.get(&tp).accepts(gain);
                if counts {
                    self.starts.handle_gone(now, tp, (position, position_epoch), cause);
                }
            }
            Report::LeaderStale { tp, gain, tried, hint } => {
                self.handle_leader_stale(&tp, gain, tried, hint);
            }
            Report::Denied { tp, gain, position } => self.handle_denied(now, (&tp, gain), position),
            Report::Stopped { tp, gain, fault } => self.handle_stopped(now, &tp, gain, fault),
            Report::Stop => self.handle_shutdown(now, now.after(self.config.drain_timeout)),
            Report::Closed => self.is_shard_closed = true,
        }
        self.route(now);
    }

    /// The shard is gone without a word.
    pub fn handle_shard_lost(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Closing { .. } | Stage::Done) {
            self.cause.get_or_insert(Cause::ShardLost);
        }
        self.partitions.values_mut().for_each(|partition| partition.is_drained = true);
        self.is_shard_closed = true;
        self.looks.at_all();
        self.handle_shutdown(now, now.after(self.config.drain_timeout));
        self.route(now);
    }

    fn handle_frontier(&mut self, now: Instant, tp: &TopicPartition, gain: Gain, entry: Entry) {
        if !self.ownership.get(tp).accepts(gain) {
            return;
        }
        if let Some(partition) = self.partitions.get_mut(tp) {
            partition.frontier = Some(entry);
            self.commit.handle_frontier(now, tp, entry);
            self.allow_read(now, tp, entry.position);
        }
    }

    fn handle_leader_stale(
        &mut self,
        tp: &TopicPartition,
        gain: Gain,
        tried: Option<Leader>,
        hint: Option<LeaderHint>,
    ) {
        let known = self.metadata.leader(tp);
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        if partition.gain != Some(gain) {
            return;
        }
        if tried.is_some() {
            partition.leader_told = None;
            partition.wants_leader = true;
        }
        match hint {
            Some(hint) => self.outputs.push_back(Output::Hint(tp.clone(), hint)),
            None if tried.is_some() && known.is_some() && known != tried => {
                self.tell_leader(&tp.clone(), known);
            }
            None => self.outputs.push_back(Output::StaleMetadata),
        }
    }

    fn handle_stopped(&mut self, now: Instant, tp: &TopicPartition, gain: Gain, fault: Fault) {
        if !self.ownership.get(tp).accepts(gain) {
            return;
        }
        self.starts.handle_dropped(tp);
        self.fail(now, tp, Trouble::Shard(fault));
        self.commit.handle_flush(now);
    }
}
