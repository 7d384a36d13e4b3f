//! Who writes, in a process of its own: numbered records of a few keys to every partition, each to
//! be acknowledged by all replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay::{Error, Producer, ProducerConfig, ProducerRecord, Receipt};
use forebay_histcheck::{Notebook, What};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::cluster::{PARTITIONS, TOPIC, hurried};
use crate::fault::Fault;
use crate::options::WriterOptions;

/// Keys of one partition.
const KEYS: u64 = 5;
/// At the end, for what is on its way.
const LAST: Duration = Duration::from_secs(90);
/// Between two looks at how many are owed.
const PAUSE_MS: u64 = 10;

/// Writes until its input ends; whether the fate of every record is known.
pub(crate) async fn play(options: &WriterOptions) -> Result<bool, Fault> {
    crate::group::die_with_parent();
    let notes = Notebook::open(&options.history).map_err(Fault::file(&options.history))?;
    let notes = Arc::new(notes);
    let client = hurried(&options.bootstrap, "writer").map_err(Fault::client("a producer"))?;
    let config = ProducerConfig { client, ..ProducerConfig::default() };
    let producer = Producer::builder().config(config).build();
    let producer = producer.map_err(Fault::client("a producer"))?;
    let is_over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&is_over);
    std::thread::spawn(move || {
        drop(std::io::read_to_string(std::io::stdin()));
        end.store(true, Ordering::Relaxed);
    });
    let mut open = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(PAUSE_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut owed, mut number) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        tick.tick().await;
        owed += u64::from(options.rate) * PAUSE_MS;
        while 1000 <= owed {
            owed -= 1000;
            let (receipt, value) = send(&producer, number).await?;
            open.spawn(follow(receipt, value, Arc::clone(&notes)));
            number += 1;
        }
        while open.try_join_next().is_some() {}
    }
    if let Err(error) = producer.close(LAST).await {
        // Some may have been written: what is there is read from the log.
        eprintln!("the last acks: {error}");
    }
    let told = tokio::time::timeout(LAST, open.join_all()).await;
    println!("{number}");
    Ok(told.is_ok())
}

async fn send(producer: &Producer, number: u64) -> Result<(Receipt, (u64, u64)), Fault> {
    let partitions = u64::try_from(PARTITIONS).unwrap_or(1);
    let (partition, round) = (number % partitions, number / partitions);
    let (key, seq) = (partition * KEYS + round % KEYS, round / KEYS);
    let (name, value) = (key.to_string(), format!("{key}:{seq}"));
    let record = ProducerRecord::new(TOPIC, value.as_bytes()).key(name.as_bytes());
    let record = record.partition(i32::try_from(partition).unwrap_or(0));
    let sent = producer.send(record).await.map_err(Fault::client("writing"))?;
    Ok((sent, (key, seq)))
}

/// What is acknowledged is seen on the wire; that a write failed only the writer knows.
async fn follow(receipt: Receipt, (key, seq): (u64, u64), notes: Arc<Notebook>) {
    match receipt.delivered().await {
        // It may have been written.
        Ok(_) | Err(Error::Unknown { .. } | Error::Timeout { .. }) => {}
        Err(error) => {
            eprintln!("{seq} of key {key}: {error}");
            if let Err(error) = notes.note(What::WriteFailed { key, seq }) {
                eprintln!("the history: {error}");
                std::process::exit(3);
            }
        }
    }
}
