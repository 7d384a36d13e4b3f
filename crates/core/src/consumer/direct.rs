//! What do directives change: by somebody else than the group, a swap of two versions of a service
//! for one? They go the same way out as everything that is given up, and end before the last step.

use forebay_protocol::types::{Position, TopicPartition};

use super::output::{Event, Output};
use super::partition::{Giving, Partition};
use super::release::Steps;
use super::shutdown::Stage;
use super::{Commits, Consumer};
use crate::offsets::start::Source;
use crate::ownership::directive::{Directive, GoOn, Standing, Step};
use crate::time::Instant;

/// A partition that is ours and with which nothing is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parked {
    /// All before it is done; `None` when it had not started.
    pub position: Option<Position>,
    /// Whether its running work had ended, all that is done is committed, and no commit is left that
    /// may still be stored.
    pub is_clean: bool,
}

impl Consumer {
    /// Somebody wants something of `tp`. Answers whether that is possible.
    pub fn handle_directive(
        &mut self,
        now: Instant,
        tp: &TopicPartition,
        directive: Directive,
    ) -> bool {
        let stays = self.may_direct(tp);
        let Some(partition) = self.partitions.get_mut(tp).filter(|_| stays) else { return false };
        let step = partition.standing.hear(directive);
        self.follow(now, tp, step);
        self.route(now);
        true
    }

    /// Whether `tp` is ours and stays so, as far as we know.
    #[must_use]
    pub fn may_direct(&self, tp: &TopicPartition) -> bool {
        let stays = self.stage == Stage::Running && !self.giving.contains(tp);
        stays && self.partitions.contains_key(tp)
    }

    /// How `tp` is parked, if it is.
    #[must_use]
    pub fn parked(&self, tp: &TopicPartition) -> Option<Parked> {
        let partition = self.partitions.get(tp)?;
        matches!(partition.standing, Standing::Parked(_)).then(|| self.left(tp, partition))
    }

    fn follow(&mut self, now: Instant, tp: &TopicPartition, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Flow => self.tell_flow(tp),
            Step::Leave(deadline) => self.leave(tp, Steps::until(now, deadline)),
            Step::Forget => self.commit.handle_lost(tp),
            Step::Begin(at) => self.begin_again(now, tp, at),
        }
    }

    /// Drains and commits, as everything that is given up.
    fn leave(&mut self, tp: &TopicPartition, steps: Steps) {
        self.looks.wake_at(steps);
        self.looks.at_all();
        if self.parking.insert(tp.clone()) {
            self.outputs.push_back(Output::Event(Event::Draining(vec![tp.clone()])));
        }
        self.begin_giving(tp, steps);
    }

    /// It went the way out but for the last step: it is still ours.
    pub(super) fn park(&mut self, now: Instant, tp: &TopicPartition) {
        let Some(mut partition) = self.partitions.remove(tp) else { return };
        let left = self.left(tp, &partition);
        (partition.giving, partition.gain, partition.start) = (Giving::No, None, None);
        (partition.leader_told, partition.wants_leader) = (None, false);
        let step = partition.standing.park();
        self.partitions.insert(tp.clone(), partition);
        let Parked { position, is_clean } = left;
        self.outputs.push_back(Output::Event(Event::Parked { tp: tp.clone(), position, is_clean }));
        self.follow(now, tp, step);
    }

    /// What is being drained belongs to a log that is no more.
    pub(super) fn forget_log(&mut self, tp: &TopicPartition) {
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        (partition.gain, partition.frontier, partition.is_drained) = (None, None, true);
        self.looks.at_all();
    }

    fn left(&self, tp: &TopicPartition, partition: &Partition) -> Parked {
        let is_stored = self.commit.is_stored(tp) && !self.commit.has_stray(tp);
        let is_kept = self.config.commits == Commits::Nowhere || is_stored;
        Parked {
            position: partition.frontier.map(|entry| entry.position),
            is_clean: partition.is_drained && partition.unfinished == 0 && is_kept,
        }
    }

    /// Fetching begins under a new gain: late words of before count for nothing.
    fn begin_again(&mut self, now: Instant, tp: &TopicPartition, at: GoOn) {
        let Some(old) = self.partitions.get(tp) else { return };
        let is_other = old.is_of_another_log(self.metadata.topic_id(&tp.topic));
        let kept = old.frontier.filter(|_| at == GoOn::Kept && !is_other);
        let again = old.again();
        // What had not ended is done again.
        self.unfinished = self.unfinished.saturating_sub(old.unfinished);
        let Some(entry) = kept else {
            self.commit.handle_lost(tp);
            return self.acquire(now, tp, again);
        };
        self.ownership.acquire(tp.clone());
        self.partitions.insert(tp.clone(), again);
        self.handle_found(tp, entry, Source::Kept);
    }
}

#[cfg(test)]
mod tests;
