//! Where does a partition start, and where does it go on when its position no longer exists?
//!
//! ```text
//!   wanted --> Committed? --a position--> found
//!                  | nothing committed
//!                  v
//!   policy --> Listing --answer--> found          out of range --> Listing (validate) --> found
//! ```
//!
//! A reset happens only when the coordinator said "nothing committed", or when the current leader
//! said that the position does not exist. Errors, silence and partitions left out are asked again.

mod queue;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, Position, TopicPartition};

use crate::backoff::{self, Backoff};
use crate::cluster::metadata::Metadata;
use crate::mutant::Mutant;
use crate::orders::ResetCause;
use crate::rng::Rng;
use crate::time::Instant;
use queue::Queue;
pub use words::{Ask, Failure, Output, Policy, Source, Told, Want};

/// How often a position past the end is looked at again before it counts as gone: right after an
/// election a leader may not yet know its end.
const VALIDATIONS: u32 = 4;

/// Positions lost again within this time are looked for ever more slowly: who keeps saying that
/// they do not exist may be wrong, and is not to be asked in a loop.
const LOSSES_APART: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Ask the coordinator.
    Committed,
    /// Ask the leader, for the policy's sake.
    List { want: Want, source: Source },
    /// Ask the leader for its end: the position lies past what it told.
    Validate { position: Position, epoch: LeaderEpoch, cause: ResetCause, left: u32 },
    /// Ask the leader for its start: the position lies before its end.
    Floor { position: Position, epoch: LeaderEpoch, end: Offset },
    /// All is known; only the pace of resets keeps it back.
    Settled { position: Position, epoch: LeaderEpoch, source: Source },
}

/// When a position was lost last, and how long the next loss will wait.
#[derive(Debug)]
struct Loss {
    at: Instant,
    backoff: Backoff,
}

#[derive(Debug)]
struct Slot {
    state: State,
    asking: bool,
    backoff: Backoff,
}

/// The machine.
#[derive(Debug)]
pub struct Starts {
    policy: Policy,
    retry: backoff::Config,
    rng: Rng,
    metadata: Arc<Metadata>,
    slots: BTreeMap<TopicPartition, Slot>,
    losses: BTreeMap<TopicPartition, Loss>,
    /// Slots that nobody is asked about: an event looks at those that it concerns and no others.
    queue: Queue,
    outputs: VecDeque<Output>,
}

impl Starts {
    /// No partition to start yet.
    #[must_use]
    pub fn new(policy: Policy, retry: backoff::Config, rng: Rng) -> Self {
        Self {
            policy,
            retry,
            rng,
            metadata: Arc::default(),
            slots: BTreeMap::new(),
            losses: BTreeMap::new(),
            queue: Queue::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Start `tp` where the coordinator says.
    pub fn handle_committed_wanted(&mut self, now: Instant, tp: TopicPartition) {
        self.begin(tp, State::Committed);
        self.queue.wake(now);
    }

    /// Start `tp` where the policy says: there is no group.
    pub fn handle_policy_wanted(&mut self, now: Instant, tp: TopicPartition) {
        self.apply_policy(tp);
        self.queue.wake(now);
    }

    /// The current leader said that `position` does not exist.
    pub fn handle_gone(
        &mut self,
        now: Instant,
        tp: TopicPartition,
        (position, epoch): (Position, LeaderEpoch),
        cause: ResetCause,
    ) {
        if self.policy == Policy::None && !is_past_end(position, cause) {
            let why = Failure::Gone { position, cause };
            self.outputs.push_back(Output::Failed { tp, why });
            return;
        }
        let (not_before, epoch) = self.pace(now, &tp, epoch);
        let source = Source::Reset { from: position };
        let state = match cause {
            // Who says that the log parts at or behind our place says nothing against it.
            ResetCause::Truncated { end, epoch: other } => {
                let (position, epoch) =
                    if end < position { (end, other) } else { (position, LeaderEpoch::UNKNOWN) };
                State::Settled { position, epoch, source }
            }
            ResetCause::OutOfRange { log_start, .. } if position.offset() < log_start => {
                State::List { want: Want::Earliest, source }
            }
            ResetCause::OutOfRange { .. } if Mutant::ResetWithoutEpochCheck.lives() => {
                return self.give_up(&tp, position, cause);
            }
            ResetCause::OutOfRange { .. } => {
                self.outputs.push_back(Output::StaleMetadata);
                State::Validate { position, epoch, cause, left: VALIDATIONS }
            }
        };
        self.begin(tp.clone(), state);
        if now < not_before {
            self.queue.push_later(not_before, tp);
        }
        self.queue.wake(now);
    }

    /// When a position that is lost now may be looked for, and under which epoch of the record
    /// before it: one that is lost again is tried without, since the epoch may be what the leader
    /// does not know.
    fn pace(
        &mut self,
        now: Instant,
        tp: &TopicPartition,
        epoch: LeaderEpoch,
    ) -> (Instant, LeaderEpoch) {
        let apart = |loss: &&mut Loss| now < loss.at.after(LOSSES_APART);
        if let Some(loss) = self.losses.get_mut(tp).filter(apart) {
            loss.at = now.after(loss.backoff.fail(&mut self.rng));
            return (loss.at, LeaderEpoch::UNKNOWN);
        }
        self.losses.insert(tp.clone(), Loss { at: now, backoff: Backoff::new(self.retry) });
        (now, epoch)
    }

    /// The partition is lost, or the user said where to go on.
    pub fn handle_dropped(&mut self, tp: &TopicPartition) {
        self.remove(tp);
        self.losses.remove(tp);
    }

    /// The picture of the cluster changed.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = metadata;
        self.queue.wake_leaderless();
        self.queue.wake(now);
    }

    /// The answer to [`Output::FetchCommitted`] for `asked`; empty `told` when none came.
    pub fn handle_committed(&mut self, now: Instant, asked: &[TopicPartition], told: Vec<Told>) {
        let mut told: BTreeMap<_, _> =
            told.into_iter().map(|told| (told.tp.clone(), told)).collect();
        let mut lost_coordinator = told.is_empty();
        let mistaken =
            if lost_coordinator { Mutant::ResetOnTimeout } else { Mutant::MissingAsNone };
        for tp in asked {
            if !self.is_asking(tp) {
                continue;
            }
            match told.remove(tp) {
                Some(Told { code: 0, offset: Offset(-1), .. }) => self.apply_policy(tp.clone()),
                Some(Told { code: 0, offset, epoch, .. }) if 0 <= offset.0 => {
                    self.found(tp, Position(offset.0), epoch, Source::Committed);
                }
                // TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID
                Some(Told { code: code @ (24 | 29 | 30), .. }) => self.refuse(tp, code),
                None if mistaken.lives() => self.apply_policy(tp.clone()),
                other => {
                    // COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
                    lost_coordinator |= other.is_some_and(|told| matches!(told.code, 15 | 16));
                    self.retry(now, tp);
                }
            }
        }
        if lost_coordinator {
            self.outputs.push_back(Output::WrongCoordinator);
        }
        self.queue.wake(now);
    }

    /// The answer to [`Output::List`] for `asked`; empty `told` when none came.
    pub fn handle_listed(&mut self, now: Instant, asked: &[Ask], told: Vec<Told>) {
        let mut told: BTreeMap<_, _> =
            told.into_iter().map(|told| (told.tp.clone(), told)).collect();
        for Ask { tp, want, .. } in asked {
            let Some(state) = self.slots.get(tp).filter(|slot| slot.asking).map(|s| s.state) else {
                continue;
            };
            // The answer to an older question, as the end in place of the start, is no answer.
            if wanted(state) != Some(*want) {
                continue;
            }
            match told.remove(tp) {
                Some(Told { code: 0, offset, epoch, .. }) => {
                    self.listed(now, tp, state, (offset, epoch));
                }
                // TOPIC_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION, UNSUPPORTED_FOR_MESSAGE_FORMAT
                Some(Told { code: code @ (29 | 35 | 43), .. }) => self.refuse(tp, code),
                _ => {
                    self.outputs.push_back(Output::StaleMetadata);
                    self.retry(now, tp);
                }
            }
        }
        self.queue.wake(now);
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.queue.wake(now);
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.ask();
        }
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    fn begin(&mut self, tp: TopicPartition, state: State) {
        let backoff = Backoff::new(self.retry);
        self.queue.push_due(tp.clone());
        self.slots.insert(tp, Slot { state, asking: false, backoff });
    }

    fn remove(&mut self, tp: &TopicPartition) {
        self.slots.remove(tp);
        self.queue.remove(tp);
    }

    fn is_asking(&self, tp: &TopicPartition) -> bool {
        self.slots.get(tp).is_some_and(|slot| slot.asking)
    }

    fn apply_policy(&mut self, tp: TopicPartition) {
        let want = match self.policy {
            Policy::None => {
                self.remove(&tp);
                self.outputs.push_back(Output::Failed { tp, why: Failure::NoOffset });
                return;
            }
            Policy::Earliest => Want::Earliest,
            Policy::Latest => Want::Latest,
            Policy::Since(age) => Want::Since(age),
        };
        self.begin(tp, State::List { want, source: Source::Policy });
    }

    fn found(
        &mut self,
        tp: &TopicPartition,
        position: Position,
        epoch: LeaderEpoch,
        source: Source,
    ) {
        self.remove(tp);
        self.outputs.push_back(Output::Found { tp: tp.clone(), position, epoch, source });
    }

    fn refuse(&mut self, tp: &TopicPartition, code: i16) {
        self.remove(tp);
        self.outputs.push_back(Output::Failed { tp: tp.clone(), why: Failure::Refused { code } });
    }

    fn retry(&mut self, now: Instant, tp: &TopicPartition) {
        if let Some(slot) = self.slots.get_mut(tp) {
            slot.asking = false;
            let at = now.after(slot.backoff.fail(&mut self.rng));
            self.queue.push_later(at, tp.clone());
        }
    }

    fn listed(
        &mut self,
        now: Instant,
        tp: &TopicPartition,
        state: State,
        (offset, epoch): (Offset, LeaderEpoch),
    ) {
        match state {
            State::Committed | State::Settled { .. } => self.retry(now, tp),
            // No record is that young: what is to come begins at the end.
            State::List { want: Want::Since(_), source } if offset.0 < 0 => {
                self.begin(tp.clone(), State::List { want: Want::Latest, source });
            }
            State::List { .. } if offset.0 < 0 => self.retry(now, tp),
            State::List { source, .. } => self.found(tp, Position(offset.0), epoch, source),
            State::Validate { position, epoch, .. } if position.0 <= offset.0 => {
                self.begin(tp.clone(), State::Floor { position, epoch, end: offset });
            }
            State::Floor { position, epoch, .. } if offset.0 <= position.0 => {
                self.found(tp, position, epoch, Source::Validated);
            }
            State::Floor { position, end: high_watermark, .. } => {
                let cause = ResetCause::OutOfRange { log_start: offset, high_watermark };
                self.below_the_start(tp, position, (offset, epoch), cause);
            }
            State::Validate { left: 0, position, cause, .. } => {
                self.give_up(tp, position, cause);
            }
            State::Validate { left, position, epoch, cause } => {
                self.outputs.push_back(Output::StaleMetadata);
                self.retry(now, tp);
                if let Some(slot) = self.slots.get_mut(tp) {
                    let left = left.saturating_sub(1);
                    slot.state = State::Validate { position, epoch, cause, left };
                }
            }
        }
    }

    /// The records at the position were deleted.
    fn below_the_start(
        &mut self,
        tp: &TopicPartition,
        position: Position,
        (log_start, epoch): (Offset, LeaderEpoch),
        cause: ResetCause,
    ) {
        if self.policy == Policy::None {
            self.remove(tp);
            let why = Failure::Gone { position, cause };
            self.outputs.push_back(Output::Failed { tp: tp.clone(), why });
            return;
        }
        self.found(tp, Position(log_start.0), epoch, Source::Reset { from: position });
    }

    /// The position is past the end for good.
    fn give_up(&mut self, tp: &TopicPartition, position: Position, cause: ResetCause) {
        let source = Source::Reset { from: position };
        let want = match self.policy {
            Policy::None => {
                self.remove(tp);
                let why = Failure::Gone { position, cause };
                self.outputs.push_back(Output::Failed { tp: tp.clone(), why });
                return;
            }
            Policy::Earliest => Want::Earliest,
            Policy::Latest => Want::Latest,
            Policy::Since(age) => Want::Since(age),
        };
        self.begin(tp.clone(), State::List { want, source });
    }

    /// Asks about all slots that are due, with one request for each who can answer.
    fn ask(&mut self) {
        let mut committed = Vec::new();
        let mut lists: BTreeMap<BrokerId, Vec<Ask>> = BTreeMap::new();
        while let Some(tp) = self.queue.pop_due() {
            let Some(slot) = self.slots.get_mut(&tp) else { continue };
            let want = match slot.state {
                State::Settled { position, epoch, source } => {
                    self.found(&tp, position, epoch, source);
                    continue;
                }
                State::Committed => {
                    slot.asking = true;
                    committed.push(tp);
                    continue;
                }
                State::List { want, .. } => want,
                State::Validate { .. } => Want::Latest,
                State::Floor { .. } => Want::Earliest,
            };
            let Some(leader) = self.metadata.leader(&tp) else {
                self.queue.push_leaderless(tp);
                continue;
            };
            slot.asking = true;
            lists.entry(leader.broker).or_default().push(Ask { tp, epoch: leader.epoch, want });
        }
        if !committed.is_empty() {
            self.outputs.push_back(Output::FetchCommitted(committed));
        }
        let lists = lists.into_iter().map(|(leader, asks)| Output::List { leader, asks });
        self.outputs.extend(lists);
    }
}

/// What a leader is asked in this state.
const fn wanted(state: State) -> Option<Want> {
    match state {
        State::Settled { .. } | State::Committed => None,
        State::List { want, .. } => Some(want),
        State::Validate { .. } => Some(Want::Latest),
        State::Floor { .. } => Some(Want::Earliest),
    }
}

/// Whether the position may still turn out to exist: it lies past what the leader told as its end.
fn is_past_end(position: Position, cause: ResetCause) -> bool {
    matches!(cause, ResetCause::OutOfRange { log_start, .. } if log_start <= position.offset())
}

#[cfg(test)]
mod tests;
