//! The router of the control plane: moves values between ownership, starts, commits, metadata and
//! the shard. Here stands the order of things; the machines decide.
//!
//! ```text
//!   assignment or group --> committed offset or policy --> Gain to the shard
//!   frontier            --> commit --> coordinator
//!   revoked or shutdown --> Drain --> last frontier --> last commit --> released
//!   shutdown            --> all released --> group left --> Close --> Done
//! ```
//!
//! The *door* compares the gain of every report once; what belongs to the past is dropped there.

mod direct;
mod group;
mod news;
mod output;
mod partition;
mod release;
mod reports;
mod rights;
mod shutdown;
mod subscribe;
mod users;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{Position, TopicPartition};

use crate::backoff;
use crate::cluster::metadata::Metadata;
use crate::offsets::commit::{self, Author, Commit, Entry};
use crate::offsets::start::{self, Ask, Policy, Source, Starts, Told};
use crate::orders::Order;
use crate::ownership::holdings::Holdings;
use crate::ownership::member::{self, Identity};
use crate::ownership::membership::Membership;
use crate::rng::Rng;
use crate::time::Instant;
pub use direct::Parked;
pub use output::{Cause, Ending, Event, Outcome, Output, Right, Trouble};
use partition::{Partition, Progress};
use release::Looks;
use rights::{Act, Rights};
use shutdown::Stage;
use subscribe::Subscription;

/// What the router needs to know from the start.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Whether there is a group to commit under.
    pub commits: Commits,
    /// What to do without a committed offset.
    pub policy: Policy,
    /// When to commit.
    pub commit: commit::Config,
    /// Delays between questions that fail.
    pub retry: backoff::Config,
    /// How long a topic may be unknown before its partitions count as failed.
    pub unknown_for: Duration,
    /// How long a shutdown that nobody gave a deadline may take.
    pub drain_timeout: Duration,
}

/// Who says which partitions are ours.
#[derive(Clone, Debug)]
pub enum Assigned {
    /// The user: these, for ever.
    Fixed(Vec<TopicPartition>),
    /// A group that we are to be a member of.
    Group(Box<member::Config>),
}

/// Whether offsets are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Commits {
    /// Under a group.
    Group,
    /// Nowhere.
    Nowhere,
}

/// The router.
#[derive(Debug)]
pub struct Consumer {
    config: Config,
    /// Until when a topic may be unknown; `None` when that time is over.
    topics_by: Option<Instant>,
    metadata: Arc<Metadata>,
    brokers_told: Option<output::Brokers>,
    /// Of a group, unless the partitions are fixed.
    member: Option<Membership>,
    /// Whether the user wants to be one now.
    subscription: Subscription,
    /// Whether the group is left, or there is none.
    has_left: bool,
    ownership: Holdings,
    /// Partitions that are being given up.
    giving: BTreeSet<TopicPartition>,
    /// Partitions that are to be parked: drained, but kept.
    parking: BTreeSet<TopicPartition>,
    /// Which of both may be a step further.
    looks: Looks,
    /// As whom the commit on its way was sent.
    commit_by: Option<Identity>,
    partitions: BTreeMap<TopicPartition, Partition>,
    starts: Starts,
    commit: Commit,
    rights: Rights,
    stage: Stage,
    /// Whether the shard's lanes are closed.
    is_shard_closed: bool,
    cause: Option<Cause>,
    unfinished: u64,
    outputs: VecDeque<Output>,
    /// Where partitions stood when they were given up: what must not be used.
    #[cfg(feature = "mutants")]
    stood: BTreeMap<TopicPartition, Position>,
}

impl Consumer {
    /// What `assigned` says is to be consumed.
    #[must_use]
    pub fn new(config: Config, assigned: Assigned, mut rng: Rng, now: Instant) -> Self {
        let (fixed, member) = match assigned {
            Assigned::Fixed(fixed) => (fixed, None),
            Assigned::Group(group) => (Vec::new(), Some(Membership::new(*group, rng.fork()))),
        };
        let author = if member.is_some() { Author::Member } else { Author::Outsider };
        let mut consumer = Self {
            topics_by: member.is_none().then(|| now.after(config.unknown_for)),
            metadata: Arc::default(),
            brokers_told: None,
            has_left: false,
            subscription: Subscription::default(),
            member,
            ownership: Holdings::default(),
            partitions: BTreeMap::new(),
            giving: BTreeSet::new(),
            parking: BTreeSet::new(),
            looks: Looks::default(),
            commit_by: None,
            starts: Starts::new(config.policy, config.retry, rng.fork()),
            rights: Rights::new(rng.fork()),
            commit: Commit::new(config.commit, author, rng),
            stage: Stage::Running,
            is_shard_closed: false,
            cause: None,
            unfinished: 0,
            config,
            outputs: VecDeque::new(),
            #[cfg(feature = "mutants")]
            stood: BTreeMap::new(),
        };
        for tp in &fixed {
            consumer.acquire(now, tp, Partition::default());
        }
        consumer.route(now);
        consumer
    }

    /// The cluster was looked at.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = Arc::clone(&metadata);
        self.looks.at_all();
        self.starts.handle_metadata(now, metadata);
        self.tell_brokers();
        self.look_at_rights(now);
        self.check_topics(now);
        self.lose_recreated(now);
        self.tell_leaders();
        if let Some(member) = &mut self.member {
            member.handle_metadata(now, Arc::clone(&self.metadata));
        }
        self.route(now);
    }

    /// The coordinator said what is committed for `asked`; empty `told` when no answer came.
    pub fn handle_committed(&mut self, now: Instant, asked: &[TopicPartition], told: Vec<Told>) {
        self.starts.handle_committed(now, asked, told);
        self.route(now);
    }

    /// A leader answered `asked`; empty `told` when no answer came.
    pub fn handle_listed(&mut self, now: Instant, asked: &[Ask], told: Vec<Told>) {
        self.starts.handle_listed(now, asked, told);
        self.route(now);
    }

    /// The coordinator answered a commit.
    pub fn handle_commit_answer(&mut self, now: Instant, answer: commit::Answer) {
        self.commit.handle_answer(now, answer);
        self.looks.at_all();
        self.route(now);
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.starts.handle_timeout(now);
        self.commit.handle_timeout(now);
        if let Some(member) = &mut self.member {
            member.handle_timeout(now);
        }
        if self.topics_by.is_some_and(|by| by <= now) {
            self.topics_by = None;
            self.check_topics(now);
        }
        self.retry_rights(now);
        self.route(now);
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pillars = [
            self.starts.poll_timeout(),
            self.commit.poll_timeout(),
            self.rights.poll_timeout(),
            self.member.as_ref().and_then(Membership::poll_timeout),
        ];
        let own = [self.giving_until(), self.stage.deadline(), self.topics_by];
        pillars.into_iter().chain(own).flatten().min()
    }

    /// Moves what the machines say to where it belongs, until they have nothing more to say.
    fn route(&mut self, now: Instant) {
        loop {
            while self.route_member(now) || self.route_starts(now) || self.route_commit(now) {}
            self.end_if_nothing_is_left(now);
            self.advance_giving(now);
            self.advance_subscription();
            self.advance_shutdown(now);
            // The end of the work may have made the last commit, or let the membership go on.
            if !self.route_commit(now) && !self.route_member(now) {
                return;
            }
        }
    }

    fn route_starts(&mut self, now: Instant) -> bool {
        let Some(output) = self.starts.poll_output() else { return false };
        let out = match output {
            start::Output::FetchCommitted(tps) => Output::FetchCommitted(tps),
            start::Output::WrongCoordinator => Output::WrongCoordinator,
            start::Output::List { leader, asks } => Output::List { leader, asks },
            start::Output::StaleMetadata => Output::StaleMetadata,
            start::Output::Found { tp, position, epoch, source } => {
                self.allow(now, &tp.topic, Act::Start);
                self.handle_found(&tp, Entry { position, epoch }, source);
                return true;
            }
            start::Output::Failed { tp, why } => {
                self.fail(now, &tp, Trouble::Start(why));
                return true;
            }
        };
        self.outputs.push_back(out);
        true
    }

    fn route_commit(&mut self, now: Instant) -> bool {
        let Some(output) = self.commit.poll_output() else { return false };
        let out = match output {
            commit::Output::Commit(entries) => {
                let by = self.member.as_ref().and_then(Membership::identity);
                self.commit_by.clone_from(&by);
                Output::Commit { entries, by }
            }
            commit::Output::Disowned { code } => {
                if let (Some(member), Some(by)) = (&mut self.member, &self.commit_by) {
                    member.handle_disowned(now, by, code);
                }
                return true;
            }
            commit::Output::WrongCoordinator => Output::WrongCoordinator,
            commit::Output::Acked { tp, position } => {
                self.allow(now, &tp.topic, Act::Commit);
                Output::Event(Event::Committed { tp, position })
            }
            commit::Output::Refused { tp, code } => {
                self.fail(now, &tp, Trouble::Commit { code });
                return true;
            }
            commit::Output::Fatal { code } => {
                self.cause.get_or_insert(Cause::Commit { code });
                self.handle_shutdown(now, now.after(self.config.drain_timeout));
                return true;
            }
        };
        self.outputs.push_back(out);
        true
    }

    /// A start, or a way on, is known.
    fn handle_found(&mut self, tp: &TopicPartition, entry: Entry, source: Source) {
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        let Some(gain) = partition.gain else {
            partition.start = Some((entry, source));
            self.gain(tp);
            return;
        };
        if let Source::Reset { from } = source {
            let event = Event::OffsetReset { tp: tp.clone(), from, to: entry.position };
            self.outputs.push_back(Output::Event(event));
            if entry.position < from {
                self.commit.handle_seek(tp);
            }
        }
        let (position, position_epoch) = (entry.position, entry.epoch);
        let order = Order::Reset { tp: tp.clone(), gain, position, position_epoch };
        self.outputs.push_back(Output::Order(order));
    }

    /// Hands the partition to the shard, once both its start and its topic are known.
    fn gain(&mut self, tp: &TopicPartition) {
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        if partition.gain.is_some() || self.metadata.partition(tp).is_none() {
            return;
        }
        let Some((entry, source)) = partition.start else { return };
        let Some(gain) = self.ownership.own(tp) else { return };
        let leader = self.metadata.leader(tp);
        partition.begin(gain, entry, leader);
        let is_still = partition.is_still();
        let committed = (source == Source::Committed).then_some(entry.position);
        if self.config.commits == Commits::Group {
            if source == Source::Kept {
                self.commit.handle_kept(tp.clone());
            } else {
                self.commit.handle_gained(tp.clone(), committed);
            }
        }
        let tp = tp.clone();
        let position = entry.position;
        let topic_id = self.metadata.topic_id(&tp.topic);
        partition.topic_id = topic_id;
        let order = Order::Gain {
            tp: tp.clone(),
            gain,
            topic_id,
            position,
            position_epoch: entry.epoch,
            leader,
            token: partition.token,
        };
        self.outputs.push_back(Output::Event(Event::Started { tp: tp.clone(), position, source }));
        self.outputs.push_back(Output::Order(order));
        if is_still {
            self.outputs.push_back(Output::Order(Order::Pause { tp }));
        }
    }

    fn set_progress(&mut self, tp: &TopicPartition, progress: Progress) -> bool {
        let Some(partition) = self.partitions.get_mut(tp) else { return false };
        if partition.progress != progress {
            partition.progress = progress;
            self.tell_flow(tp);
        }
        true
    }

    /// Tells the shard whether records of `tp` are to be handed out.
    fn tell_flow(&mut self, tp: &TopicPartition) {
        let Some(partition) = self.partitions.get(tp).filter(|it| it.gain.is_some()) else {
            return;
        };
        let tp = tp.clone();
        let order = if partition.is_still() { Order::Pause { tp } } else { Order::Resume { tp } };
        self.outputs.push_back(Output::Order(order));
    }

    /// Notes why a partition cannot go on, once.
    fn fail(&mut self, now: Instant, tp: &TopicPartition, trouble: Trouble) {
        if let Some(act) = self.missing_right(&trouble) {
            return self.deny(now, tp, act, Position::default());
        }
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        if partition.trouble.is_none() {
            partition.trouble = Some(trouble.clone());
            let event = Event::PartitionFailed { tp: tp.clone(), why: trouble };
            self.outputs.push_back(Output::Event(event));
        }
    }
}

#[cfg(test)]
mod tests;
