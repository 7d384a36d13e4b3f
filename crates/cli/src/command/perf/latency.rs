//! How long did records take? One task per partition waits for its receipts in order, so that none
//! is seen later than it was told.

use std::collections::BTreeMap;
use std::time::Instant;

use forebay::{Error, Receipt};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

type Sent = (Instant, Receipt);

/// Waits for receipts in the background.
#[derive(Debug)]
pub(super) struct Latencies {
    runtime: Handle,
    partitions: BTreeMap<i32, mpsc::UnboundedSender<Sent>>,
    tasks: Vec<JoinHandle<Result<Vec<u64>, Error>>>,
}

/// What the waiting was, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) latencies: u64,
    pub(super) latency_p50_us: u64,
    pub(super) latency_p99_us: u64,
    pub(super) latency_p999_us: u64,
    pub(super) latency_max_us: u64,
}

impl Latencies {
    pub(super) const fn new(runtime: Handle) -> Self {
        Self { runtime, partitions: BTreeMap::new(), tasks: Vec::new() }
    }

    /// A record that was due at `since`: its latency counts from then, whenever it was sent.
    pub(super) fn watch(&mut self, since: Instant, receipt: Receipt) {
        let partition = receipt.tp().partition;
        let sender = self.partitions.entry(partition).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            self.tasks.push(self.runtime.spawn(wait(receiver)));
            sender
        });
        drop(sender.send((since, receipt)));
    }

    /// The figures, when all are answered.
    ///
    /// # Errors
    ///
    /// The first record that was not stored.
    pub(super) async fn finish(self) -> Result<Percentiles, Error> {
        drop(self.partitions);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.map_err(|_| Error::Closed)??);
        }
        Ok(Percentiles::of(all))
    }
}

async fn wait(mut sent: mpsc::UnboundedReceiver<Sent>) -> Result<Vec<u64>, Error> {
    let mut micros = Vec::new();
    while let Some((since, receipt)) = sent.recv().await {
        receipt.delivered().await?;
        micros.push(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(micros)
}

impl Percentiles {
    fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let at = |thousandth: usize| {
            let rank = (micros.len() * thousandth).div_ceil(1000).saturating_sub(1);
            micros.get(rank).copied().unwrap_or(0)
        };
        Self {
            latencies: u64::try_from(micros.len()).unwrap_or(u64::MAX),
            latency_p50_us: at(500),
            latency_p99_us: at(990),
            latency_p999_us: at(999),
            latency_max_us: at(1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_least_value_that_so_many_do_not_exceed() {
        let found = Percentiles::of((1..=2000).rev().collect());
        assert_eq!((found.latency_p50_us, found.latency_p99_us), (1000, 1980));
        assert_eq!((found.latency_p999_us, found.latency_max_us), (1998, 2000));
        assert_eq!(Percentiles::of(vec![7]).latency_p50_us, 7);
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }
}
