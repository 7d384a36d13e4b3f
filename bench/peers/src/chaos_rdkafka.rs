//! A member of the group of `cargo xtask chaos --client rdkafka`: a `StreamConsumer` that writes
//! down what it does, as our members do. One record after another; offsets are stored when a record
//! is done and committed every 500 ms.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use forebay_histcheck::{Notebook, What};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientConfig, Message};

/// As a member of ours is told.
#[derive(Debug, Parser)]
struct Options {
    #[arg(long)]
    bootstrap: String,
    #[arg(long)]
    name: String,
    #[arg(long)]
    history: PathBuf,
    #[arg(long)]
    sharing: String,
    #[arg(long)]
    order: String,
    #[arg(long)]
    slowness: u64,
}

fn consumer(options: &Options) -> StreamConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap)
        .set("broker.address.family", "v4")
        .set("client.id", &options.name)
        .set("group.id", "chaos")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "500")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("check.crcs", "true")
        .set("socket.timeout.ms", "4000")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "10000");
    if options.sharing == "consumer" {
        config.set("group.protocol", "consumer");
    } else {
        config
            .set("partition.assignment.strategy", &options.sharing)
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "500");
    }
    config.create().expect("a consumer")
}

fn value_of(message: &BorrowedMessage<'_>) -> (u64, u64) {
    let text = std::str::from_utf8(message.payload().unwrap_or_default()).unwrap_or_default();
    let (key, seq) = text.split_once(':').unwrap_or_default();
    (key.parse().unwrap_or(u64::MAX), seq.parse().unwrap_or(u64::MAX))
}

async fn handle(options: &Options, notes: &Notebook, message: &BorrowedMessage<'_>) {
    let (member, tp) = (options.name.clone(), format!("t-{}", message.partition()));
    let (offset, (key, seq)) = (message.offset(), value_of(message));
    let started = What::Started { member: member.clone(), tp: tp.clone(), offset, key, seq };
    notes.note(started).expect("the history");
    let part = key.wrapping_mul(31).wrapping_add(seq.wrapping_mul(17)) % 100;
    tokio::time::sleep(Duration::from_micros(options.slowness * part * part / 10)).await;
    notes.note(What::Done { member, tp, offset }).expect("the history");
}

async fn run(options: Options) {
    let notes = Notebook::open(&options.history).expect("the history");
    let consumer = consumer(&options);
    consumer.subscribe(&["t"]).expect("a subscription");
    let (leave, mut asked) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _rest = std::io::read_to_string(std::io::stdin());
        let _gone = leave.send(());
    });
    loop {
        let received = tokio::select! {
            _ = &mut asked => break,
            received = consumer.recv() => received,
        };
        match received {
            Ok(message) => {
                handle(&options, &notes, &message).await;
                if let Err(error) = consumer.store_offset_from_message(&message) {
                    eprintln!("{error}");
                }
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    // Dropped it commits what is stored, and leaves.
    drop(consumer);
}

fn main() {
    let options = Options::parse();
    eprintln!("{}, order {}", options.sharing, options.order);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(run(options));
}
