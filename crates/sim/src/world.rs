//! Three nodes, topics, and clients that reach them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::runtime::Placement;
use forebay::{ClientConfig, Error, Producer, ProducerConfig, ProducerRecord, Receipt};
use forebay_broker::{Broker, Options, TopicPartition};
use forebay_histcheck::What;

use crate::link::Way;
use crate::recorder::Recorder;
use crate::wire::Witness;

/// The topics' names; most runs have the first alone.
const TOPICS: [&str; 3] = ["t", "u", "v"];
/// A pattern that all of them match.
pub(crate) const PATTERN: &str = "[t-v]";
/// The group's name.
pub(crate) const GROUP: &str = "simulation";
/// How long the coordinator waits for a sign of life.
pub(crate) const SESSION: Duration = Duration::from_secs(10);
/// Keys of one partition.
const KEYS: u64 = 5;

/// The brokers and what is known of them.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) broker: Arc<Broker>,
    pub(crate) recorder: Arc<Recorder>,
    /// Every partition of every topic.
    pub(crate) places: Vec<TopicPartition>,
    /// What a record has beside its name.
    bulk: String,
    seed: u64,
}

impl World {
    /// Topics of so many partitions each.
    pub(crate) fn new(seed: u64, partitions: &[i32], bulk: usize) -> Self {
        let options = Options::default().nodes(3).seed(seed);
        let options = options.consumer_groups(SESSION, Duration::from_secs(1));
        let broker = Arc::new(Broker::builder().options(options).start_in_memory());
        let mut places = Vec::new();
        for (topic, count) in TOPICS.into_iter().zip(partitions) {
            let created = broker.with(|cluster| cluster.create_topic(topic, *count));
            debug_assert!(created.is_ok(), "{created:?}");
            places.extend((0..*count).map(|partition| TopicPartition::new(topic, partition)));
        }
        Self { broker, recorder: Recorder::new(), places, bulk: " ".repeat(bulk), seed }
    }

    /// The names of its topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &'static str> {
        TOPICS.into_iter().filter(|name| self.places.iter().any(|tp| tp.topic.as_str() == *name))
    }

    /// How many partitions there are.
    pub(crate) fn count(&self) -> i32 {
        i32::try_from(self.places.len()).unwrap_or(i32::MAX)
    }

    /// One of them, by its number among all.
    pub(crate) fn place(&self, number: i32) -> TopicPartition {
        let at = usize::try_from(number).unwrap_or_default();
        self.places.get(at).cloned().unwrap_or_else(|| TopicPartition::new(TOPICS[0], 0))
    }

    /// Settings of a client: clients of one world draw differently, the same one alike each time.
    pub(crate) fn client(&self, name: &str) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::from_servers(self.broker.bootstrap_servers())?;
        config.client_id = name.into();
        config.seed = Some(name.bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(byte))
        }));
        Ok(config)
    }

    /// A way to the brokers; a member's is witnessed.
    pub(crate) fn way(&self, member: Option<&str>) -> Way {
        let ids = self.topics().filter_map(|topic| {
            let id = self.broker.with(|cluster| cluster.topic_id(topic))?;
            Some((id, topic.into()))
        });
        let witness = member
            .map(|name| Witness::new(name.to_owned(), Arc::clone(&self.recorder), ids.collect()));
        Way {
            broker: Arc::clone(&self.broker),
            recorder: Arc::clone(&self.recorder),
            state: Arc::default(),
            witness: witness.map(|witness| Arc::new(Mutex::new(witness))),
            is_buffered: false,
        }
    }

    pub(crate) fn producer(&self) -> Result<Producer, Error> {
        let config = ProducerConfig {
            client: self.client("writer")?,
            linger: Duration::from_millis(100),
            ..ProducerConfig::default()
        };
        let builder = Producer::builder().config(config).placement(Placement::Caller);
        builder.connector(Arc::new(self.way(None))).build()
    }

    /// Writes so many records, one each `every`, and notes what becomes of them.
    pub(crate) async fn write(
        &self,
        producer: &Producer,
        numbers: std::ops::Range<u64>,
        every: Duration,
    ) -> Result<(), Error> {
        let mut sent = Vec::new();
        for number in numbers {
            let partitions = u64::try_from(self.places.len()).unwrap_or(1);
            let partition = number.checked_rem(partitions).unwrap_or(0);
            let round = number.checked_div(partitions).unwrap_or(0);
            let (key, seq) = (partition * KEYS + round % KEYS, round / KEYS);
            let value = format!("{key}:{seq}:{}", self.bulk);
            let of = self.place(i32::try_from(partition).unwrap_or(0));
            let record = ProducerRecord::new(of.topic.as_str(), value.as_bytes());
            let record = record.partition(of.partition);
            sent.push(self.follow(producer.send(record).await?, (key, seq)));
            tokio::time::sleep(every).await;
        }
        for follower in sent {
            drop(follower.await);
        }
        Ok(())
    }

    /// Notes what becomes of a write.
    fn follow(&self, receipt: Receipt, (key, seq): (u64, u64)) -> tokio::task::JoinHandle<()> {
        let recorder = Arc::clone(&self.recorder);
        tokio::spawn(async move {
            match receipt.delivered().await {
                Ok(delivery) => {
                    if let Some(offset) = delivery.offset {
                        let tp = delivery.tp.to_string();
                        recorder.note(What::Acked { tp, offset: offset.0, key, seq });
                    }
                }
                // It may have been written.
                Err(Error::Unknown { .. }) => {}
                Err(_) => recorder.note(What::WriteFailed { key, seq }),
            }
        })
    }

    /// Whether everything of all partitions is committed.
    pub(crate) fn is_all_committed(&self) -> bool {
        self.places.iter().all(|tp| {
            let (committed, end) = self.ends(tp);
            committed == end
        })
    }

    /// What is committed, and where the log ends. What retention has deleted needs no commit.
    fn ends(&self, tp: &TopicPartition) -> (i64, i64) {
        self.broker.with(|cluster| {
            let committed = cluster.committed(GROUP, tp).map_or(0, |it| it.offset);
            let start = cluster.log_start(tp).unwrap_or(0);
            (committed.max(start), cluster.high_watermark(tp).unwrap_or(0))
        })
    }

    /// Notes what the log holds, as the broker's own reader finds it.
    pub(crate) fn tell_truth(&self) {
        for of in &self.places {
            let tp = || of.to_string();
            let values = self.broker.with(|cluster| cluster.values(of)).unwrap_or_default();
            // Of a batch that retention has cut into the older records are still found.
            let start = self.broker.with(|cluster| cluster.log_start(of)).unwrap_or(0);
            for (offset, value) in values.into_iter().filter(|(offset, _)| start <= *offset) {
                let (key, seq) = value_of(value.as_deref().unwrap_or_default());
                self.recorder.note(What::Truth { tp: tp(), offset, key, seq });
            }
            let (committed, end) = self.ends(of);
            self.recorder.note(What::Final { tp: tp(), committed, end });
        }
    }
}

/// The key and the number that a value names.
pub(crate) fn value_of(value: &[u8]) -> (u64, u64) {
    // What follows them may be long, and nobody wants to know it.
    let mut parts = value.splitn(3, |byte| *byte == b':');
    let mut read = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
    (read().unwrap_or(u64::MAX), read().unwrap_or(u64::MAX))
}
