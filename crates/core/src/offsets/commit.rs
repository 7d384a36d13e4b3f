//! When is what committed, and which errors mean stop?
//!
//! ```text
//!   frontier --> wanted --(interval, nothing in flight)--> in flight --ok--> acked
//!                   ^                                          |
//!                   +------------- retriable, back-off --------+
//! ```
//!
//! One request is in flight at most. It carries only partitions that moved, and never a position
//! below one that was acked, unless the user sought back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use forebay_protocol::types::{LeaderEpoch, Position, TopicPartition};

use crate::backoff::{self, Backoff};
use crate::rng::Rng;
use crate::time::Instant;

/// When to commit.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// At most one commit per interval.
    pub interval: Duration,
    /// Delays after an error.
    pub retry: backoff::Config,
}

/// As whom is committed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Author {
    /// A client that is no member: it may commit while the group has none.
    Outsider,
    /// A member: an error about its membership says nothing about the next one.
    Member,
}

/// Whether a commit may leave now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// It may.
    Open,
    /// It has to wait: the membership is changing.
    Closed,
}

/// What is to be said about one partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// All before it is done.
    pub position: Position,
    /// Epoch of the last record before it (KIP-320).
    pub epoch: LeaderEpoch,
}

/// What a commit was answered with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Kafka's error code per partition; 0 is success. A partition left out counts as not stored.
    Partitions(Vec<(TopicPartition, i16)>),
    /// No answer: the connection failed or the coordinator cannot be found now.
    Unreachable,
}

/// What the machine asks of the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send an `OffsetCommit` of these to the coordinator.
    Commit(Vec<(TopicPartition, Entry)>),
    /// The coordinator is no longer where it was thought to be.
    WrongCoordinator,
    /// The coordinator stored this.
    Acked {
        /// The partition.
        tp: TopicPartition,
        /// What it stored.
        position: Position,
    },
    /// Commits of this partition cannot succeed: Kafka's error code. It is not tried again.
    Refused {
        /// The partition.
        tp: TopicPartition,
        /// Kafka's error code.
        code: i16,
    },
    /// The membership that it was sent under is doubted: Kafka's error code. It is tried again
    /// under the next one, unless the partition is lost.
    Disowned {
        /// Kafka's error code.
        code: i16,
    },
    /// No commit of this group can succeed: Kafka's error code. Nothing is tried again.
    Fatal {
        /// Kafka's error code.
        code: i16,
    },
}

/// What an error code means for commits, the gravest last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
    Stored,
    Refused,
    Retry,
    FindCoordinator,
    Disowned,
    Fatal,
}

#[derive(Debug, Default)]
struct Slot {
    wanted: Option<Entry>,
    acked: Option<Position>,
    refused: bool,
}

/// The machine.
#[derive(Debug)]
pub struct Commit {
    config: Config,
    author: Author,
    rng: Rng,
    slots: BTreeMap<TopicPartition, Slot>,
    /// Those of which something is to be said: an event looks at these and not at all slots.
    wanting: BTreeSet<TopicPartition>,
    /// What the request in flight says, without what was lost or moved since.
    in_flight: Option<BTreeMap<TopicPartition, Entry>>,
    /// What it says all the same of those that were lost or moved: it may still be stored.
    disbelieved: BTreeSet<TopicPartition>,
    /// Not before this; moved by the interval and by back-off.
    not_before: Instant,
    backoff: Backoff,
    /// The interval does not count: somebody waits for what is wanted now.
    urgent: bool,
    failed: bool,
    gate: Gate,
    outputs: VecDeque<Output>,
}

impl Commit {
    /// Nothing to commit yet.
    #[must_use]
    pub const fn new(config: Config, author: Author, rng: Rng) -> Self {
        Self {
            config,
            author,
            rng,
            slots: BTreeMap::new(),
            wanting: BTreeSet::new(),
            in_flight: None,
            disbelieved: BTreeSet::new(),
            not_before: Instant::from_nanos(0),
            backoff: Backoff::new(config.retry),
            urgent: false,
            failed: false,
            gate: match author {
                Author::Outsider => Gate::Open,
                Author::Member => Gate::Closed,
            },
            outputs: VecDeque::new(),
        }
    }

    /// The partition is ours; the coordinator has `committed` for it.
    pub fn handle_gained(&mut self, tp: TopicPartition, committed: Option<Position>) {
        self.wanting.remove(&tp);
        self.slots.insert(tp, Slot { wanted: None, acked: committed, refused: false });
    }

    /// The partition goes on where it stood: what was wanted and acked still counts.
    pub fn handle_kept(&mut self, tp: TopicPartition) {
        self.slots.entry(tp).or_default();
    }

    /// The partition is no longer ours: nothing is said about it any more.
    pub fn handle_lost(&mut self, tp: &TopicPartition) {
        self.slots.remove(tp);
        self.wanting.remove(tp);
        self.forget_in_flight(tp);
    }

    /// Everything before `entry` is done.
    pub fn handle_frontier(&mut self, now: Instant, tp: &TopicPartition, entry: Entry) {
        let Some(slot) = self.slots.get_mut(tp) else { return };
        if slot.acked.is_none_or(|acked| acked < entry.position) {
            slot.wanted = Some(entry);
            if !slot.refused {
                self.wanting.insert(tp.clone());
            }
        }
        self.advance(now);
    }

    /// The user moved the partition: what comes next may be lower than what was acked. What is in
    /// flight may still be stored, so the next entry is said even when it looks old.
    pub fn handle_seek(&mut self, tp: &TopicPartition) {
        if let Some(slot) = self.slots.get_mut(tp) {
            *slot = Slot { refused: slot.refused, ..Slot::default() };
        }
        self.wanting.remove(tp);
        self.forget_in_flight(tp);
    }

    /// What was refused of `tp` may be tried again.
    pub fn handle_allowed(&mut self, now: Instant, tp: &TopicPartition) {
        let Some(slot) = self.slots.get_mut(tp).filter(|slot| slot.refused) else { return };
        slot.refused = false;
        if slot.wanted.is_some() {
            self.wanting.insert(tp.clone());
        }
        self.advance(now);
    }

    /// The membership allows commits, or does not for now.
    pub fn handle_gate(&mut self, now: Instant, gate: Gate) {
        if self.gate != gate {
            self.gate = gate;
            self.advance(now);
        }
    }

    /// Somebody waits: commit what is wanted without regard to the interval.
    pub fn handle_flush(&mut self, now: Instant) {
        self.urgent = true;
        self.not_before = now;
        self.advance(now);
    }

    /// The answer to [`Output::Commit`].
    pub fn handle_answer(&mut self, now: Instant, answer: Answer) {
        let sent = self.in_flight.take().unwrap_or_default();
        self.disbelieved.clear();
        let worst = match answer {
            Answer::Unreachable => Verdict::FindCoordinator,
            Answer::Partitions(codes) => self.judge(&sent, codes),
        };
        match worst {
            Verdict::Stored | Verdict::Refused => {
                self.backoff.succeed();
                self.not_before = now.after(self.config.interval);
            }
            Verdict::Retry | Verdict::FindCoordinator | Verdict::Disowned => {
                if worst == Verdict::FindCoordinator {
                    self.outputs.push_back(Output::WrongCoordinator);
                }
                self.not_before = now.after(self.backoff.fail(&mut self.rng));
            }
            Verdict::Fatal => self.failed = true,
        }
        if self.urgent && matches!(worst, Verdict::Stored | Verdict::Refused) {
            self.not_before = now;
        }
        self.advance(now);
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let may_send = !self.failed && self.gate == Gate::Open && self.in_flight.is_none();
        (may_send && !self.wanting.is_empty()).then_some(self.not_before)
    }

    /// What the coordinator confirmed for `tp`.
    #[must_use]
    pub fn acked(&self, tp: &TopicPartition) -> Option<Position> {
        self.slots.get(tp)?.acked
    }

    /// Whether everything that is done in `tp` is stored.
    #[must_use]
    pub fn is_stored(&self, tp: &TopicPartition) -> bool {
        self.slots.get(tp).is_none_or(|slot| slot.wanted.is_none())
    }

    /// Whether a request is on its way that was about `tp` before that was lost or moved: what it
    /// says may be stored at any time.
    #[must_use]
    pub fn has_stray(&self, tp: &TopicPartition) -> bool {
        self.disbelieved.contains(tp)
    }

    /// Whether nothing of `tp` waits or is in flight, or nothing can be done about it.
    #[must_use]
    pub fn is_settled(&self, tp: &TopicPartition) -> bool {
        self.failed || self.slots.get(tp).is_none_or(|slot| slot.wanted.is_none() || slot.refused)
    }

    /// The answer for `tp` will no longer be believed; the request stays in flight.
    fn forget_in_flight(&mut self, tp: &TopicPartition) {
        if self.in_flight.as_mut().is_some_and(|entries| entries.remove(tp).is_some()) {
            self.disbelieved.insert(tp.clone());
        }
    }

    fn advance(&mut self, now: Instant) {
        let is_shut = self.failed || self.gate == Gate::Closed;
        if is_shut || self.in_flight.is_some() || now < self.not_before {
            return;
        }
        let entry = |tp: &TopicPartition| Some((tp.clone(), self.slots.get(tp)?.wanted?));
        let entries: Vec<_> = self.wanting.iter().filter_map(entry).collect();
        if !entries.is_empty() {
            // What is done later waits for the interval again.
            self.urgent = false;
            self.in_flight = Some(entries.iter().cloned().collect());
            self.outputs.push_back(Output::Commit(entries));
        }
    }

    /// Books each partition's answer and says what the worst of them asks for.
    fn judge(
        &mut self,
        sent: &BTreeMap<TopicPartition, Entry>,
        codes: Vec<(TopicPartition, i16)>,
    ) -> Verdict {
        let codes: BTreeMap<_, _> = codes.into_iter().collect();
        let mut worst = Verdict::Stored;
        for (tp, entry) in sent {
            let code = codes.get(tp).copied();
            let verdict = code.map_or(Verdict::Retry, |code| verdict(code, self.author));
            // Once is enough of what is said about all of them.
            if verdict < Verdict::Disowned || verdict != worst {
                self.book(tp, *entry, verdict, code.unwrap_or_default());
            }
            worst = worst.max(verdict);
        }
        worst
    }

    fn book(&mut self, tp: &TopicPartition, entry: Entry, verdict: Verdict, code: i16) {
        let Some(slot) = self.slots.get_mut(tp) else { return };
        let output = match verdict {
            Verdict::Stored => {
                slot.acked = slot.acked.max(Some(entry.position));
                if slot.wanted.take_if(|wanted| wanted.position <= entry.position).is_some() {
                    self.wanting.remove(tp);
                }
                Output::Acked { tp: tp.clone(), position: entry.position }
            }
            Verdict::Refused => {
                slot.refused = true;
                self.wanting.remove(tp);
                Output::Refused { tp: tp.clone(), code }
            }
            Verdict::Disowned => Output::Disowned { code },
            Verdict::Fatal => Output::Fatal { code },
            Verdict::Retry | Verdict::FindCoordinator => return,
        };
        self.outputs.push_back(output);
    }
}

/// Table. What each error of `OffsetCommit` means; unknown ones are tried again.
const fn verdict(code: i16, author: Author) -> Verdict {
    match code {
        0 => Verdict::Stored,
        // REQUEST_TIMED_OUT, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
        7 | 15 | 16 => Verdict::FindCoordinator,
        // OFFSET_METADATA_TOO_LARGE, INVALID_COMMIT_OFFSET_SIZE, TOPIC_AUTHORIZATION_FAILED
        12 | 28 | 29 => Verdict::Refused,
        // INVALID_GROUP_ID, GROUP_AUTHORIZATION_FAILED
        24 | 30 => Verdict::Fatal,
        // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, GROUP_ID_NOT_FOUND,
        // FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH, STALE_MEMBER_EPOCH
        22 | 25 | 27 | 69 | 82 | 110 | 113 => match author {
            Author::Outsider => Verdict::Fatal,
            Author::Member => Verdict::Disowned,
        },
        _ => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests;
