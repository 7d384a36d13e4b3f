//! What the router remembers of one partition.

use forebay_protocol::types::{Position, TopicPartition, Uuid};

use super::output::Trouble;
use super::rights::Denied;
use crate::cluster::metadata::Metadata;
use crate::fence::Gain;
use crate::offsets::commit::Entry;
use crate::offsets::start::Source;
use crate::orders::Leader;
use crate::ownership::directive::Standing;
use crate::time::Instant;

/// Kafka's codes for "no broker here knows it (yet)".
pub(super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// The name cannot be one of a topic.
const INVALID_TOPIC: i16 = 17;
/// We may not look at the topic.
pub(super) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

/// Whether records are handed out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Progress {
    #[default]
    Flowing,
    Paused,
}

/// How long the cluster has had to tell about a topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    Left,
    Over,
}

impl From<Option<Instant>> for Patience {
    /// Of the time by which it ends, `None` when it ended.
    fn from(until: Option<Instant>) -> Self {
        if until.is_some() { Self::Left } else { Self::Over }
    }
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Where it will start; known before the shard has it.
    pub(super) start: Option<(Entry, Source)>,
    /// The generation or member epoch under which it became ours.
    pub(super) token: Option<u32>,
    /// The gain it was handed to the shard with.
    pub(super) gain: Option<Gain>,
    /// The id of the topic it was handed over with; zero when the cluster has none.
    pub(super) topic_id: Uuid,
    /// All before it is done.
    pub(super) frontier: Option<Entry>,
    /// How often the user moved it under this gain.
    pub(super) seeks: u32,
    /// What the shard was told last.
    pub(super) leader_told: Option<Leader>,
    /// The shard gave its leader up and waits for a word, even the same one.
    pub(super) wants_leader: bool,
    pub(super) progress: Progress,
    /// What somebody else than the user and the group wants of it.
    pub(super) standing: Standing,
    pub(super) trouble: Option<Trouble>,
    /// What we may not do with it now; it is tried again.
    pub(super) denied: Option<Denied>,
    /// Where fetching was refused; `None` when it was not, or went on.
    pub(super) unread: Option<Position>,
    pub(super) is_drained: bool,
    pub(super) giving: Giving,
    /// Records that ran when the shard gave up waiting.
    pub(super) unfinished: u64,
}

/// How far a partition is on its way out of our hands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Giving {
    /// It stays.
    #[default]
    No,
    /// Its running work is awaited until `told_by`, then ...
    Draining { told_by: Instant, deadline: Instant },
    /// ... its last commit until the deadline, then ...
    Committing { deadline: Instant },
    /// ... it is nobody's.
    Given,
    /// It was taken away before it could be given up.
    Lost,
}

impl Giving {
    /// All has to end earlier.
    pub(super) fn hurry(&mut self, by: Instant, end: Instant) {
        match self {
            Self::No | Self::Given | Self::Lost => {}
            Self::Draining { told_by, deadline } => {
                (*told_by, *deadline) = ((*told_by).min(by), (*deadline).min(end));
            }
            Self::Committing { deadline } => *deadline = (*deadline).min(end),
        }
    }
}

impl Partition {
    /// The shard has it from now on.
    pub(super) fn begin(&mut self, gain: Gain, entry: Entry, leader: Option<Leader>) {
        self.gain = Some(gain);
        self.seeks = 0;
        self.frontier = Some(entry);
        self.leader_told = leader;
        self.wants_leader = leader.is_none();
    }

    /// The same partition, of which nothing is known yet but what is wanted of it.
    pub(super) fn again(&self) -> Self {
        let (token, progress, standing) = (self.token, self.progress, self.standing);
        Self { token, progress, standing, ..Self::default() }
    }

    /// Whether nothing of it is to be handed out, whoever wants that.
    pub(super) fn is_still(&self) -> bool {
        self.progress == Progress::Paused || self.standing == Standing::Held
    }

    /// Whether the topic's `id` now shows that this is another log than the one it started with.
    pub(super) fn is_of_another_log(&self, id: Uuid) -> bool {
        !self.topic_id.is_zero() && !id.is_zero() && self.topic_id != id
    }

    /// Whether it has not started and nothing says yet that it cannot.
    pub(super) fn awaits_topic(&self) -> bool {
        self.gain.is_none() && self.trouble.is_none() && self.denied.is_none()
    }
}

/// Why the cluster cannot have `tp`, if that is certain.
pub(super) fn missing(
    metadata: &Metadata,
    tp: &TopicPartition,
    patience: Patience,
) -> Option<Trouble> {
    let topic = metadata.topics.get(&tp.topic);
    match topic.map(|topic| (topic.error, topic.partitions.len())) {
        Some((code @ (INVALID_TOPIC | TOPIC_AUTHORIZATION_FAILED), _)) => {
            Some(Trouble::Topic { code })
        }
        Some((0, partitions)) if 0 < partitions && metadata.partition(tp).is_none() => {
            (patience == Patience::Over).then_some(Trouble::UnknownPartition { partitions })
        }
        Some((UNKNOWN_TOPIC_OR_PARTITION, 0)) => {
            (patience == Patience::Over).then_some(Trouble::UnknownTopic)
        }
        Some(_) | None => None,
    }
}
