//! Three nodes and a topic, clients that reach them through tapped pipes, and what they saw.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::runtime::Placement;
use forebay::{
    ClientConfig, Consumer, ConsumerConfig, ConsumerHandle, Context, OffsetReset, Producer,
    ProducerConfig, Record, TopicPartition,
};
use forebay_broker::{Broker, Options};
use tokio::task::JoinHandle;

use crate::tap::{Tapped, Trace};

pub const PARTITIONS: i32 = 4;
/// The group all consumers of these tests commit under.
pub const GROUP: &str = "simulation";

pub struct World {
    pub broker: Arc<Broker>,
    pub trace: Arc<Trace>,
    seed: u64,
}

/// The values that handlers saw, by partition.
pub type Seen = Arc<Mutex<BTreeMap<i32, Vec<String>>>>;

pub fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

impl World {
    pub fn new(seed: u64) -> Self {
        let options = Options::default().nodes(3).seed(seed);
        let broker = Arc::new(Broker::builder().options(options).start_in_memory());
        broker.with(|cluster| cluster.create_topic("t", PARTITIONS).unwrap());
        Self { broker, trace: Trace::new(), seed }
    }

    fn client(&self, name: &str) -> ClientConfig {
        let mut config = ClientConfig::from_servers(self.broker.bootstrap_servers()).unwrap();
        config.client_id = name.into();
        // Clients of one world draw differently, the same one alike in every run.
        config.seed = Some(name.bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(byte))
        }));
        config
    }

    fn connector(&self) -> Arc<Tapped> {
        Arc::new(Tapped { broker: Arc::clone(&self.broker), trace: Arc::clone(&self.trace) })
    }

    pub fn producer(&self) -> Producer {
        let config = ProducerConfig { client: self.client("writer"), ..ProducerConfig::default() };
        let builder = Producer::builder().config(config).placement(Placement::Caller);
        builder.connector(self.connector()).build().unwrap()
    }

    /// A consumer that runs over these partitions and notes what it sees.
    pub fn reader(&self, name: &str, partitions: std::ops::Range<i32>, seen: &Seen) -> Reader {
        let config = ConsumerConfig { client: self.client(name), ..ConsumerConfig::default() };
        let consumer = Consumer::builder()
            .config(config)
            .group_id(GROUP)
            .assign(partitions.map(tp))
            .auto_offset_reset(OffsetReset::Earliest)
            .connector(self.connector())
            .placement(Placement::Caller)
            .budget_bytes(16 << 20)
            .workers(1)
            .build()
            .unwrap();
        let (handle, seen, trace) = (consumer.handle(), Arc::clone(seen), Arc::clone(&self.trace));
        let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            let value = String::from_utf8_lossy(record.value().unwrap_or_default()).into_owned();
            trace.hear(0, format!("{} {} {value}", record.partition(), record.offset()).as_bytes());
            seen.lock().unwrap().entry(record.partition()).or_default().push(value);
            async {}
        }));
        Reader { handle, run }
    }

    /// Whether everything of these partitions is processed and committed.
    pub fn is_all_committed(&self) -> bool {
        self.broker.with(|cluster| {
            (0..PARTITIONS).map(tp).all(|tp| {
                let committed = cluster.committed(GROUP, &tp).map(|committed| committed.offset);
                committed.unwrap_or(0) == cluster.high_watermark(&tp).unwrap_or(0)
            })
        })
    }
}

/// A consumer that runs.
pub struct Reader {
    handle: ConsumerHandle,
    run: JoinHandle<Result<forebay::Summary, forebay::Error>>,
}

impl Reader {
    /// Ends it in good order.
    pub async fn close(self) {
        let summary = self.handle.close(Duration::from_secs(20)).await;
        assert!(summary.is_clean(), "{summary:?}");
        self.run.await.unwrap().unwrap();
    }
}

/// Waits, up to ten virtual minutes, until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in ten minutes: {what}");
}
