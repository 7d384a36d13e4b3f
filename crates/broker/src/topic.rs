//! The topics of a cluster, their partitions, and who leads them.

use std::collections::{BTreeMap, BTreeSet};

use forebay_protocol::types::{BrokerId, Uuid};

use crate::log::{Log, Retention};
use crate::session::SessionKey;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Partition>,
    /// What was set; all else has Kafka's defaults.
    pub(crate) configs: BTreeMap<String, String>,
}

impl Topic {
    /// The setting's value, or Kafka's default.
    pub(crate) fn config(&self, name: &str) -> &str {
        let set = self.configs.get(name).map(String::as_str);
        set.or_else(|| default_config(name)).unwrap_or_default()
    }

    /// The largest batch, in bytes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.config("max.message.bytes").parse().unwrap_or(1_048_588)
    }

    /// Whether every record needs a key.
    pub(crate) fn is_compacted(&self) -> bool {
        self.config("cleanup.policy").split(',').any(|policy| policy.trim() == "compact")
    }

    /// What is to be kept when the clock on the wall shows `now`, in milliseconds since 1970.
    pub(crate) fn retention(&self, now: i64) -> Retention {
        if !self.config("cleanup.policy").split(',').any(|policy| policy.trim() == "delete") {
            return Retention::default();
        }
        let limit = |name| self.config(name).parse::<i64>().ok().filter(|limit| *limit >= 0);
        Retention {
            since: limit("retention.ms").map(|age| now.saturating_sub(age)),
            bytes: limit("retention.bytes").and_then(|most| usize::try_from(most).ok()),
        }
    }

    /// Whether the broker stamps the records.
    pub(crate) fn stamps(&self) -> bool {
        self.config("message.timestamp.type") == "LogAppendTime"
    }
}

/// The settings of topics that this broker knows, with Kafka's defaults.
pub(crate) const TOPIC_CONFIGS: [(&str, &str); 8] = [
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "1"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
];

/// The settings of [`TOPIC_CONFIGS`] that are lists; elsewhere text that is no number.
pub(crate) const LISTS: [&str; 1] = ["cleanup.policy"];

/// Settings that Kafka's topics have too, and that have no effect here.
pub(crate) const OTHER_CONFIGS: [&str; 29] = [
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
    "internal.segment.bytes",
];

pub(crate) fn default_config(name: &str) -> Option<&'static str> {
    TOPIC_CONFIGS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// A partition.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: Log,
    /// `None` while no replica is up.
    pub(crate) leader: Option<BrokerId>,
    pub(crate) epoch: i32,
    pub(crate) replicas: Vec<BrokerId>,
    /// The fetch sessions that look at it, and its slot in each.
    pub(crate) watchers: BTreeSet<(SessionKey, u32)>,
}

impl Partition {
    /// An empty partition, led by the first of its replicas.
    pub(crate) fn new(replicas: Vec<BrokerId>) -> Self {
        let mut log = Log::default();
        log.begin_epoch(0);
        let leader = replicas.first().copied();
        Self { log, leader, epoch: 0, replicas, watchers: BTreeSet::new() }
    }

    /// Another leader, or none; a new epoch begins when there is one.
    pub(crate) fn elect(&mut self, leader: Option<BrokerId>) {
        self.leader = leader;
        self.epoch = self.epoch.saturating_add(1);
        if leader.is_some() {
            self.log.begin_epoch(self.epoch);
        }
    }
}

/// How a request names a topic: by name, or by id from certain versions on.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum TopicRef {
    Name(String),
    Id(Uuid),
}

impl TopicRef {
    /// By id when there is one, else by name.
    pub(crate) fn of(name: &str, id: Uuid) -> Self {
        if id.is_zero() { Self::Name(name.to_owned()) } else { Self::Id(id) }
    }
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: BTreeMap<Uuid, String>,
    /// How many bytes all logs take.
    bytes: usize,
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name.iter().map(|(name, topic)| (name.as_str(), topic))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Topic)> {
        self.by_name.iter_mut().map(|(name, topic)| (name.as_str(), topic))
    }

    /// The name of the topic that is meant, when there is such a topic.
    pub(crate) fn name_of<'a>(&'a self, topic: &'a TopicRef) -> Option<&'a str> {
        match topic {
            TopicRef::Name(name) => self.by_name.contains_key(name).then_some(name),
            TopicRef::Id(id) => self.names.get(id).map(String::as_str),
        }
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.get(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// Changes a partition, and keeps count of the bytes.
    pub(crate) fn change<T>(
        &mut self,
        topic: &str,
        partition: i32,
        change: impl FnOnce(&mut Partition) -> T,
    ) -> Option<T> {
        let topic = self.by_name.get_mut(topic)?;
        let partition = topic.partitions.get_mut(usize::try_from(partition).ok()?)?;
        let before = partition.log.bytes();
        let result = change(partition);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(partition.log.bytes());
        Some(result)
    }

    pub(crate) fn insert(&mut self, name: &str, topic: Topic) {
        self.names.insert(topic.id, name.to_owned());
        self.by_name.insert(name.to_owned(), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        let freed = topic.partitions.iter().map(|partition| partition.log.bytes()).sum::<usize>();
        self.bytes = self.bytes.saturating_sub(freed);
        Some(topic)
    }

    /// How many bytes all logs take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}
