//! Three nodes, a topic, and clients that reach them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::runtime::Placement;
use forebay::{ClientConfig, Error, Producer, ProducerConfig, ProducerRecord, Receipt};
use forebay_broker::{Broker, Options, TopicPartition};
use forebay_histcheck::What;

use crate::link::Way;
use crate::recorder::Recorder;
use crate::wire::{Witness, tp};

/// The topic's name.
pub(crate) const TOPIC: &str = "t";
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
    pub(crate) partitions: i32,
    /// What a record has beside its name.
    bulk: String,
    seed: u64,
}

impl World {
    pub(crate) fn new(seed: u64, partitions: i32, bulk: usize) -> Self {
        let options = Options::default().nodes(3).seed(seed);
        let options = options.consumer_groups(SESSION, Duration::from_secs(1));
        let broker = Arc::new(Broker::builder().options(options).start_in_memory());
        let created = broker.with(|cluster| cluster.create_topic(TOPIC, partitions));
        debug_assert!(created.is_ok(), "{created:?}");
        Self { broker, recorder: Recorder::new(), partitions, bulk: " ".repeat(bulk), seed }
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
        let witness = member.map(|name| Witness::new(name.to_owned(), Arc::clone(&self.recorder)));
        Way {
            broker: Arc::clone(&self.broker),
            recorder: Arc::clone(&self.recorder),
            state: Arc::default(),
            witness: witness.map(|witness| Arc::new(Mutex::new(witness))),
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
            let partitions = u64::try_from(self.partitions).unwrap_or(1);
            let partition = number.checked_rem(partitions).unwrap_or(0);
            let round = number.checked_div(partitions).unwrap_or(0);
            let (key, seq) = (partition * KEYS + round % KEYS, round / KEYS);
            let value = format!("{key}:{seq}:{}", self.bulk);
            let record = ProducerRecord::new(TOPIC, value.as_bytes());
            let partition = i32::try_from(partition).unwrap_or(0);
            sent.push(self.follow(producer.send(record.partition(partition)).await?, (key, seq)));
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
                        let tp = tp(delivery.tp.partition);
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
        (0..self.partitions).all(|partition| {
            let (committed, end) = self.ends(partition);
            committed == end
        })
    }

    /// What is committed, and where the log ends. What retention has deleted needs no commit.
    fn ends(&self, partition: i32) -> (i64, i64) {
        let tp = TopicPartition::new(TOPIC, partition);
        self.broker.with(|cluster| {
            let committed = cluster.committed(GROUP, &tp).map_or(0, |it| it.offset);
            let start = cluster.log_start(&tp).unwrap_or(0);
            (committed.max(start), cluster.high_watermark(&tp).unwrap_or(0))
        })
    }

    /// Notes what the log holds, as the broker's own reader finds it.
    pub(crate) fn tell_truth(&self) {
        for partition in 0..self.partitions {
            let of = TopicPartition::new(TOPIC, partition);
            let values = self.broker.with(|cluster| cluster.values(&of)).unwrap_or_default();
            // Of a batch that retention has cut into the older records are still found.
            let start = self.broker.with(|cluster| cluster.log_start(&of)).unwrap_or(0);
            for (offset, value) in values.into_iter().filter(|(offset, _)| start <= *offset) {
                let (key, seq) = value_of(value.as_deref().unwrap_or_default());
                self.recorder.note(What::Truth { tp: tp(partition), offset, key, seq });
            }
            let (committed, end) = self.ends(partition);
            self.recorder.note(What::Final { tp: tp(partition), committed, end });
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
