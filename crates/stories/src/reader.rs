//! What does a consumer read, and how does it end? A reader keeps both for stories to look at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forebay::{
    Consumer, ConsumerBuilder, ConsumerHandle, Context, Holds, Record, Summary, TopicPartition,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::ours::Seen;
use crate::story::Ending;

/// A consumer at work.
pub(crate) struct Reader {
    pub(crate) handle: ConsumerHandle,
    seen: Arc<Mutex<Vec<Seen>>>,
    run: JoinHandle<()>,
}

impl Reader {
    pub(crate) fn start(builder: ConsumerBuilder) -> Result<Self, Ending> {
        let consumer: Consumer = builder.build()?;
        let (handle, seen) = (consumer.handle(), Arc::default());
        let keep: Arc<Mutex<Vec<Seen>>> = Arc::clone(&seen);
        let run = tokio::spawn(async move {
            let handler = move |record: Record, _: Context| {
                keep.lock().unwrap_or_else(PoisonError::into_inner).push(Seen::of(&record));
                std::future::ready(())
            };
            // How it ended is told by the handle.
            drop(consumer.run(handler).await);
        });
        Ok(Self { handle, seen, run })
    }

    /// What was read so far, in the order of the handler's runs.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The offsets of a partition that were read so far.
    pub(crate) fn offsets(&self, partition: i32) -> Vec<i64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|it| it.partition == partition).map(|it| it.offset).collect()
    }

    /// Waits until `holds`; says what was waited for when it does not come.
    pub(crate) async fn until(
        &self,
        what: &str,
        within: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<(), Ending> {
        let began = Instant::now();
        while !holds(self) {
            if within < began.elapsed() {
                let (count, stats) = (self.seen().len(), self.handle.stats().await);
                let text = format!("not within {within:?}: {what}; {count} records, {stats:?}");
                return Err(Ending::Broken(text));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until an error has stopped the partition.
    pub(crate) async fn until_stopped(&self, tp: &TopicPartition) -> Result<(), Ending> {
        for _ in 0..500 {
            let stats = self.handle.stats().await?;
            let found = stats.partitions.iter().find(|it| it.tp == *tp);
            if found.is_some_and(|it| it.held_by == Holds::Stopped) {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Ending::Broken(format!("{tp} did not stop within ten seconds")))
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&self, within: Duration) -> Result<Arc<Summary>, Ending> {
        let ended = tokio::time::timeout(within, self.handle.ended()).await;
        ended.map_err(|_| Ending::Broken(format!("the consumer did not end within {within:?}")))
    }

    /// Ends it in good order.
    pub(crate) async fn close(self) -> Result<(Vec<Seen>, Arc<Summary>), Ending> {
        let summary = self.handle.close(Duration::from_secs(5)).await;
        self.run.await.map_err(|fault| Ending::Broken(fault.to_string()))?;
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((seen, summary))
    }
}
