//! Brokers in this process, a proxy before them, and clients that know only the proxy.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::config::ClientConfig;
use forebay::{
    Compression, Consumer, ConsumerConfig, ConsumerHandle, Context, GroupProtocol, OffsetReset,
    Producer, ProducerConfig, ProducerRecord, Record,
};
use forebay_broker::{Broker, Options};
use forebay_histcheck::{Event, History, Notebook, What};
use forebay_proxy::{Broker as At, Proxy};
use tempfile::TempDir;

pub(crate) const PARTITIONS: i32 = 3;

pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) proxy: Proxy,
    path: PathBuf,
    _folder: TempDir,
}

impl World {
    /// Three nodes, a topic `t`, a proxy that writes a history.
    pub(crate) async fn new() -> Self {
        let session = Duration::from_secs(6);
        let options = Options::default().nodes(3);
        let options = options.consumer_groups(session, Duration::from_millis(200));
        let broker = Broker::builder().options(options).start().await.unwrap();
        broker.with(|cluster| cluster.create_topic("t", PARTITIONS)).unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("history");
        let notebook = Arc::new(Notebook::open(&path).unwrap());
        let proxy = Proxy::start(&brokers(&broker), Some(notebook)).await.unwrap();
        Self { broker, proxy, path, _folder: folder }
    }

    pub(crate) fn client(&self, name: &str) -> ClientConfig {
        let config = ClientConfig::from_servers(self.proxy.bootstrap_servers()).unwrap();
        ClientConfig {
            client_id: name.into(),
            request_timeout: Duration::from_secs(2),
            retry_backoff_max: Duration::from_millis(200),
            reconnect_backoff_max: Duration::from_millis(200),
            ..config
        }
    }

    /// Writes so many records, numbered from `from` on, and waits for their acks.
    pub(crate) async fn write(&self, from: u64, count: u64) {
        let config = ProducerConfig {
            client: self.client("writer"),
            compression: Compression::Lz4,
            ..ProducerConfig::default()
        };
        let producer = Producer::builder().config(config).build().unwrap();
        let mut receipts = Vec::new();
        for number in from..from + count {
            let partition = number % 3;
            let value = format!("{partition}:{}", number / 3);
            let record = ProducerRecord::new("t", value.as_bytes());
            let record = record.partition(i32::try_from(partition).unwrap());
            receipts.push(producer.send(record).await.unwrap());
        }
        for receipt in receipts {
            receipt.delivered().await.unwrap();
        }
        producer.close(Duration::from_secs(5)).await.unwrap();
    }

    /// A member of group `g` that counts what it handles.
    pub(crate) fn join(&self, name: &str, protocol: GroupProtocol) -> Member {
        let config = ConsumerConfig { client: self.client(name), ..ConsumerConfig::default() };
        let builder = Consumer::builder().config(config).group_id("g").topics(["t"]);
        let builder = builder.auto_offset_reset(OffsetReset::Earliest).group_protocol(protocol);
        let builder = builder.session_timeout(Duration::from_secs(6));
        let builder = builder.heartbeat_interval(Duration::from_millis(200));
        let consumer = builder.auto_commit_interval(Duration::from_millis(100)).build().unwrap();
        let (handle, values) = (consumer.handle(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&values);
        tokio::spawn(consumer.run(move |record: Record, _: Context| {
            seen.lock().unwrap().push(record.value().unwrap_or_default().to_vec());
            std::future::ready(())
        }));
        Member { handle, values }
    }

    /// Waits until so many records were committed.
    pub(crate) async fn committed(&self, count: i64) {
        let total = || {
            let of = |partition| forebay_broker::TopicPartition::new("t", partition);
            let at = |partition| self.broker.with(|it| it.committed("g", &of(partition)));
            (0..PARTITIONS).map(|it| at(it).map_or(0, |it| it.offset)).sum::<i64>()
        };
        let wait = async {
            while total() != count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "{} of {count} are committed", total());
    }

    pub(crate) fn history(&self) -> Vec<What> {
        let events = History::open([&self.path]).unwrap();
        events.map(|event| event.map(|Event { what, .. }| what).unwrap()).collect()
    }

    /// Nobody ended a connection that was not asked to.
    pub(crate) fn is_at_ease(&self) {
        let errors = self.proxy.take_errors();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

pub(crate) struct Member {
    pub(crate) handle: ConsumerHandle,
    values: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Member {
    /// What it handled, in no order.
    pub(crate) fn handled(&self) -> Vec<Vec<u8>> {
        let mut values = self.values.lock().unwrap().clone();
        values.sort();
        values
    }

    pub(crate) async fn leave(&self) {
        let summary = self.handle.close(Duration::from_secs(10)).await;
        assert!(summary.is_clean(), "{summary:?}");
    }
}

/// What records 0 to `count` - 1 hold, in no order.
pub(crate) fn values(count: u64) -> Vec<Vec<u8>> {
    let mut values: Vec<_> = (0..count).map(|it| format!("{}:{}", it % 3, it / 3)).collect();
    values.sort();
    values.into_iter().map(String::into_bytes).collect()
}

fn brokers(broker: &Broker) -> Vec<At> {
    let addresses = broker.bootstrap_servers().split(',');
    let address = |(id, at): (i32, &str)| {
        let (host, port) = at.rsplit_once(':').unwrap();
        At { id, host: host.to_owned(), port: port.parse().unwrap() }
    };
    (1..).zip(addresses).map(address).collect()
}
