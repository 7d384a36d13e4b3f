//! A member of a classic group: joins, leads or follows, beats, gives up and takes over.
//!
//! ```text
//!            JoinGroup             SyncGroup
//!  Waiting ------------> Joining ------------> Syncing ----> Stable
//!     ^                     |  (leader: Planning)  |            |
//!     +------- error -------+----------------------+            |
//!     +--- Eager: all given up | Cooperative: at once ----------+ somebody came or went
//! ```
//!
//! Eager members give up everything before they join again, under the old generation. Cooperative
//! ones join with what they have, learn what goes, give that up under the generation just joined,
//! and join once more, so that it can reach its new owner.

mod join;
mod wish;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{TopicName, TopicPartition};

use super::assignor::Rebalance;
use super::member::{Answer, Config, Identity, Joined, Output, Request, Stamp, Synced};
use super::pace::Pace;
use crate::backoff::Backoff;
use crate::cluster::metadata::Metadata;
use crate::rng::Rng;
use crate::time::Instant;

/// Kafka's error codes that a member acts on.
pub(super) mod code {
    pub(crate) const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub(crate) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub(crate) const NOT_COORDINATOR: i16 = 16;
    pub(crate) const ILLEGAL_GENERATION: i16 = 22;
    pub(crate) const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
    pub(crate) const INVALID_GROUP_ID: i16 = 24;
    pub(crate) const UNKNOWN_MEMBER_ID: i16 = 25;
    pub(crate) const INVALID_SESSION_TIMEOUT: i16 = 26;
    pub(crate) const REBALANCE_IN_PROGRESS: i16 = 27;
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    pub(crate) const GROUP_AUTHORIZATION_FAILED: i16 = 30;
    pub(crate) const UNSUPPORTED_VERSION: i16 = 35;
    pub(crate) const INVALID_REQUEST: i16 = 42;
    pub(crate) const GROUP_ID_NOT_FOUND: i16 = 69;
    pub(crate) const MEMBER_ID_REQUIRED: i16 = 79;
    pub(crate) const GROUP_MAX_SIZE_REACHED: i16 = 81;
    pub(crate) const FENCED_INSTANCE_ID: i16 = 82;
    pub(crate) const FENCED_MEMBER_EPOCH: i16 = 110;
    pub(crate) const UNRELEASED_INSTANCE_ID: i16 = 111;
    pub(crate) const UNSUPPORTED_ASSIGNOR: i16 = 112;
    pub(crate) const STALE_MEMBER_EPOCH: i16 = 113;
    pub(crate) const INVALID_REGULAR_EXPRESSION: i16 = 128;
}

/// After a plan by which others give something up: what they drained for a while is ours after the
/// same while again.
const PACE: Pace = Pace::new(Duration::from_millis(50), 1);
/// How long brokers must call a topic unknown before it counts as deleted: one that has just
/// started knows little.
const GONE_AFTER: Duration = Duration::from_secs(5);
/// Kafka's error code of such topics.
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// No generation yet.
const NO_GENERATION: i32 = -1;

#[derive(Debug)]
enum State {
    /// Join when the cluster is known and this has come.
    Waiting { until: Instant },
    /// `JoinGroup` is on its way.
    Joining { stamp: Stamp },
    /// We lead and wait to hear of the others' topics, until this at the latest.
    Planning { joined: Box<Joined>, by: Instant },
    /// `SyncGroup` is on its way.
    Syncing { stamp: Stamp, rebalance: Rebalance },
    /// A member with a part of the plan.
    Stable,
    /// `LeaveGroup` is on its way.
    Leaving { stamp: Stamp },
    /// No member, and never again.
    Over,
}

/// The beat of a member.
#[derive(Debug, Default)]
struct Pulse {
    /// When the next one leaves; `None` while there is nothing to say.
    due: Option<Instant>,
    awaiting: Option<Stamp>,
}

/// The machine.
#[derive(Debug)]
pub struct Classic {
    config: Config,
    rng: Rng,
    backoff: Backoff,
    metadata: Arc<Metadata>,
    state: State,
    member: Arc<str>,
    generation: i32,
    /// Topics that brokers call unknown, and since when.
    unknown: BTreeMap<TopicName, Instant>,
    /// What we joined with.
    topics: BTreeSet<TopicName>,
    /// Ours, with what is being given up.
    owned: BTreeSet<TopicPartition>,
    /// What the last plan gave us: for assignors that want to give it again.
    had: BTreeSet<TopicPartition>,
    /// The generation of that plan: we may have joined later ones whose plans never came.
    had_in: i32,
    /// Being given up.
    releasing: BTreeSet<TopicPartition>,
    wants_join: bool,
    /// When to ask again to join: the coordinator speaks of a generation that we know nothing of.
    ask_again: Option<Instant>,
    /// What the plan that we made was made from: when it changes, a new one is due.
    plan_of: Option<BTreeMap<TopicName, i32>>,
    pulse: Pulse,
    pace: Pace,
    stamps: u64,
    outputs: VecDeque<Output>,
}

impl Classic {
    /// Joins as soon as the cluster is known.
    #[must_use]
    pub fn new(config: Config, rng: Rng) -> Self {
        Self {
            backoff: Backoff::new(config.retry),
            config,
            rng,
            metadata: Arc::default(),
            state: State::Waiting { until: Instant::default() },
            member: "".into(),
            generation: NO_GENERATION,
            unknown: BTreeMap::new(),
            topics: BTreeSet::new(),
            owned: BTreeSet::new(),
            had: BTreeSet::new(),
            had_in: NO_GENERATION,
            releasing: BTreeSet::new(),
            wants_join: false,
            ask_again: None,
            plan_of: None,
            pulse: Pulse::default(),
            pace: PACE,
            stamps: 0,
            outputs: VecDeque::new(),
        }
    }

    /// As whom commits are to be sent; `None` while none may be.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        let is_member = matches!(self.state, State::Stable | State::Joining { .. });
        (is_member && self.generation != NO_GENERATION).then(|| self.who())
    }

    /// The cluster was looked at.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = metadata;
        let unknown = self.metadata.topics.iter();
        let unknown = unknown.filter(|(_, topic)| topic.error == UNKNOWN_TOPIC_OR_PARTITION);
        let since = |name| self.unknown.get(name).copied().unwrap_or(now);
        self.unknown = unknown.map(|(name, _)| (name.clone(), since(name))).collect();
        self.rejoin_if_outdated(now);
        self.advance(now);
    }

    /// The coordinator answered the request with this stamp, which left at `sent` by the clock that
    /// counts suspension.
    pub fn handle_answer(&mut self, now: Instant, sent: Instant, stamp: Stamp, answer: Answer) {
        if self.pulse.awaiting == Some(stamp) {
            self.pulse.awaiting = None;
            self.handle_beat(now, sent, answer);
            return;
        }
        match (&self.state, answer) {
            (State::Joining { stamp: own }, answer) if *own == stamp => {
                self.handle_joined(now, sent, answer);
            }
            (State::Syncing { stamp: own, rebalance }, answer) if *own == stamp => {
                let rebalance = *rebalance;
                self.handle_synced(now, sent, rebalance, answer);
            }
            (State::Leaving { stamp: own }, _) if *own == stamp => self.end(),
            _ => {}
        }
    }

    /// All that was to be given up is given up.
    pub fn handle_released(&mut self, now: Instant) {
        let released = std::mem::take(&mut self.releasing);
        self.owned.retain(|tp| !released.contains(tp));
        if self.wants_join && matches!(self.state, State::Stable) {
            self.join(now);
        }
    }

    /// A commit sent as `by` was answered with an error about the membership.
    pub fn handle_disowned(&mut self, now: Instant, by: &Identity, code: i16) {
        let is_current = self.generation == by.generation && self.member == by.member;
        if is_current {
            self.judge_by_state(now, code);
        }
    }

    /// Everything is given up: be a member no longer.
    pub fn handle_leave(&mut self) {
        let is_dynamic = self.config.instance.is_none();
        let is_known = !self.member.is_empty() && !matches!(self.state, State::Over);
        if is_dynamic && is_known {
            let request = Request::Leave(self.who());
            let stamp = self.ask(request);
            self.state = State::Leaving { stamp };
            self.pulse = Pulse::default();
        } else {
            self.end();
        }
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.rejoin_if_outdated(now);
        self.advance(now);
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Waiting { until } => self.knows_cluster().then_some(*until),
            State::Planning { by, .. } => Some(*by),
            State::Joining { .. } => self.ask_again,
            State::Stable if !self.wants_join => self.next_gone(),
            State::Syncing { .. } | State::Stable | State::Leaving { .. } | State::Over => None,
        };
        own.into_iter().chain(self.pulse.due).min()
    }

    fn knows_cluster(&self) -> bool {
        !self.metadata.brokers.is_empty()
    }

    fn who(&self) -> Identity {
        let (member, instance) = (Arc::clone(&self.member), self.config.instance.clone());
        Identity { member, generation: self.generation, instance }
    }

    fn ask(&mut self, request: Request) -> Stamp {
        self.stamps += 1;
        let stamp = Stamp(self.stamps);
        self.outputs.push_back(Output::Ask(stamp, request));
        stamp
    }

    fn advance(&mut self, now: Instant) {
        if let State::Waiting { until } = self.state
            && until <= now
        {
            self.join(now);
        }
        if matches!(self.state, State::Joining { .. }) && self.ask_again.is_some_and(|at| at <= now)
        {
            self.join(now);
        }
        if let State::Planning { joined, by } = &self.state {
            let (joined, by) = (Joined::clone(joined), *by);
            self.plan(now, by, joined);
        }
        if self.pulse.due.is_some_and(|due| due <= now) {
            self.beat(now);
        }
    }

    fn rebalance(&self) -> Rebalance {
        let all = self.config.assignors.iter().map(|assignor| assignor.rebalance());
        all.min().unwrap_or(Rebalance::Eager)
    }

    /// A new plan is wanted.
    fn rejoin(&mut self, now: Instant) {
        self.wants_join = true;
        if !self.releasing.is_empty() {
            return;
        }
        let goes = match self.rebalance() {
            Rebalance::Eager => self.owned.clone(),
            // What nobody would give us again goes first.
            Rebalance::Cooperative => self.unwanted(),
        };
        if goes.is_empty() { self.join(now) } else { self.release(goes) }
    }

    fn release(&mut self, partitions: BTreeSet<TopicPartition>) {
        let all = partitions.iter().cloned().collect();
        self.releasing.extend(partitions);
        self.outputs.push_back(Output::Revoked(all));
    }

    /// Sends a heartbeat, unless one is on its way.
    fn beat(&mut self, now: Instant) {
        self.beat_later(now);
        if self.pulse.awaiting.is_none() {
            let request = Request::Heartbeat(self.who());
            self.pulse.awaiting = Some(self.ask(request));
        }
    }

    fn beat_later(&mut self, now: Instant) {
        self.pulse.due = Some(now.after(self.pace.wait(now, self.config.heartbeat_interval)));
    }

    fn handle_beat(&mut self, now: Instant, sent: Instant, answer: Answer) {
        match answer {
            Answer::Beat(0) => {
                self.backoff.succeed();
                self.valid_from(sent);
            }
            Answer::Beat(code @ code::REBALANCE_IN_PROGRESS) => {
                // The coordinator counts it as a sign of life.
                self.valid_from(sent);
                self.judge_by_state(now, code);
            }
            Answer::Beat(code) => self.judge_by_state(now, code),
            Answer::Joined(_)
            | Answer::Synced(_)
            | Answer::Beaten(_)
            | Answer::Left
            | Answer::Unreachable => {
                self.judge_by_state(now, code::COORDINATOR_NOT_AVAILABLE);
            }
        }
    }

    fn valid_from(&mut self, sent: Instant) {
        let until = sent.after(self.config.session_timeout);
        self.outputs.push_back(Output::ValidUntil(until));
    }

    /// Table. What an error about the membership means to a stable member.
    fn judge(&mut self, now: Instant, code: i16) {
        match code {
            code::REBALANCE_IN_PROGRESS => self.rejoin(now),
            code::ILLEGAL_GENERATION | code::UNKNOWN_MEMBER_ID | code::GROUP_ID_NOT_FOUND => {
                self.lose(now, code);
            }
            code::FENCED_INSTANCE_ID
            | code::GROUP_AUTHORIZATION_FAILED
            | code::INVALID_GROUP_ID
            | code::UNSUPPORTED_VERSION => self.fail(code),
            code::COORDINATOR_NOT_AVAILABLE | code::NOT_COORDINATOR => {
                self.outputs.push_back(Output::WrongCoordinator);
                self.beat_again(now);
            }
            _ => self.beat_again(now),
        }
    }

    /// The beat went wrong for a reason that passes: try soon, not only at the next interval.
    fn beat_again(&mut self, now: Instant) {
        let soon = now.after(self.backoff.fail(&mut self.rng));
        self.pulse.due = Some(self.pulse.due.map_or(soon, |due| due.min(soon)));
    }

    /// The group went on without us.
    fn lose(&mut self, now: Instant, code: i16) {
        self.drop_all(code);
        self.generation = NO_GENERATION;
        if code != code::ILLEGAL_GENERATION {
            self.member = "".into();
        }
        self.join(now);
    }

    fn drop_all(&mut self, code: i16) {
        self.releasing.clear();
        self.had.clear();
        self.plan_of = None;
        if !std::mem::take(&mut self.owned).is_empty() {
            self.outputs.push_back(Output::Lost { code });
        }
    }

    fn fail(&mut self, code: i16) {
        self.drop_all(code);
        self.state = State::Over;
        self.pulse = Pulse::default();
        self.outputs.push_back(Output::Fatal { code });
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.pulse = Pulse::default();
        self.outputs.push_back(Output::Left);
    }

    fn handle_synced(&mut self, now: Instant, sent: Instant, rebalance: Rebalance, answer: Answer) {
        match answer {
            Answer::Synced(Synced { code: 0, assignment }) => {
                self.backoff.succeed();
                self.state = State::Stable;
                self.wants_join = false;
                self.valid_from(sent);
                let assigned = self.read(assignment);
                self.take_over(now, rebalance, assigned);
            }
            Answer::Synced(Synced { code, .. }) => self.handle_join_error(now, code),
            Answer::Joined(_)
            | Answer::Beat(_)
            | Answer::Beaten(_)
            | Answer::Left
            | Answer::Unreachable => {
                self.handle_join_error(now, code::COORDINATOR_NOT_AVAILABLE);
            }
        }
    }

    fn take_over(
        &mut self,
        now: Instant,
        rebalance: Rebalance,
        assigned: BTreeSet<TopicPartition>,
    ) {
        let gained: Vec<_> = assigned.difference(&self.owned).cloned().collect();
        let revoked: BTreeSet<_> = self.owned.difference(&assigned).cloned().collect();
        debug_assert!(
            rebalance == Rebalance::Cooperative || self.owned.is_empty(),
            "eager members have nothing while they join"
        );
        self.owned.extend(gained.iter().cloned());
        (self.had, self.had_in) = (assigned, self.generation);
        if !gained.is_empty() {
            self.outputs.push_back(Output::Gained(gained));
        }
        if !revoked.is_empty() {
            self.wants_join = true;
            self.release(revoked);
        } else if self.is_outdated(now) {
            self.rejoin(now);
        } else if rebalance == Rebalance::Cooperative {
            // Who gives something up joins once more, and only a beat tells us to do so too.
            self.pace.changed(now);
            self.beat_later(now);
        }
    }
}

#[cfg(test)]
mod tests;
