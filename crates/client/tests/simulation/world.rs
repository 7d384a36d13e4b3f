//! Three nodes and a topic, clients that reach them through tapped pipes, and what they saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::runtime::Placement;
use forebay::{
    ClientConfig, Consumer, ConsumerConfig, ConsumerHandle, Context, OffsetReset, Producer,
    ProducerConfig, Record, TopicPartition,
};
use forebay_broker::{ApiKey, BatchBuilder, Broker, Options};
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
        Self::with_nodes(seed, 3)
    }

    pub fn of_one_node(seed: u64) -> Self {
        Self::with_nodes(seed, 1)
    }

    fn with_nodes(seed: u64, nodes: u16) -> Self {
        let options = Options::default().nodes(nodes).seed(seed);
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
        let config = ProducerConfig {
            client: self.client("writer"),
            linger: Duration::from_millis(300),
            ..ProducerConfig::default()
        };
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
            .budget_bytes(4 << 20)
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

    /// Appends a record as another writer would.
    pub fn append(&self, partition: i32, value: &str) {
        let batch = BatchBuilder::at_time(0).record(None, Some(value.as_bytes())).build();
        self.broker.with(|cluster| cluster.append(&tp(partition), &batch)).unwrap();
    }

    /// Whether everything of this partition is processed and committed.
    pub fn is_committed(&self, partition: i32) -> bool {
        self.broker.with(|cluster| {
            let committed = cluster.committed(GROUP, &tp(partition));
            let end = cluster.high_watermark(&tp(partition));
            committed.map_or(0, |committed| committed.offset) == end.unwrap_or(0)
        })
    }

    /// The same for all partitions.
    pub fn is_all_committed(&self) -> bool {
        (0..PARTITIONS).all(|partition| self.is_committed(partition))
    }

    /// How many clients have fetched, as far as the broker remembers.
    pub fn fetching_clients(&self) -> usize {
        self.broker.with(|cluster| {
            let fetches = cluster.requests().filter(|seen| seen.api == ApiKey::Fetch);
            let clients: BTreeSet<_> = fetches.map(|seen| seen.client_id.as_deref()).collect();
            clients.len()
        })
    }

    /// The group begins anew.
    pub fn forget_commits(&self) {
        self.broker.with(|cluster| {
            (0..PARTITIONS).for_each(|partition| cluster.commit(GROUP, &tp(partition), 0, -1));
        });
    }
}

/// A consumer that runs.
pub struct Reader {
    handle: ConsumerHandle,
    run: JoinHandle<Result<forebay::Summary, forebay::Error>>,
}

impl Reader {
    /// Whether it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.run.is_finished()
    }

    /// Ends it, however it is.
    pub async fn end(self) -> Arc<forebay::Summary> {
        let summary = self.handle.close(Duration::from_secs(20)).await;
        drop(self.run.await.unwrap());
        summary
    }

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

/// Runs under a paused clock, on this thread.
pub fn virtual_time<T>(play: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(play)
}
