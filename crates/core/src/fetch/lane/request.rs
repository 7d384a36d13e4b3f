//! The next Fetch request of a lane.

use std::time::Duration;

use forebay_protocol::fetch_stream::Topic;
use forebay_protocol::messages::FetchRequest;
use forebay_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use forebay_protocol::types::{TopicName, TopicPartition, Uuid};
use forebay_protocol::wire::Str;

use super::{Config, Lane, fetching};
use crate::fetch::session::{Asked, Change};

/// The longest wait of a request that leaves slots out.
const WAIT_BESIDE_HELD: Duration = Duration::from_millis(20);

/// A Fetch request, before it becomes bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchPlan {
    /// The fetch session; 0 for none.
    pub session_id: i32,
    /// Which request of the session this is.
    pub session_epoch: i32,
    /// The longest the broker is to wait for bytes.
    pub max_wait: Duration,
    /// Most bytes of the response, its first batch aside.
    pub max_bytes: u32,
    /// What is asked for, neighbours of one topic together.
    pub topics: Vec<TopicPlan<(i32, Asked)>>,
    /// What the session is to forget.
    pub forgotten: Vec<TopicPlan<i32>>,
}

/// The partitions of one topic in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicPlan<T> {
    /// The topic's name, for versions up to 12.
    pub topic: TopicName,
    /// Its id, for versions from 13 on.
    pub topic_id: Uuid,
    /// Its partitions.
    pub partitions: Vec<T>,
}

impl Lane {
    /// The next request, when there is something to ask for and nothing on the wire. The caller
    /// sends it: from now on it counts as sent.
    pub fn poll_request(&mut self) -> Option<FetchPlan> {
        if !self.is_ready() {
            return None;
        }
        let (session_id, session_epoch) = self.session.header();
        let changes = if self.session.is_incremental() {
            self.table.changes()
        } else {
            self.turn = self.turn.wrapping_add(1);
            self.table.everything(self.turn)
        };
        let mut plan = FetchPlan {
            session_id,
            session_epoch,
            max_wait: self.max_wait(),
            max_bytes: self.size.bytes(),
            topics: Vec::new(),
            forgotten: Vec::new(),
        };
        let gone = std::mem::take(&mut self.gone);
        let mut forgotten = if self.session.is_incremental() { gone } else { Vec::new() };
        for change in changes {
            forgotten.extend(self.add(&mut plan, change));
        }
        // A partition that came back under another slot is not to be forgotten under the first:
        // a broker forgets after it has added.
        forgotten.retain(|(tp, id)| !self.is_asked(tp, *id));
        for (tp, id) in forgotten {
            push(&mut plan.forgotten, &tp.topic, id, tp.partition);
        }
        self.in_flight = true;
        Some(plan)
    }

    /// A slot that is held back or left alone is not in the request, and would have to wait for
    /// the end of a long one when it may go on.
    fn max_wait(&self) -> Duration {
        let is_whole = self.wanted == self.lent;
        if is_whole { self.config.max_wait } else { self.config.max_wait.min(WAIT_BESIDE_HELD) }
    }

    /// Adds a question to the request; answers what is to be forgotten instead.
    fn add(&mut self, plan: &mut FetchPlan, change: Change) -> Option<(TopicPartition, Uuid)> {
        match change {
            Change::Ask(slot, asked) => {
                let fetching = fetching(&mut self.slots, slot)?;
                let (tp, id) = (&fetching.cursor.tp, fetching.cursor.topic_id);
                push(&mut plan.topics, &tp.topic, id, (tp.partition, asked));
                self.known.insert(slot, (tp.clone(), id));
                None
            }
            Change::Forget(slot) => self.known.remove(&slot),
        }
    }

    /// Whether the session is asked for this partition, under whatever slot.
    fn is_asked(&self, tp: &TopicPartition, id: Uuid) -> bool {
        let slot = self.names.slot(&Topic::Name(tp.topic.clone()), tp.partition);
        let asked = slot.filter(|slot| self.table.believed(*slot).is_some());
        asked.and_then(|slot| self.known.get(&slot)).is_some_and(|known| *known == (tp.clone(), id))
    }
}

/// Adds to the last topic, or to a new one when the last is another.
fn push<T>(topics: &mut Vec<TopicPlan<T>>, name: &TopicName, id: Uuid, partition: T) {
    match topics.last_mut().filter(|last| last.topic == *name && last.topic_id == id) {
        Some(last) => last.partitions.push(partition),
        None => topics.push(TopicPlan {
            topic: name.clone(),
            topic_id: id,
            partitions: vec![partition],
        }),
    }
}

impl FetchPlan {
    /// The request as Kafka's message, for `version`.
    #[must_use]
    pub fn to_message(&self, config: &Config, version: i16) -> FetchRequest {
        let isolation = i8::from(config.is_read_committed);
        FetchRequest {
            max_wait_ms: i32::try_from(self.max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: config.min_bytes,
            max_bytes: small(self.max_bytes),
            isolation_level: isolation,
            session_id: if 7 <= version { self.session_id } else { 0 },
            session_epoch: if 7 <= version { self.session_epoch } else { -1 },
            topics: self.topics.iter().map(|topic| topic.to_fetch(version)).collect(),
            forgotten_topics_data: self.forgotten.iter().map(|t| t.to_forget(version)).collect(),
            rack_id: if 11 <= version { Str::from(&*config.rack) } else { Str::default() },
            ..FetchRequest::default()
        }
    }
}

impl<T> TopicPlan<T> {
    /// Versions from 13 on name topics by id only, earlier ones by name only.
    fn names(&self, version: i16) -> (Str, Uuid) {
        if 13 <= version {
            (Str::default(), self.topic_id)
        } else {
            (Str::from(self.topic.as_str()), Uuid::ZERO)
        }
    }
}

impl TopicPlan<(i32, Asked)> {
    fn to_fetch(&self, version: i16) -> FetchTopic {
        let (topic, topic_id) = self.names(version);
        let partitions = self.partitions.iter().map(|(partition, asked)| FetchPartition {
            partition: *partition,
            current_leader_epoch: if 9 <= version { asked.leader_epoch.0 } else { -1 },
            fetch_offset: asked.position.0,
            last_fetched_epoch: if 12 <= version { asked.position_epoch.0 } else { -1 },
            partition_max_bytes: small(asked.max_bytes),
            ..FetchPartition::default()
        });
        FetchTopic { topic, topic_id, partitions: partitions.collect() }
    }
}

impl TopicPlan<i32> {
    fn to_forget(&self, version: i16) -> ForgottenTopic {
        let (topic, topic_id) = self.names(version);
        ForgottenTopic { topic, topic_id, partitions: self.partitions.clone() }
    }
}

fn small(bytes: u32) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}
