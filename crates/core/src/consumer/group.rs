//! What a membership changes: gains, losses, and as whom is committed.

use std::time::Duration;

use forebay_protocol::types::TopicPartition;

use super::output::{Cause, Event, Output};
use super::partition::{Giving, Partition};
use super::release::Steps;
use super::shutdown::Stage;
use super::{Commits, Consumer};
use crate::mutant::Mutant;
use crate::offsets::commit::Gate;
use crate::orders::Order;
use crate::ownership::member::{self, Answer, Stamp};
use crate::time::Instant;

impl Consumer {
    /// The coordinator answered the request with this stamp, which left at `sent` by the clock that
    /// counts suspension.
    pub fn handle_member_answer(
        &mut self,
        now: Instant,
        sent: Instant,
        stamp: Stamp,
        answer: Answer,
    ) {
        if let Some(member) = &mut self.member {
            member.handle_answer(now, sent, stamp, answer);
        }
        self.route(now);
    }

    /// The answer to [`Output::AskSession`].
    pub fn handle_session(&mut self, now: Instant, timeout: Duration) {
        if let Some(member) = &mut self.member {
            member.handle_session(timeout);
        }
        self.route(now);
    }

    /// What the membership says, and whether commits may leave under it.
    pub(super) fn route_member(&mut self, now: Instant) -> bool {
        let Some(member) = &mut self.member else { return false };
        let gate = if member.identity().is_some() { Gate::Open } else { Gate::Closed };
        self.commit.handle_gate(now, gate);
        let Some(output) = member.poll_output(now) else { return false };
        match output {
            member::Output::Ask(stamp, request) => {
                self.outputs.push_back(Output::Ask(stamp, request));
            }
            member::Output::WrongCoordinator => self.outputs.push_back(Output::WrongCoordinator),
            member::Output::StaleMetadata | member::Output::FallBack => {
                self.outputs.push_back(Output::StaleMetadata);
            }
            member::Output::AskSession => self.outputs.push_back(Output::AskSession),
            member::Output::WantTopics(topics) => {
                self.outputs.push_back(Output::WantTopics(topics));
            }
            member::Output::Gained(tps) => self.take(now, tps),
            member::Output::Revoked(_) if Mutant::IgnoreRevoke.lives() => {
                member.handle_released(now);
            }
            member::Output::Revoked(tps) => {
                let deadline = now.after(self.config.drain_timeout);
                self.give_up(tps, Steps::until(now, deadline));
            }
            member::Output::Lost { code } => self.lose_all(code),
            member::Output::ValidUntil(until) => {
                self.outputs.push_back(Output::ValidUntil(until));
            }
            member::Output::Fatal { code } => {
                self.cause.get_or_insert(Cause::Group { code });
                self.has_left = true;
                self.handle_shutdown(now, now.after(self.config.drain_timeout));
            }
            member::Output::Trouble(trouble) => {
                self.outputs.push_back(Output::Event(Event::Group(trouble)));
            }
            member::Output::Left => self.handle_left(now),
        }
        true
    }

    /// The group gave us these: never from where we once stood, always from what is committed now.
    fn take(&mut self, now: Instant, tps: Vec<TopicPartition>) {
        if !self.takes_partitions() {
            return;
        }
        let token = self.token();
        for tp in &tps {
            self.acquire(now, tp, Partition { token, ..Partition::default() });
        }
        self.outputs.push_back(Output::Event(Event::Gained(tps)));
    }

    /// What tells this time of owning partitions from any earlier one of anybody.
    fn token(&self) -> Option<u32> {
        let identity = self.member.as_ref()?.identity()?;
        u32::try_from(identity.generation).ok()
    }

    /// `tp` is to become ours, with nothing remembered of an earlier time.
    pub(super) fn acquire(&mut self, now: Instant, tp: &TopicPartition, fresh: Partition) {
        self.ownership.acquire(tp.clone());
        self.partitions.insert(tp.clone(), fresh);
        #[cfg(feature = "mutants")]
        if let Some(entry) = self.remembered(tp) {
            return self.handle_found(tp, entry, crate::offsets::start::Source::Committed);
        }
        match self.config.commits {
            Commits::Group => self.starts.handle_committed_wanted(now, tp.clone()),
            Commits::Nowhere => self.starts.handle_policy_wanted(now, tp.clone()),
        }
    }

    /// Nothing is ours any more.
    fn lose_all(&mut self, code: i16) {
        let tps: Vec<_> = self.partitions.keys().cloned().collect();
        for tp in &tps {
            if let Some(gain) = self.ownership.lose(tp) {
                self.outputs.push_back(Output::Order(Order::Lost { tp: tp.clone(), gain }));
            }
            self.starts.handle_dropped(tp);
            self.commit.handle_lost(tp);
            #[cfg(feature = "mutants")]
            self.remember(
                tp,
                self.partitions.get(tp).and_then(|it| it.frontier).map(|entry| entry.position),
            );
            if let Some(partition) = self.partitions.get_mut(tp) {
                partition.giving = Giving::Lost;
            }
        }
        self.giving.clear();
        self.parking.clear();
        // At the end the summary still tells of them.
        if self.stage == Stage::Running {
            self.partitions.clear();
        }
        self.outputs.push_back(Output::Event(Event::Lost { tps, code }));
    }
}

/// A mistake made on purpose.
#[cfg(feature = "mutants")]
impl Consumer {
    /// Where a partition stood when it was given up or lost.
    pub(super) fn remember(
        &mut self,
        tp: &TopicPartition,
        frontier: Option<forebay_protocol::types::Position>,
    ) {
        self.stood.extend(frontier.map(|position| (tp.clone(), position)));
    }

    fn remembered(&self, tp: &TopicPartition) -> Option<crate::offsets::commit::Entry> {
        let position = self.stood.get(tp).copied().filter(|_| Mutant::ReusePosition.lives())?;
        let epoch = forebay_protocol::types::LeaderEpoch::UNKNOWN;
        Some(crate::offsets::commit::Entry { position, epoch })
    }
}
