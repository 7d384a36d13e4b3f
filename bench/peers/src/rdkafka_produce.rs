//! librdkafka through rdkafka's `BaseProducer`: idempotent, `acks=all`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use peers::produce::{Options, Pace, Values, print};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

/// Latencies of the first so many records belong to warming up.
const WARM: u64 = 1000;

/// Counts what became of records.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU64>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok(), "a record was not stored");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn config(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap_servers)
        .set("broker.address.family", "v4")
        .set("enable.idempotence", "true")
        .set("linger.ms", options.linger_ms.to_string())
        .set("batch.size", options.batch_size.to_string())
        .set("compression.codec", &options.compression);
    config
}

fn send(options: &Options, values: &Values) {
    let stored = Counting::default();
    let producer: BaseProducer<Counting> =
        config(options).create_with_context(stored.clone()).expect("a producer");
    for number in 0..options.records {
        let mut record = BaseRecord::<(), [u8]>::to(&options.topic).payload(values.get(number));
        while let Err((error, back)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full, "room or a full queue");
            producer.poll(Duration::from_millis(10));
            record = back;
        }
        if number % 1000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60)).expect("all through");
    assert_eq!(stored.0.load(Ordering::Relaxed), options.records);
}

fn consumer(options: &Options) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap_servers)
        .set("broker.address.family", "v4")
        .set("group.id", "bench-echo")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..options.partitions {
        let (_, end) = consumer
            .fetch_watermarks(&options.topic, partition, Duration::from_secs(10))
            .expect("watermarks");
        list.add_partition_offset(&options.topic, partition, Offset::Offset(end)).expect("offset");
    }
    consumer.assign(&list).expect("an assignment");
    consumer
}

/// At a rate, with the time of each record in its value, until all are read.
fn echo(options: &Options) -> Vec<u64> {
    let consumer = consumer(options);
    let producer: ThreadedProducer<Counting> =
        config(options).create_with_context(Counting::default()).expect("a producer");
    let total = options.records;
    let begun = Instant::now() + Duration::from_secs(1);
    let reader = std::thread::spawn(move || {
        let mut nanos = Vec::with_capacity(usize::try_from(total).expect("a count"));
        let mut read = 0;
        while read < total {
            let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
            let message = message.expect("a message");
            let value = message.payload().expect("a value");
            let due = u64::from_le_bytes(value[..8].try_into().expect("eight bytes"));
            let now = begun.elapsed().as_nanos() as u64;
            read += 1;
            if WARM < read {
                nanos.push(now.saturating_sub(due));
            }
        }
        nanos
    });
    let pace = Pace::new(begun, options.rate);
    let mut value = vec![b'x'; options.record_size];
    for number in 0..total {
        value[..8].copy_from_slice(&pace.wait(number).to_le_bytes());
        let record = BaseRecord::<(), [u8]>::to(&options.topic).payload(&value);
        producer.send(record).map_err(|(error, _)| error).expect("room");
    }
    reader.join().expect("a reader")
}

fn main() {
    let options = Options::parse();
    let begun = Instant::now();
    let nanos = match options.api.as_str() {
        "send" => {
            let values = options.values();
            send(&options, &values);
            Vec::new()
        }
        "echo" => echo(&options),
        other => panic!("rdkafka has no --api {other}: send or echo"),
    };
    print(&format!("rdkafka {}", options.api), &options, begun, nanos);
    std::process::exit(0);
}
