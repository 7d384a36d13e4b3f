//! Who writes and reads while something happens to the brokers, and was anything lost?
//!
//! A producer writes numbered records to all partitions without pause, a consumer reads them. At
//! the end every record that was acknowledged was read once, and each partition in its order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forebay::config::{ClientConfig, ConsumerConfig, ProducerConfig};
use forebay::net::connector::{Connector, TcpConnector};
use forebay::{
    Consumer, ConsumerHandle, Context, OffsetReset, Producer, ProducerRecord, Record, Summary,
    TopicPartition,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::peer::Topic;
use crate::story::{Ending, expect};

/// Between two records.
const PAUSE: Duration = Duration::from_millis(2);
/// Until everything that was acknowledged must have been read.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Records of each partition that show that it flows.
const FLOWING: usize = 20;

/// By partition: offsets and numbers, in the order of the handler's runs.
type Seen = Arc<Mutex<BTreeMap<i32, Vec<(i64, u32)>>>>;

/// A writer and a reader at work.
pub(crate) struct Traffic {
    partitions: i32,
    pub(crate) handle: ConsumerHandle,
    pub(crate) producer: Producer,
    reader: JoinHandle<Result<Summary, forebay::Error>>,
    writer: JoinHandle<Result<u32, forebay::Error>>,
    seen: Seen,
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicU32>,
}

/// Settings of a client that notices in seconds what it would notice in minutes.
pub(crate) fn hurried(bootstrap: &str) -> Result<ClientConfig, Ending> {
    let config = ClientConfig::from_servers(bootstrap).map_err(forebay::Error::from)?;
    Ok(ClientConfig {
        request_timeout: Duration::from_secs(2),
        connection_setup_timeout: Duration::from_secs(2),
        metadata_max_age: Duration::from_secs(5),
        reconnect_backoff_max: Duration::from_millis(500),
        retry_backoff_max: Duration::from_millis(500),
        ..config
    })
}

impl Traffic {
    pub(crate) fn start(topic: Topic<'_>, partitions: i32, group: &str) -> Result<Self, Ending> {
        let client = hurried(topic.bootstrap)?;
        Self::with(client, Arc::new(TcpConnector::default()), (topic.name, partitions, group))
    }

    pub(crate) fn with(
        client: ClientConfig,
        connector: Arc<dyn Connector>,
        (topic, partitions, group): (&str, i32, &str),
    ) -> Result<Self, Ending> {
        let consumer = Consumer::builder()
            .config(ConsumerConfig {
                client: client.clone(),
                group_id: Some(group.into()),
                auto_offset_reset: OffsetReset::Earliest,
                ..ConsumerConfig::default()
            })
            .connector(Arc::clone(&connector))
            .assign((0..partitions).map(|partition| (topic, partition)))
            .build()?;
        let config = ProducerConfig { client, ..ProducerConfig::default() };
        let producer = Producer::builder().config(config).connector(connector).build()?;
        let (seen, handle) = (Seen::default(), consumer.handle());
        let noting = Arc::clone(&seen);
        let reader = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            note(&noting, &record);
            std::future::ready(())
        }));
        let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let writer = Writer {
            producer: producer.clone(),
            topic: topic.to_owned(),
            partitions,
            is_over: Arc::clone(&is_over),
            written: Arc::clone(&written),
        };
        let writer = tokio::spawn(writer.run());
        Ok(Self { partitions, handle, producer, reader, writer, seen, is_over, written })
    }

    /// Waits until records that were written after now arrive from every partition.
    pub(crate) async fn flows(&self, within: Duration) -> Result<(), Ending> {
        let from = self.written.load(Ordering::Relaxed);
        let flowing = |runs: &Vec<(i64, u32)>| {
            FLOWING <= runs.iter().rev().take_while(|(_, number)| from <= *number).count()
        };
        let all = self.partitions.unsigned_abs() as usize;
        let until = Instant::now() + within;
        while Instant::now() < until {
            if self.look(|seen| seen.values().filter(|runs| flowing(runs)).count()) == all {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        let counts = self.look(|seen| {
            let count = |runs: &Vec<(i64, u32)>| (runs.len(), flowing(runs));
            seen.iter().map(|(partition, runs)| (*partition, count(runs))).collect::<Vec<_>>()
        });
        let stats = self.handle.stats().await;
        let report = format!("no records flow within {within:?}: {counts:?} {stats:?}");
        Err(Ending::Broken(report))
    }

    /// Stops writing, reads the rest, and checks that nothing was lost, repeated or reordered.
    pub(crate) async fn end(self) -> Result<(), Ending> {
        self.is_over.store(true, Ordering::Relaxed);
        let written = self.writer.await.map_err(|fault| Ending::Broken(fault.to_string()))??;
        let count = || look(&self.seen, |seen| seen.values().map(Vec::len).sum::<usize>());
        let until = Instant::now() + CATCH_UP;
        while count() < written as usize && Instant::now() < until {
            sleep(Duration::from_millis(20)).await;
        }
        let stats = self.handle.stats().await;
        self.handle.shutdown(Duration::from_secs(5));
        let summary = self.reader.await.map_err(|fault| Ending::Broken(fault.to_string()))??;
        self.producer.close(Duration::from_secs(5)).await?;
        look(&self.seen, |seen| check(seen, written))
            .map_err(|ending| Ending::Broken(format!("{ending}; {stats:?}")))?;
        let heals = stats.map_or(0, |stats| stats.watchdog_heals);
        expect((heals == 0).into(), || format!("the watchdog had to heal {heals} times"))?;
        let stopped = summary.partitions.iter().find(|it| it.error.is_some() || !it.is_committed);
        expect(stopped.is_none().into(), || format!("a partition did not end well: {stopped:?}"))
    }

    fn look<T>(&self, look_at: impl FnOnce(&BTreeMap<i32, Vec<(i64, u32)>>) -> T) -> T {
        look(&self.seen, look_at)
    }
}

struct Writer {
    producer: Producer,
    topic: String,
    partitions: i32,
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicU32>,
}

impl Writer {
    /// Writes until it is over; every record must be acknowledged. Says how many there are.
    async fn run(self) -> Result<u32, forebay::Error> {
        let mut receipts = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.written.fetch_add(1, Ordering::Relaxed);
            let value = number.to_string();
            let partition = i32::try_from(number).unwrap_or(0) % self.partitions;
            let record = ProducerRecord::new(&self.topic, value.as_bytes()).partition(partition);
            receipts.push(self.producer.send(record).await?);
            sleep(PAUSE).await;
        }
        for receipt in receipts {
            receipt.delivered().await?;
        }
        Ok(self.written.load(Ordering::Relaxed))
    }
}

fn note(seen: &Seen, record: &Record) {
    let number = record.value().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let run = (record.offset().0, number.unwrap_or(u32::MAX));
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.entry(record.partition()).or_default().push(run);
}

fn look<T>(seen: &Seen, look_at: impl FnOnce(&BTreeMap<i32, Vec<(i64, u32)>>) -> T) -> T {
    look_at(&seen.lock().unwrap_or_else(PoisonError::into_inner))
}

fn check(seen: &BTreeMap<i32, Vec<(i64, u32)>>, written: u32) -> Result<(), Ending> {
    let mut numbers: Vec<u32> = seen.values().flatten().map(|(_, number)| *number).collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    expect((numbers.len() == count).into(), || {
        format!("{} records of {written} came twice", count - numbers.len())
    })?;
    let missing = (0..written).filter(|number| numbers.binary_search(number).is_err()).count();
    expect((missing == 0).into(), || {
        format!("{missing} acknowledged records of {written} never came")
    })?;
    let disorder = seen.iter().find(|(_, runs)| !runs.is_sorted());
    expect(disorder.is_none().into(), || {
        format!("partition {:?} came out of order", disorder.map(|(partition, _)| partition))
    })
}

/// The partitions of a topic.
pub(crate) fn partitions(topic: &str, count: i32) -> Vec<TopicPartition> {
    (0..count).map(|partition| TopicPartition::new(topic, partition)).collect()
}
