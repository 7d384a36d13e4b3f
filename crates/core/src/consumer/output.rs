//! What the control plane's router asks of the world, and what it tells in the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay_protocol::types::{BrokerId, Position, TopicName, TopicPartition};

use crate::offsets::commit::Entry;
use crate::offsets::start::{Ask, Failure, Source};
use crate::orders::{Fault, LeaderHint, Order};
use crate::ownership::member::{self, Identity, Request, Stamp};
use crate::time::Instant;

/// What the router asks of the world.
#[derive(Clone, Debug)]
pub enum Output {
    /// Tell the shard.
    Order(Order),
    /// Ask the coordinator what is committed.
    FetchCommitted(Vec<TopicPartition>),
    /// Ask a leader for offsets.
    List {
        /// Whom.
        leader: BrokerId,
        /// About what.
        asks: Vec<Ask>,
    },
    /// Commit these.
    Commit {
        /// What.
        entries: Vec<(TopicPartition, Entry)>,
        /// As which member; `None` for fixed partitions.
        by: Option<Identity>,
    },
    /// Ask the coordinator about the membership.
    Ask(Stamp, Request),
    /// Ask how long a session of the group's members is (KIP-848).
    AskSession,
    /// These topics are to be known from now on.
    WantTopics(BTreeSet<TopicName>),
    /// All topics are to be known from now on.
    WantAllTopics,
    /// No record may start after this, by the clock that counts suspension, until it is told again.
    ValidUntil(Instant),
    /// The coordinator is no longer where it was thought to be.
    WrongCoordinator,
    /// The picture of the cluster is wrong somewhere.
    StaleMetadata,
    /// A broker said who leads a partition.
    Hint(TopicPartition, LeaderHint),
    /// Something happened that people want to see.
    Event(Event),
    /// The consumer is over: nothing more comes.
    Done(Outcome),
}

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The group gave us these.
    Gained(Vec<TopicPartition>),
    /// These are being given up: nothing of them starts any more.
    Draining(Vec<TopicPartition>),
    /// A partition was drained because somebody else than the group wanted it: it is still ours, and
    /// nothing is done with it until it is released.
    Parked {
        /// The partition.
        tp: TopicPartition,
        /// All before it is done; `None` when it had not started.
        position: Option<Position>,
        /// Whether all of its running work had ended and was committed.
        is_clean: bool,
    },
    /// A partition was given up in good order, its last commit included.
    Released {
        /// The partition.
        tp: TopicPartition,
        /// Whether all of its running work had ended and was committed.
        is_clean: bool,
    },
    /// These were taken away without a chance to finish: others may repeat what was not committed.
    Lost {
        /// The partitions.
        tps: Vec<TopicPartition>,
        /// Kafka's error code that said so.
        code: i16,
    },
    /// The group is left, because nobody wants to be a member for now.
    Unsubscribed,
    /// Something is wrong in the group that does not end our membership.
    Group(member::Trouble),
    /// A partition starts.
    Started {
        /// The partition.
        tp: TopicPartition,
        /// Where.
        position: Position,
        /// Why there.
        source: Source,
    },
    /// A partition goes on elsewhere, because its position no longer existed.
    OffsetReset {
        /// The partition.
        tp: TopicPartition,
        /// Where it stood.
        from: Position,
        /// Where it goes on.
        to: Position,
    },
    /// A partition stopped.
    PartitionFailed {
        /// The partition.
        tp: TopicPartition,
        /// Why.
        why: Trouble,
    },
    /// We lack a right on a topic. Other topics go on, and this one is tried again slowly.
    Denied {
        /// The topic.
        topic: TopicName,
        /// What we may not.
        right: Right,
    },
    /// We have the right now.
    Granted {
        /// The topic.
        topic: TopicName,
        /// What we may.
        right: Right,
    },
    /// The coordinator stored a position.
    Committed {
        /// The partition.
        tp: TopicPartition,
        /// What it stored.
        position: Position,
    },
}

/// A right on a topic, as Kafka's ACLs name them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Right {
    /// To know of it: its partitions, leaders and offsets.
    Describe,
    /// To fetch its records and to commit offsets of it.
    Read,
}

/// Why a partition, or the whole consumer, cannot go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// No start, or no way on.
    Start(Failure),
    /// The shard stopped it.
    Shard(Fault),
    /// Its commits are refused: Kafka's error code.
    Commit {
        /// Kafka's error code.
        code: i16,
    },
    /// No broker knows the topic.
    UnknownTopic,
    /// The topic was deleted and created again: its log is another one.
    Recreated,
    /// The topic has fewer partitions: so many.
    UnknownPartition {
        /// How many the topic has.
        partitions: usize,
    },
    /// The brokers refuse to tell about the topic: Kafka's error code.
    Topic {
        /// Kafka's error code.
        code: i16,
    },
}

/// How a consumer ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// What became of each partition.
    pub partitions: Vec<(TopicPartition, Ending)>,
    /// Records that were running when the deadline passed.
    pub unfinished: u64,
    /// What ended the whole consumer, when nobody asked for the end.
    pub cause: Option<Cause>,
}

/// What became of a partition.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ending {
    /// All before it is done; `None` when it never started.
    pub frontier: Option<Position>,
    /// What the coordinator confirmed last.
    pub committed: Option<Position>,
    /// Whether its work ended before the deadline.
    pub is_drained: bool,
    /// Whether all that is done is stored by the coordinator; true where nothing is to be stored.
    pub is_committed: bool,
    /// Why it stopped, when it did.
    pub trouble: Option<Trouble>,
}

/// What ended the whole consumer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// Every partition has stopped.
    NothingLeft,
    /// No commit of this group can succeed: Kafka's error code.
    Commit {
        /// Kafka's error code.
        code: i16,
    },
    /// We cannot be a member of the group: Kafka's error code.
    Group {
        /// Kafka's error code.
        code: i16,
    },
    /// The shard is gone without a word.
    ShardLost,
}

/// Addresses as an order carries them.
pub(super) type Brokers = Arc<[(BrokerId, crate::orders::Address)]>;
