//! What do the groups read? Records at an even pace, round the partitions of one topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forebay::admin::NewTopic;
use forebay::config::ClientConfig;
use forebay::{Admin, Producer, ProducerRecord};

use super::Options;
use crate::error::Error;

/// Between two looks at the time; also how long a batch waits.
const TICK: Duration = Duration::from_millis(2);
const VALUE: [u8; 100] = [b'x'; 100];

/// A producer on a thread of its own.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Error>>,
}

impl Load {
    /// Makes the topic and begins to write.
    pub(super) fn start(options: &Options, topic: &str) -> Result<Self, Error> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (stop, topic, options) = (Arc::clone(&is_over), topic.to_owned(), options.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::io("start a runtime"))?;
        let config = ClientConfig::from_servers(&options.live).map_err(forebay::Error::from)?;
        let new = NewTopic::new(topic.as_str(), options.partitions);
        runtime.block_on(async { Admin::new(&config)?.create_topic(&new).await })?;
        let thread = std::thread::spawn(move || runtime.block_on(write(&options, &topic, &stop)));
        Ok(Self { is_over, thread })
    }

    pub(super) fn stop(self) -> Result<(), Error> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Error::Usage("the producer's thread panicked"))?
    }
}

async fn write(options: &Options, topic: &str, stop: &AtomicBool) -> Result<(), Error> {
    let producer = Producer::builder().bootstrap_servers(&options.live).build()?;
    let (began, mut sent, mut partition) = (Instant::now(), 0_u64, 0);
    while !stop.load(Ordering::Relaxed) {
        let due = u128::from(options.rate) * began.elapsed().as_micros() / 1_000_000;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        for _ in sent..due {
            producer.send(ProducerRecord::new(topic, &VALUE).partition(partition)).await?;
            partition = (partition + 1) % options.partitions.max(1);
        }
        sent = due.max(sent);
        tokio::time::sleep(TICK).await;
    }
    producer.flush().await?;
    Ok(())
}
