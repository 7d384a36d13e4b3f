//! What tests do to a cluster from outside: topics, records, nodes, members; and what they look at.

use std::collections::BTreeMap;

use bytes::Bytes;
use forebay_protocol::types::{BrokerId, TopicPartition, Uuid};

use crate::batch::{Head, Refusal};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::observe::Seen;
use crate::topic::{Partition, Topic};

mod groups;
mod nodes;

/// Whether Kafka would take this as a topic's name.
pub(crate) fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name != "." && name != ".." && name.len() <= 249 && name.chars().all(legal)
}

/// Topics.
impl Cluster {
    /// Creates a topic with so many partitions, each with one replica; leaders go round the nodes.
    ///
    /// # Errors
    /// As Kafka: the name is bad or taken, or there are no partitions.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<Uuid, Refusal> {
        self.new_topic(name, partitions, 1)
    }

    /// As [`Self::create_topic`], each partition with so many replicas; the first of them leads.
    ///
    /// # Errors
    /// As Kafka: also when there are not so many nodes.
    pub fn create_replicated_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i16,
    ) -> Result<Uuid, Refusal> {
        self.new_topic(name, partitions, replication)
    }

    pub(crate) fn new_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i16,
    ) -> Result<Uuid, Refusal> {
        self.may_create(name, partitions, replication)?;
        let id = Uuid(self.rng.uuid());
        let topic = Topic { id, partitions: Vec::new(), configs: BTreeMap::new() };
        self.topics.insert(name, topic);
        self.grow_topic(name, partitions, replication);
        Ok(id)
    }

    /// Whether such a topic could be created.
    pub(crate) fn may_create(
        &self,
        name: &str,
        partitions: i32,
        replication: i16,
    ) -> Result<(), Refusal> {
        if !is_topic_name(name) {
            let why =
                format!("{name:?} is no topic name: a-z, A-Z, 0-9, '.', '_', '-', 249 at most");
            return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, why));
        }
        if self.topics.get(name).is_some() {
            let why = format!("topic {name:?} exists");
            return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, why));
        }
        if !(1..=200_000).contains(&partitions) {
            let why = format!("{partitions} partitions: 1 to 200,000 can be had");
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, why));
        }
        let nodes = self.nodes.len();
        if usize::try_from(replication).is_ok_and(|wanted| (1..=nodes).contains(&wanted)) {
            return Ok(());
        }
        let why = format!("replication factor {replication}: there are {nodes} nodes");
        Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, why))
    }

    /// Gives a topic more partitions, up to `count`.
    pub(crate) fn grow_topic(&mut self, name: &str, count: i32, replication: i16) {
        let nodes: Vec<BrokerId> = self.nodes.keys().copied().collect();
        let count = usize::try_from(count).unwrap_or_default();
        let replicas = usize::try_from(replication).unwrap_or(1);
        let Some(topic) = self.topics.get_mut(name) else { return };
        for index in topic.partitions.len()..count {
            let around = nodes.iter().cycle().skip(index.checked_rem(nodes.len()).unwrap_or(0));
            topic.partitions.push(Partition::new(around.take(replicas).copied().collect()));
        }
        self.wake_all_of(name);
    }

    /// Gives a topic more partitions, up to `count`, each with one replica.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn add_partitions(&mut self, name: &str, count: i32) -> Result<(), Refusal> {
        self.topics.get(name).ok_or_else(|| unknown(name))?;
        self.grow_topic(name, count, 1);
        Ok(())
    }

    /// Sets a topic's configuration, such as `max.message.bytes`.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn configure_topic(&mut self, name: &str, key: &str, value: &str) -> Result<(), Refusal> {
        let topic = self.topics.get_mut(name).ok_or_else(|| unknown(name))?;
        topic.configs.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Deletes a topic and its records. Fetches that look at it hear of it.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn delete_topic(&mut self, name: &str) -> Result<(), Refusal> {
        let topic = self.topics.remove(name).ok_or_else(|| unknown(name))?;
        for (key, slot) in topic.partitions.iter().flat_map(|partition| &partition.watchers) {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            session.unwatch(*slot);
            self.woken.extend(session.waiting);
        }
        for group in self.groups.values_mut() {
            group.offsets.retain(|(topic, _), _| topic != name);
        }
        self.settle();
        Ok(())
    }

    /// The id of a topic.
    #[must_use]
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(|topic| topic.id)
    }

    fn wake_all_of(&mut self, name: &str) {
        let count = self.topics.get(name).map_or(0, |topic| topic.partitions.len());
        for index in 0..i32::try_from(count).unwrap_or(i32::MAX) {
            self.changed(name, index);
        }
        self.settle();
    }
}

/// Records.
impl Cluster {
    /// Appends one batch, which gets the next offsets; returns its base offset. It may be
    /// transactional or a control batch; checksums and sequences are not checked.
    ///
    /// # Errors
    /// When there is no such partition or no room, or the bytes have no head of a batch.
    pub fn append(&mut self, to: &TopicPartition, batch: &Bytes) -> Result<i64, Refusal> {
        self.has_room(batch.len())?;
        let head = head(batch)?;
        let appended = self.at(to, |partition| {
            let epoch = partition.epoch;
            partition.log.append(batch, head, (epoch, None)).map(|appended| appended.base_offset)
        });
        appended?
    }

    /// Appends one batch at the offset that it says, as compaction leaves them: with a hole before
    /// it, or with fewer records than offsets.
    ///
    /// # Errors
    /// As [`Cluster::append`], and when the offset is before the log's end.
    pub fn append_at_its_offset(
        &mut self,
        to: &TopicPartition,
        batch: &Bytes,
    ) -> Result<(), Refusal> {
        self.has_room(batch.len())?;
        let head = head(batch)?;
        self.at(to, |partition| partition.log.append_at_its_offset(batch, head))?
    }

    /// Appends bytes as they are, such as a message set of the formats before v2. The log ends
    /// after `last_offset` then.
    ///
    /// # Errors
    /// As [`Cluster::append_at_its_offset`].
    pub fn append_raw(
        &mut self,
        to: &TopicPartition,
        bytes: &Bytes,
        last_offset: i64,
    ) -> Result<(), Refusal> {
        self.has_room(bytes.len())?;
        self.at(to, |partition| partition.log.append_legacy(bytes, last_offset))?
    }

    /// The batches of a partition from the one that holds `from` on, as a consumer would get them.
    #[must_use]
    pub fn batches(&self, of: &TopicPartition, from: i64) -> Vec<Bytes> {
        let partition = self.topics.partition(of.topic.as_str(), of.partition);
        partition.map(|partition| partition.log.batches(from).collect()).unwrap_or_default()
    }

    /// The offset after the last record that consumers may read.
    #[must_use]
    pub fn high_watermark(&self, of: &TopicPartition) -> Option<i64> {
        self.look(of).map(|partition| partition.log.high_watermark())
    }

    /// The first offset that is kept.
    #[must_use]
    pub fn log_start(&self, of: &TopicPartition) -> Option<i64> {
        self.look(of).map(|partition| partition.log.start())
    }

    /// Up to where consumers of committed records may read.
    #[must_use]
    pub fn last_stable_offset(&self, of: &TopicPartition) -> Option<i64> {
        self.look(of).map(|partition| partition.log.last_stable_offset())
    }

    /// Keeps the high watermark from rising past `at`, as while replicas lag; `None` lets it go.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn hold_high_watermark(
        &mut self,
        of: &TopicPartition,
        at: Option<i64>,
    ) -> Result<(), Refusal> {
        self.at(of, |partition| partition.log.hold_high_watermark(at))
    }

    /// Deletes the records before `offset`, as retention does.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn delete_records(&mut self, of: &TopicPartition, offset: i64) -> Result<(), Refusal> {
        self.at(of, |partition| partition.log.delete_before(offset))
    }

    /// Loses the records at and after `offset` and begins a new leader epoch, as an unclean
    /// election does. A batch that holds `offset` is lost as a whole.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn truncate(&mut self, of: &TopicPartition, offset: i64) -> Result<(), Refusal> {
        self.at(of, |partition| {
            partition.log.truncate(offset);
            partition.elect(partition.leader);
        })
    }

    /// Keeps the last record of each key and leaves holes, as Kafka's cleaner does; a batch that
    /// loses all its records stays as an empty one where it is the last of an idempotent producer.
    /// The newest batch, transactional ones and markers stay as they are.
    ///
    /// # Errors
    /// When there is no such partition, or a batch cannot be read.
    pub fn compact(&mut self, of: &TopicPartition) -> Result<(), Refusal> {
        self.at(of, |partition| partition.log.compact())?
    }

    /// Applies the topic's `retention.ms` and `retention.bytes` now, and says where the log starts
    /// then. Kafka's defaults are a week and any amount; -1 of either is no limit, and a topic
    /// whose `cleanup.policy` has no `delete` keeps everything. By itself nothing is dropped.
    ///
    /// Batches go as a whole and from the start, as Kafka's segments do: a young batch keeps those
    /// after it, and what lies beyond the high watermark stays.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn apply_retention(&mut self, of: &TopicPartition) -> Result<i64, Refusal> {
        let now = self.wall_clock();
        let topic = self.topics.get(of.topic.as_str());
        let retention = topic.map(|topic| topic.retention(now)).unwrap_or_default();
        self.at(of, |partition| {
            partition.log.retain(retention);
            partition.log.start()
        })
    }

    /// Changes a byte of the batch that holds `offset`, so that its checksum is wrong.
    ///
    /// # Errors
    /// When there is no such partition or no such batch.
    pub fn corrupt(&mut self, of: &TopicPartition, offset: i64) -> Result<(), Refusal> {
        let done = self.at(of, |partition| partition.log.corrupt(offset))?;
        let why = format!("{of} has no batch at offset {offset}");
        if done { Ok(()) } else { Err(Refusal::new(ErrorCode::OFFSET_OUT_OF_RANGE, why)) }
    }

    /// Forgets the sequence numbers of all producers, as brokers did when the records were gone.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn forget_producers(&mut self, of: &TopicPartition) -> Result<(), Refusal> {
        self.at(of, |partition| partition.log.forget_producers())
    }

    /// How many bytes of memory the records take.
    #[must_use]
    pub const fn memory_used(&self) -> usize {
        self.topics.bytes()
    }

    fn look(&self, of: &TopicPartition) -> Option<&Partition> {
        self.topics.partition(of.topic.as_str(), of.partition)
    }

    /// Changes a partition and wakes who waits for it.
    fn at<T>(
        &mut self,
        of: &TopicPartition,
        change: impl FnOnce(&mut Partition) -> T,
    ) -> Result<T, Refusal> {
        let name = of.topic.as_str();
        let result = self.topics.change(name, of.partition, change);
        self.changed(name, of.partition);
        self.settle();
        result.ok_or_else(|| {
            Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no {of}"))
        })
    }
}

/// The fault script and the request log.
impl Cluster {
    /// Adds a line to the fault script.
    pub fn script(&mut self, fault: Fault) {
        self.script.add(fault);
    }

    /// Forgets the fault script.
    pub fn clear_script(&mut self) {
        self.script.clear();
    }

    /// How many lines of the script have not struck as often as they should.
    #[must_use]
    pub fn script_pending(&self) -> usize {
        self.script.pending()
    }

    /// The requests that came, oldest first; the last 100,000.
    pub fn requests(&self) -> impl Iterator<Item = &Seen> {
        self.log.iter()
    }

    /// Forgets the requests that came.
    pub fn clear_requests(&mut self) {
        self.log.clear();
    }
}

fn unknown(topic: &str) -> Refusal {
    Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {topic:?}"))
}

fn head(batch: &Bytes) -> Result<Head, Refusal> {
    let whole = Head::read(batch).filter(|head| head.size() == Some(batch.len()));
    whole.ok_or_else(|| {
        Refusal::new(ErrorCode::CORRUPT_MESSAGE, "the bytes are not one whole batch of format v2")
    })
}
