//! librdkafka through rdkafka: `--api batches` takes 10,000 messages at a time from the consumer's
//! queue (`rd_kafka_consume_batch_queue`), `--api stream` is `StreamConsumer`, `--api poll` is
//! `BaseConsumer::poll`.

use std::time::Duration;

use clap::Parser;
use peers::{Options, Tally};
use rdkafka::bindings as c;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, StreamConsumer};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

const POLL: Duration = Duration::from_millis(100);
const BATCH: usize = 10_000;

fn config(options: &Options) -> ClientConfig {
    // rdkafka puts the outcome of each commit into the consumer's queue as an event, on which
    // `rd_kafka_consume_batch_queue` aborts: there one commit at the end must do.
    let commits = if options.api == "batches" { "false" } else { "true" };
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap_servers)
        .set("broker.address.family", "v4")
        .set("group.id", options.group())
        .set("enable.auto.commit", commits)
        .set("auto.commit.interval.ms", "500")
        .set("auto.offset.reset", "earliest");
    if options.tuned {
        config
            .set("queued.min.messages", "1000000")
            .set("queued.max.messages.kbytes", "262144")
            .set("fetch.message.max.bytes", "4194304")
            .set("fetch.queue.backoff.ms", "10");
    }
    config
}

/// A consumer that is about to receive the topic's records.
fn consumer<C: Consumer + FromClientConfig>(options: &Options) -> C {
    let consumer = C::from_config(&config(options)).expect("a consumer");
    if options.group.is_some() {
        consumer.subscribe(&[&options.topic]).expect("a subscription");
        return consumer;
    }
    let mut list = TopicPartitionList::new();
    for partition in options.partitions() {
        list.add_partition_offset(&options.topic, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("an assignment");
    consumer
}

fn poll(consumer: &BaseConsumer, tally: &mut Tally) {
    if let Some(message) = consumer.poll(POLL) {
        tally.add(message.expect("a message").payload().unwrap_or_default());
    }
}

fn batches(options: &Options, tally: &mut Tally) -> BaseConsumer {
    let consumer: BaseConsumer = consumer(options);
    // Groups are joined inside poll.
    while tally.is_empty() {
        poll(&consumer, tally);
    }
    // SAFETY: the queue and its messages belong to the consumer, which outlives them; each message
    // is read before it is given back, once.
    unsafe {
        let queue = c::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        let mut messages = vec![std::ptr::null_mut(); BATCH];
        while !tally.is_full() {
            let got = c::rd_kafka_consume_batch_queue(queue, 100, messages.as_mut_ptr(), BATCH);
            for &message in &messages[..usize::try_from(got).unwrap_or(0)] {
                assert_eq!((*message).err as i32, 0, "a message and no event");
                let value = std::slice::from_raw_parts((*message).payload.cast(), (*message).len);
                tally.add(value);
                c::rd_kafka_message_destroy(message);
            }
        }
        c::rd_kafka_queue_destroy(queue);
    }
    consumer
}

fn stream(options: &Options, tally: &mut Tally) {
    options.runtime().block_on(async {
        let consumer: StreamConsumer = consumer(options);
        while !tally.is_full() {
            let message = consumer.recv().await.expect("a message");
            tally.add(message.payload().unwrap_or_default());
        }
        finish(&consumer);
    });
}

fn finish<X: rdkafka::consumer::ConsumerContext + ClientContext>(consumer: &impl Consumer<X>) {
    consumer.commit_consumer_state(CommitMode::Sync).expect("a commit");
}

fn main() {
    let options = Options::parse();
    let mut tally = Tally::new(options.records);
    match options.api.as_str() {
        "batches" => finish(&batches(&options, &mut tally)),
        "stream" => stream(&options, &mut tally),
        "poll" => {
            let consumer: BaseConsumer = consumer(&options);
            while !tally.is_full() {
                poll(&consumer, &mut tally);
            }
            finish(&consumer);
        }
        other => panic!("rdkafka has no --api {other}: batches, stream or poll"),
    }
    tally.print(&format!("rdkafka {}{}", options.api, if options.tuned { " tuned" } else { "" }));
    // Leaving a group takes seconds that are not measured.
    std::process::exit(0);
}
