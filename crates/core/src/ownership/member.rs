//! What a membership in a group says and hears, whichever protocol it speaks.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::types::{TopicName, TopicPartition, Uuid};
use thiserror::Error;

use super::assignor::Assignor;
use crate::backoff;
use crate::cluster::metadata::Metadata;
use crate::time::Instant;

/// `group.protocol`: who makes the plan.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// The coordinator, where it can; else a member.
    #[default]
    Auto,
    /// A member, by `JoinGroup` and `SyncGroup`.
    Classic,
    /// The coordinator (KIP-848).
    Consumer,
}

/// What a member needs to know from the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who makes the plan.
    pub protocol: Protocol,
    /// `group.remote.assignor`: how the coordinator is to make it; `None` leaves that to it.
    pub remote_assignor: Option<Arc<str>>,
    /// Which topics.
    pub wish: Wish,
    /// `session.timeout.ms`: silence after which the coordinator takes the member for dead.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long the group waits for a member while partitions move.
    pub rebalance_timeout: Duration,
    /// `group.instance.id`: makes the member a static one.
    pub instance: Option<Arc<str>>,
    /// `client.rack`.
    pub rack: Option<Arc<str>>,
    /// Assignors of the classic protocol, the best liked first; not empty.
    pub assignors: Vec<Arc<dyn Assignor>>,
    /// Delays between questions that fail.
    pub retry: backoff::Config,
}

/// Which topics a member wants.
#[derive(Clone, Debug)]
pub enum Wish {
    /// These, whether they exist or not.
    Topics(BTreeSet<TopicName>),
    /// All that exist and match.
    Matching(Arc<dyn Matches>),
}

/// Says which topics are wanted; must give the same answer for the same name always.
pub trait Matches: fmt::Debug + Send + std::marker::Sync {
    /// Whether this one is.
    fn wants(&self, topic: &str) -> bool;

    /// The same in words that a coordinator can follow by itself; `None` where they cannot say it.
    fn followed(&self) -> Option<Followed> {
        None
    }
}

/// Topics that a coordinator follows (KIP-848): those of either kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Followed {
    /// Whole names match this; in RE2J's syntax, which knows no negation.
    pub regex: Arc<str>,
    /// These, whatever the expression says.
    pub named: BTreeSet<TopicName>,
}

impl Wish {
    /// The topics that are wanted now.
    #[must_use]
    pub fn topics(&self, metadata: &Metadata) -> BTreeSet<TopicName> {
        match self {
            Self::Topics(topics) => topics.clone(),
            Self::Matching(matches) => {
                let known =
                    metadata.topics.iter().filter(|(_, topic)| !topic.partitions.is_empty());
                let names = known.map(|(name, _)| name);
                names.filter(|name| matches.wants(name.as_str())).cloned().collect()
            }
        }
    }

    /// By what a coordinator may follow topics for us.
    #[must_use]
    pub fn followed(&self) -> Option<Followed> {
        match self {
            Self::Topics(_) => None,
            Self::Matching(matches) => matches.followed(),
        }
    }

    /// Whether partitions of this topic may be ours.
    #[must_use]
    pub fn wants(&self, topic: &TopicName) -> bool {
        match self {
            Self::Topics(topics) => topics.contains(topic),
            Self::Matching(matches) => matches.wants(topic.as_str()),
        }
    }
}

/// As whom a member commits and beats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The id that the coordinator gave.
    pub member: Arc<str>,
    /// The generation, or the member epoch (KIP-848).
    pub generation: i32,
    /// `group.instance.id` of a static member.
    pub instance: Option<Arc<str>>,
}

/// Which request an answer belongs to; answers to requests of the past are dropped.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stamp(pub u64);

/// A request to the coordinator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// `JoinGroup`: answered when all members have joined, or the rebalance timeout passed.
    Join(Join),
    /// `SyncGroup`: answered when the leader has made a plan.
    Sync(Sync),
    /// `Heartbeat`.
    Heartbeat(Identity),
    /// `ConsumerGroupHeartbeat`: also how one joins and leaves (KIP-848).
    Beat(Box<Beat>),
    /// `LeaveGroup`.
    Leave(Identity),
}

/// `ConsumerGroupHeartbeat`: what changed since the last one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Beat {
    /// As whom; the generation is the member epoch: 0 joins, -1 leaves, -2 will be back.
    pub identity: Identity,
    /// The topics that are wanted, when that changed.
    pub topics: Option<BTreeSet<TopicName>>,
    /// The regular expression for those that are wanted beside them, when everything is to be
    /// said.
    pub regex: Option<Arc<str>>,
    /// What is ours by topic id, when that changed.
    pub owned: Option<Vec<(Uuid, Vec<i32>)>>,
    /// The rebalance timeout, with rack and assignor, when everything is to be said.
    pub rest: Option<Duration>,
}

/// What a coordinator answered to `ConsumerGroupHeartbeat`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Beaten {
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// Whom it is for; empty where the coordinator did not say.
    pub member: Arc<str>,
    /// The member epoch from now on.
    pub epoch: i32,
    /// How often to beat.
    pub interval: Duration,
    /// What is to be ours by topic id, when that changed.
    pub assignment: Option<Vec<(Uuid, Vec<i32>)>>,
}

/// `JoinGroup`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Join {
    /// As whom; an empty member id the first time.
    pub member: Arc<str>,
    /// `group.instance.id`.
    pub instance: Option<Arc<str>>,
    /// Silence after which we are dead.
    pub session_timeout: Duration,
    /// How long the others wait for us to join again.
    pub rebalance_timeout: Duration,
    /// Assignors and what we tell each, the best liked first.
    pub protocols: Vec<(Arc<str>, Bytes)>,
}

/// `SyncGroup`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sync {
    /// As whom.
    pub identity: Identity,
    /// The assignor that the group agreed on.
    pub protocol: Arc<str>,
    /// The leader's plan, by member id; empty from the others.
    pub plan: Vec<(Arc<str>, Bytes)>,
}

/// What a coordinator answered to `JoinGroup`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Joined {
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// The new generation.
    pub generation: i32,
    /// The assignor that the group agreed on.
    pub protocol: Arc<str>,
    /// The leader's member id.
    pub leader: Arc<str>,
    /// Our member id.
    pub member: Arc<str>,
    /// All members with what they told the assignor; empty unless we lead.
    pub members: Vec<JoinedMember>,
    /// We lead, and the plan of before stands (KIP-814).
    pub keeps_plan: bool,
}

/// A member as the coordinator describes it to the leader.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct JoinedMember {
    /// Its member id.
    pub id: Arc<str>,
    /// `group.instance.id`.
    pub instance: Option<Arc<str>>,
    /// Its subscription, as it wrote it.
    pub subscription: Bytes,
}

/// What a coordinator answered to `SyncGroup`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Synced {
    /// Kafka's error code; 0 is success.
    pub code: i16,
    /// Our part of the plan, as the leader wrote it.
    pub assignment: Bytes,
}

/// An answer to a [`Request`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// To [`Request::Join`].
    Joined(Joined),
    /// To [`Request::Sync`].
    Synced(Synced),
    /// To [`Request::Heartbeat`]: Kafka's error code.
    Beat(i16),
    /// To [`Request::Beat`].
    Beaten(Beaten),
    /// To [`Request::Leave`].
    Left,
    /// None came: the connection failed, or the coordinator cannot be found now.
    Unreachable,
}

/// What a membership asks of the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Ask the coordinator.
    Ask(Stamp, Request),
    /// The coordinator is no longer where it was thought to be.
    WrongCoordinator,
    /// A topic is not known by its id: look at the cluster.
    StaleMetadata,
    /// Ask how long a session is: this protocol does not say.
    AskSession,
    /// This coordinator makes no plans: be a member of a classic group.
    FallBack,
    /// The leader needs to know of these topics.
    WantTopics(BTreeSet<TopicName>),
    /// These are ours from now on.
    Gained(Vec<TopicPartition>),
    /// Give these up in good order and say `handle_released`.
    Revoked(Vec<TopicPartition>),
    /// Nothing is ours any more, and nothing may be committed: Kafka's error code that said so.
    Lost {
        /// Kafka's error code.
        code: i16,
    },
    /// The coordinator will not take us for dead before this, by the clock that counts suspension.
    ValidUntil(Instant),
    /// This member cannot be one of the group: Kafka's error code.
    Fatal {
        /// Kafka's error code.
        code: i16,
    },
    /// Something is wrong that does not end the membership.
    Trouble(Trouble),
    /// After `handle_leave`: we are no member any more.
    Left,
}

/// What went wrong in a group that does not end the membership.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// A member's subscription is not one: it gets no partitions.
    #[error(
        "the subscription of member {member} cannot be read: {why}; it gets no partitions until it \
         joins with one that can"
    )]
    BadSubscription {
        /// Its member id.
        member: Arc<str>,
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// The leader sent us what is no assignment: we have nothing until the next plan.
    #[error(
        "the group's leader sent an assignment that cannot be read: {why}; nothing is ours until \
         the next plan"
    )]
    BadAssignment {
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// The plan gave us a partition that we did not ask for: it is left alone.
    #[error("the group's plan gave us {tp}, whose topic we did not ask for; it is left alone")]
    Unasked {
        /// The partition.
        tp: TopicPartition,
    },
    /// Our assignor made no plan, or a wrong one; all members join again.
    #[error("no plan for the group: {why}; its members join again")]
    NoPlan {
        /// What it said.
        why: Arc<str>,
    },
    /// The group agreed on an assignor that we did not offer.
    #[error("the coordinator chose the assignor {protocol}, which we did not offer; we join again")]
    UnknownProtocol {
        /// Its name.
        protocol: Arc<str>,
    },
    /// The coordinator agreed with a generation or member epoch before ours: what it says belongs
    /// to the past, so nothing is ours any more.
    #[error(
        "the coordinator answered with generation {told} after {known}; nothing is ours any more, \
         and we join again"
    )]
    OldGeneration {
        /// What it said.
        told: i32,
        /// What it had said before; -1 or 0 for nothing.
        known: i32,
    },
    /// The coordinator answered as if we were somebody else.
    #[error("the coordinator answered us, member {known:?}, as {told:?}; the answer is dropped")]
    WrongMember {
        /// Whom it named.
        told: Arc<str>,
        /// Who we are.
        known: Arc<str>,
    },
    /// Another member has our `group.instance.id` (KIP-848): ourselves before a crash, or somebody
    /// else. We join as soon as its session is over; if it does not end, the membership does.
    #[error(
        "another member has group.instance.id {instance}; we wait for the end of its session: if it \
         lives on, give each member a name of its own"
    )]
    InstanceInUse {
        /// `group.instance.id`.
        instance: Arc<str>,
    },
    /// We are to lead a group that does not have us.
    #[error("the coordinator made us lead a group without us; we join again")]
    NotAmongMembers,
}
