//! How do stories use our client? As users do, with the same few settings each time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forebay::{
    Consumer, ConsumerBuilder, Context, Delivery, ErrorKind, OffsetReset, Order, Producer,
    ProducerBuilder, ProducerRecord, Receipt, Record,
};

use crate::peer::{Codec, Topic};
use crate::story::{Ending, expect};

/// How long a consumer may take to give up its partitions once all is read.
const CLOSE: Duration = Duration::from_secs(10);

/// A header: its key and, unless null, its value.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// A record to be produced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fresh {
    /// `None`: as the key says.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
}

impl Fresh {
    pub(crate) fn numbered(i: u32) -> Self {
        let (key, value) = (format!("key-{i}").into_bytes(), format!("value-{i}").into_bytes());
        Self { partition: None, key: Some(key), value: Some(value), headers: Vec::new() }
    }
}

/// A record that was consumed, copied out of its batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
}

impl Seen {
    pub(crate) fn of(record: &Record) -> Self {
        let headers = record.headers().into_iter().flatten();
        let header = |header: forebay::Header<'_>| {
            let key = String::from_utf8_lossy(header.key).into_owned();
            (key, header.value.map(<[u8]>::to_vec))
        };
        Self {
            partition: record.partition(),
            offset: record.offset().0,
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: headers.map(header).collect(),
        }
    }

    /// `offset|key|value|header=value,…`: as the peers print it.
    pub(crate) fn line(&self) -> String {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let headers: Vec<String> =
            self.headers.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
        let (key, value) = (text(&self.key), text(&self.value));
        format!("{}|{key}|{value}|{}", self.offset, headers.join(","))
    }
}

/// A consumer of all partitions from the beginning, or from what the group has committed.
pub(crate) fn consumer(topic: Topic<'_>, partitions: i32, group: &str) -> ConsumerBuilder {
    Consumer::builder()
        .bootstrap_servers(topic.bootstrap)
        .group_id(group)
        .assign((0..partitions).map(|partition| (topic.name, partition)))
        .auto_offset_reset(OffsetReset::Earliest)
        .order(Order::Unordered)
}

/// Reads `count` records and closes; fewer only when the consumer could not go on.
pub(crate) async fn read(
    topic: Topic<'_>,
    partitions: i32,
    group: &str,
    count: usize,
) -> Result<Vec<Seen>, Ending> {
    let seen = Arc::new(Mutex::new(Vec::with_capacity(count)));
    let keep = Arc::clone(&seen);
    let consumer = consumer(topic, partitions, group).build()?;
    each(consumer, count, move |record| lock(&keep).push(Seen::of(record))).await?;
    Ok(std::mem::take(&mut *lock(&seen)))
}

/// Reads `count` records and closes; says for how many `holds`.
pub(crate) async fn count(
    consumer: Consumer,
    count: usize,
    holds: impl Fn(&Record) -> bool + Send + Sync + 'static,
) -> Result<usize, Ending> {
    let held = Arc::new(Mutex::new(0));
    let add = Arc::clone(&held);
    let look = move |record: &Record| *lock(&add) += usize::from(holds(record));
    each(consumer, count, look).await?;
    let held = *lock(&held);
    Ok(held)
}

/// Shows `count` records to `look`, one at a time, then closes; everything shown is committed.
async fn each(
    consumer: Consumer,
    count: usize,
    look: impl Fn(&Record) + Send + Sync + 'static,
) -> Result<(), Ending> {
    let (handle, left) = (consumer.handle(), Arc::new(Mutex::new(count)));
    let look = Arc::new(look);
    let handler = move |record: Record, _context: Context| {
        look(&record);
        let mut left = lock(&left);
        *left = left.saturating_sub(1);
        if *left == 0 {
            handle.shutdown(CLOSE);
        }
        std::future::ready(())
    };
    let summary = consumer.run(handler).await?;
    let unclean = summary.partitions.iter().find(|it| it.committed != it.frontier);
    expect(unclean.is_none().into(), || format!("not all was committed: {unclean:?}"))
}

/// A story whose handler panicked has failed anyway; the records it left are fine.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the records in their order; says where each was stored.
pub(crate) async fn produce(
    topic: Topic<'_>,
    codec: Codec,
    records: impl IntoIterator<Item = Fresh>,
) -> Result<Vec<(i32, i64)>, Ending> {
    produce_by(producer(topic, codec), topic, records).await
}

/// A producer as [`produce`] uses it.
pub(crate) fn producer(topic: Topic<'_>, codec: Codec) -> ProducerBuilder {
    Producer::builder().bootstrap_servers(topic.bootstrap).compression(codec.setting())
}

/// As [`produce`], with other settings.
pub(crate) async fn produce_by(
    builder: ProducerBuilder,
    topic: Topic<'_>,
    records: impl IntoIterator<Item = Fresh>,
) -> Result<Vec<(i32, i64)>, Ending> {
    let producer = builder.build()?;
    let places = write(&producer, topic, records).await?;
    producer.close(CLOSE).await?;
    Ok(places)
}

/// Writes the records in their order and waits for each; says where each was stored.
pub(crate) async fn write(
    producer: &Producer,
    topic: Topic<'_>,
    records: impl IntoIterator<Item = Fresh>,
) -> Result<Vec<(i32, i64)>, Ending> {
    let mut receipts = Vec::new();
    for record in records {
        receipts.push(send(producer, topic, &record).await?);
    }
    producer.flush().await?;
    let mut places = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        places.push(place(&receipt.delivered().await?)?);
    }
    Ok(places)
}

async fn send(producer: &Producer, topic: Topic<'_>, fresh: &Fresh) -> Result<Receipt, Ending> {
    let headers = fresh.headers.iter();
    let headers: Vec<forebay::Header<'_>> = headers
        .map(|(key, value)| forebay::Header { key: key.as_bytes(), value: value.as_deref() })
        .collect();
    let record = ProducerRecord {
        topic: topic.name,
        partition: fresh.partition,
        key: fresh.key.as_deref(),
        value: fresh.value.as_deref(),
        headers: &headers,
        timestamp: None,
    };
    Ok(producer.send(record).await?)
}

fn place(delivery: &Delivery) -> Result<(i32, i64), Ending> {
    let offset = delivery.offset.map(|offset| (delivery.tp.partition, offset.0));
    offset.ok_or_else(|| Ending::Broken(format!("{}: stored, but not said where", delivery.tp)))
}

/// Whether the error says, before anything was sent, that the brokers are too old.
pub(crate) fn is_unsupported(error: &forebay::Error) -> Result<(), Ending> {
    let typed = matches!(error, forebay::Error::NotOffered { .. });
    expect((typed && error.kind() == ErrorKind::Config).into(), || {
        format!("an old broker is no reason for {error:?}")
    })
}
