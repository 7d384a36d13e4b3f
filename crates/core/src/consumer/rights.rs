//! Rights that we lack on topics: told once, and tried again slowly, since they may be granted
//! later. Other topics go on meanwhile.
//!
//! ```text
//!   refused --> Denied --retry--> refused again: nothing new is told
//!                  ^                  |
//!                  +------------------+--> what was refused succeeds --> Granted
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_protocol::types::{Position, TopicName, TopicPartition};

use super::Consumer;
use super::output::{Event, Output, Right, Trouble};
use super::partition::TOPIC_AUTHORIZATION_FAILED;
use crate::backoff::{self, Backoff};
use crate::fence::Gain;
use crate::offsets::start::Failure;
use crate::orders::Fault;
use crate::rng::Rng;
use crate::time::Instant;

/// A right is granted by people: there is no hurry.
const RETRY: backoff::Config =
    backoff::Config { first: Duration::from_secs(5), max: Duration::from_secs(60) };

/// What was refused. Only its own success shows that the right is there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Act {
    /// Looking at the topic.
    Look,
    /// Finding out where to start.
    Start,
    /// Fetching records.
    Fetch,
    /// Committing offsets.
    Commit,
}

impl Act {
    const fn right(self) -> Right {
        match self {
            Self::Look | Self::Start => Right::Describe,
            Self::Fetch | Self::Commit => Right::Read,
        }
    }

    fn trouble(self) -> Trouble {
        let code = TOPIC_AUTHORIZATION_FAILED;
        match self {
            Self::Look => Trouble::Topic { code },
            Self::Start => Trouble::Start(Failure::Refused { code }),
            Self::Fetch => Trouble::Shard(Fault::Broker { code }),
            Self::Commit => Trouble::Commit { code },
        }
    }
}

/// What a partition misses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denied {
    act: Act,
    /// Where fetching stood when it was refused: a frontier beyond it shows that it went on.
    at: Position,
}

impl Denied {
    pub(super) fn trouble(self) -> Trouble {
        self.act.trouble()
    }
}

#[derive(Debug)]
struct Denial {
    acts: BTreeSet<Act>,
    backoff: Backoff,
    /// When to try again; `None` while a try is under way.
    retry_at: Option<Instant>,
}

/// The rights that we lack.
#[derive(Debug)]
pub(super) struct Rights {
    rng: Rng,
    denied: BTreeMap<(TopicName, Right), Denial>,
}

impl Rights {
    pub(super) const fn new(rng: Rng) -> Self {
        Self { rng, denied: BTreeMap::new() }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.denied.values().filter_map(|denial| denial.retry_at).min()
    }

    /// Says whether that is news.
    fn deny(&mut self, now: Instant, topic: &TopicName, act: Act) -> bool {
        let is_new = !self.denied.contains_key(&(topic.clone(), act.right()));
        let denial = self.denied.entry((topic.clone(), act.right())).or_insert_with(|| Denial {
            acts: BTreeSet::new(),
            backoff: Backoff::new(RETRY),
            retry_at: None,
        });
        denial.acts.insert(act);
        let rng = &mut self.rng;
        denial.retry_at.get_or_insert_with(|| now.after(denial.backoff.fail(rng)));
        is_new
    }

    /// Says whether nothing of the right is denied any more, and that is news.
    fn grant(&mut self, topic: &TopicName, act: Act) -> bool {
        if self.denied.is_empty() {
            return false;
        }
        let key = (topic.clone(), act.right());
        let Some(denial) = self.denied.get_mut(&key) else { return false };
        let is_all = denial.acts.remove(&act) && denial.acts.is_empty();
        is_all && self.denied.remove(&key).is_some()
    }

    fn take_due(&mut self, now: Instant) -> Vec<(TopicName, Right)> {
        let due = self.denied.iter_mut().filter(|(_, it)| it.retry_at.is_some_and(|at| at <= now));
        due.map(|(key, denial)| {
            denial.retry_at = None;
            key.clone()
        })
        .collect()
    }
}

impl Consumer {
    /// What was refused of a partition that the group gave us, if it is a right that we lack.
    pub(super) fn missing_right(&self, trouble: &Trouble) -> Option<Act> {
        self.member.as_ref()?;
        [Act::Look, Act::Start, Act::Fetch, Act::Commit]
            .into_iter()
            .find(|act| act.trouble() == *trouble)
    }

    /// We may not do this with `tp`.
    pub(super) fn deny(&mut self, now: Instant, tp: &TopicPartition, act: Act, at: Position) {
        if let Some(partition) = self.partitions.get_mut(tp)
            && (partition.denied.is_none() || act != Act::Commit)
        {
            partition.denied = Some(Denied { act, at });
        }
        self.deny_topic(now, &tp.topic, act);
    }

    fn deny_topic(&mut self, now: Instant, topic: &TopicName, act: Act) {
        if self.rights.deny(now, topic, act) {
            let (topic, right) = (topic.clone(), act.right());
            self.outputs.push_back(Output::Event(Event::Denied { topic, right }));
        }
    }

    /// This was done with `topic`: we may.
    pub(super) fn allow(&mut self, now: Instant, topic: &TopicName, act: Act) {
        if self.rights.grant(topic, act) {
            let (topic, right) = (topic.clone(), act.right());
            self.retry(now, &topic, right);
            self.outputs.push_back(Output::Event(Event::Granted { topic, right }));
        }
    }

    /// The leader says that we may not read `tp`.
    pub(super) fn handle_denied(
        &mut self,
        now: Instant,
        (tp, gain): (&TopicPartition, Gain),
        at: Position,
    ) {
        if self.ownership.get(tp).accepts(gain) {
            self.deny(now, tp, Act::Fetch, at);
        }
    }

    /// Records of `tp` came after all.
    pub(super) fn allow_read(&mut self, now: Instant, tp: &TopicPartition, frontier: Position) {
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        if partition.unread.take_if(|at| *at < frontier).is_some() {
            self.allow(now, &tp.topic, Act::Fetch);
        }
    }

    /// What a look at the cluster says of rights; fixed partitions fail where one is missing.
    pub(super) fn look_at_rights(&mut self, now: Instant) {
        if self.member.is_none() {
            return;
        }
        let metadata = std::sync::Arc::clone(&self.metadata);
        for (name, topic) in &metadata.topics {
            match topic.error {
                TOPIC_AUTHORIZATION_FAILED => self.deny_topic(now, name, Act::Look),
                0 => self.allow(now, name, Act::Look),
                _ => {}
            }
        }
    }

    /// Tries again what is due.
    pub(super) fn retry_rights(&mut self, now: Instant) {
        for (topic, right) in self.rights.take_due(now) {
            if right == Right::Describe {
                self.outputs.push_back(Output::StaleMetadata);
            }
            self.retry(now, &topic, right);
        }
    }

    fn retry(&mut self, now: Instant, topic: &TopicName, right: Right) {
        let ours = self.partitions.keys().filter(|tp| tp.topic == *topic);
        let ours: Vec<_> = ours.cloned().collect();
        for tp in ours {
            if right == Right::Read {
                self.commit.handle_allowed(now, &tp);
            }
            let Some(partition) = self.partitions.get_mut(&tp) else { continue };
            let denied = partition.denied.take_if(|denied| denied.act.right() == right);
            match denied {
                Some(Denied { act: Act::Look | Act::Start, .. }) if partition.gain.is_none() => {
                    self.starts.handle_committed_wanted(now, tp);
                }
                Some(Denied { act: Act::Fetch, at }) => {
                    partition.unread.get_or_insert(at);
                    let leader = self.metadata.leader(&tp);
                    self.tell_leader(&tp, leader);
                }
                Some(_) | None => {}
            }
        }
    }
}
