//! Is what we joined with still what is wanted?

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use forebay_protocol::group::Assignment;
use forebay_protocol::types::{TopicName, TopicPartition};

use super::super::member::{Output, Trouble, Wish};
use super::{Classic, GONE_AFTER, State};
use crate::time::Instant;

impl Classic {
    /// Other topics are wanted from now on. While we join, the plan is awaited first.
    pub fn handle_wish(&mut self, now: Instant, wish: Wish) {
        self.config.wish = wish;
        self.rejoin_if_outdated(now);
    }

    /// Whether this is no member, and never again.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Ours, of topics that are wanted no more.
    pub(super) fn unwanted(&self) -> BTreeSet<TopicPartition> {
        let wish = &self.config.wish;
        self.owned.iter().filter(|tp| !wish.wants(&tp.topic)).cloned().collect()
    }

    pub(super) fn rejoin_if_outdated(&mut self, now: Instant) {
        if matches!(self.state, State::Stable) && !self.wants_join && self.is_outdated(now) {
            self.rejoin(now);
        }
    }

    /// When the next topic that we planned with counts as deleted.
    pub(super) fn next_gone(&self) -> Option<Instant> {
        let planned = self.plan_of.iter().flatten().filter(|(_, count)| 0 < **count);
        planned.filter_map(|(name, _)| Some(self.unknown.get(name)?.after(GONE_AFTER))).min()
    }

    /// Whether what we joined with is no longer what we want, or the plan that we made no longer
    /// fits its topics.
    pub(super) fn is_outdated(&self, now: Instant) -> bool {
        let planned = self.plan_of.as_ref();
        self.config.wish.topics(&self.metadata) != self.topics
            || planned.is_some_and(|planned| *planned != self.counts(now, planned.keys()))
    }

    /// How many partitions each of these topics has.
    pub(super) fn counts<'a>(
        &self,
        now: Instant,
        topics: impl Iterator<Item = &'a TopicName>,
    ) -> BTreeMap<TopicName, i32> {
        let count = |name: &TopicName| {
            let is_gone = self.unknown.get(name).is_some_and(|at| at.after(GONE_AFTER) <= now);
            let known = self.metadata.topics.get(name).filter(|_| !is_gone);
            let partitions = known.map_or(0, |topic| topic.partitions.len());
            (name.clone(), i32::try_from(partitions).unwrap_or(i32::MAX))
        };
        topics.map(count).collect()
    }

    /// Our part of the plan. What is malformed or unasked for is left out and told.
    pub(super) fn read(&mut self, assignment: Bytes) -> BTreeSet<TopicPartition> {
        let assigned = match Assignment::decode(assignment) {
            Ok(assigned) => assigned.partitions,
            Err(error) => {
                let why = error.to_string().into();
                self.outputs.push_back(Output::Trouble(Trouble::BadAssignment { why }));
                Vec::new()
            }
        };
        let (ours, foreign): (BTreeSet<_>, BTreeSet<_>) = assigned
            .into_iter()
            .partition(|tp| 0 <= tp.partition && self.config.wish.wants(&tp.topic));
        // What we joined with and want no more is nobody's mistake.
        let foreign = foreign.into_iter().filter(|tp| !self.topics.contains(&tp.topic));
        let troubles = foreign.map(|tp| Output::Trouble(Trouble::Unasked { tp }));
        self.outputs.extend(troubles);
        ours
    }
}
