//! A partition whose records take long holds up no other partition, and pins no memory of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay::{ConsumerHandle, Context, Order, Position, Record, Stats, Summary, TopicPartition};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "slow-partition",
    promise: "a partition whose records take long costs the others a tenth of their speed at most, \
              and pins at most a quarter more memory than it holds",
    tell: |stage| Box::pin(tell(stage)),
};

const PARTITIONS: i32 = 50;
/// The one whose records take long.
const SLOW: i32 = 0;
/// What each of them takes.
const SLOW_TIME: Duration = Duration::from_secs(1);
/// What a record of another takes: the speed is then that of handlers, as far as fetching keeps up,
/// and not that of a machine that does other things too.
const FAST_TIME: Duration = Duration::from_millis(5);
/// Batches of the slow partition: more than its share of the budget.
const SLOW_BATCHES: u32 = 500;
/// Batches of every other one, which is read from its start again at its end.
const FAST_BATCHES: u32 = 32;
/// Records of a batch, of 1 KB each.
const BATCH: u32 = 16;
const BUDGET_BYTES: usize = 32 << 20;
/// What one lane reads into under this budget: pinned by nobody.
const CHUNK_BYTES: u64 = 1 << 20;
/// Pairs of readers of which the median counts.
const ROUNDS: usize = 3;

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("slow", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let producer = ours::producer(topic, Codec::None).batch_size(16 << 10);
    ours::produce_by(producer, topic, (0..SLOW_BATCHES).flat_map(round)).await?;
    speed(stage, topic).await?;
    memory(stage, topic).await
}

/// Two readers at the same time, which share whatever else the machine does: one of them has the
/// slow partition.
async fn speed(stage: &Stage, topic: Topic<'_>) -> Result<(), Ending> {
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let with = Reader::start(stage, topic, (SLOW_TIME, FAST_TIME))?;
        let without = Reader::start(stage, topic, (FAST_TIME, FAST_TIME))?;
        while with.done() == 0 || without.done() == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        let before = (with.done(), without.done());
        sleep(Duration::from_millis(1500)).await;
        let done = (with.done() - before.0, without.done() - before.1);
        ratios.push(done.0 as f64 / done.1.max(1) as f64);
        with.end().await?;
        without.end().await?;
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ROUNDS / 2).copied().unwrap_or_default();
    expect((0.9 <= median).into(), || {
        format!("beside a slow partition the others have {ratios:.2?} of their speed")
    })
}

/// Once the others have nothing left, only what the slow partition holds may be in memory.
async fn memory(stage: &Stage, topic: Topic<'_>) -> Result<(), Ending> {
    let reader = Reader::start(stage, topic, (SLOW_TIME, Duration::ZERO))?;
    sleep(Duration::from_millis(1500)).await;
    reader.is_last_lap.store(true, Ordering::Relaxed);
    let mut stats = reader.handle.stats().await?;
    for _ in 0..100 {
        stats = reader.handle.stats().await?;
        // What the handler had when it began is let go of with its record.
        if held(&stats, 1..) == 0 && pinned(&stats) * 4 <= held(&stats, 0..) * 5 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    reader.end().await?;
    let (pinned, slow, others) = (pinned(&stats), held(&stats, ..1), held(&stats, 1..));
    let all_read = others == 0 && 0 < slow;
    expect(all_read.into(), || format!("{others} bytes of the fast partitions still wait"))?;
    expect((pinned * 4 <= slow * 5).into(), || {
        format!("{pinned} bytes are pinned, {slow} are held: more than 1.25 times as many")
    })
}

/// Bytes of memory that hold fetched records, whether or not somebody still wants them.
fn pinned(stats: &Stats) -> u64 {
    stats.held_bytes.saturating_sub(stats.reserved_bytes).saturating_sub(CHUNK_BYTES)
}

/// Bytes of these partitions' batches that wait or are in work.
fn held(stats: &Stats, which: impl std::ops::RangeBounds<i32>) -> u64 {
    let partitions = stats.partitions.iter().filter(|it| which.contains(&it.tp.partition));
    partitions.map(|it| it.buffered_bytes + it.open_bytes).sum()
}

/// A consumer of all partitions, whose handler takes so long over a record of the slow one and of
/// the others. It reads the others again and again.
struct Reader {
    handle: ConsumerHandle,
    /// Records of the others that are done.
    done: Arc<AtomicU64>,
    is_last_lap: Arc<AtomicBool>,
    run: JoinHandle<Result<Summary, forebay::Error>>,
}

impl Reader {
    fn start(
        stage: &Stage,
        topic: Topic<'_>,
        (slow, fast): (Duration, Duration),
    ) -> Result<Self, Ending> {
        let consumer = ours::consumer(topic, PARTITIONS, &stage.name("group"))
            .order(Order::Partition)
            .budget_bytes(BUDGET_BYTES)
            .build()?;
        let (handle, done) = (consumer.handle(), Arc::new(AtomicU64::new(0)));
        let is_last_lap = Arc::new(AtomicBool::new(false));
        let (counted, again) = (Arc::clone(&done), handle.clone());
        let ends = Arc::clone(&is_last_lap);
        let run = tokio::spawn(consumer.run(move |record: Record, _context: Context| {
            let is_slow = record.partition() == SLOW;
            let is_end = record.offset().0 + 1 == i64::from(FAST_BATCHES * BATCH);
            let goes_on = is_end && !is_slow && !ends.load(Ordering::Relaxed);
            let again = goes_on.then(|| (again.clone(), record.topic_partition().clone()));
            let (counted, time) = (Arc::clone(&counted), if is_slow { slow } else { fast });
            async move {
                if !time.is_zero() {
                    sleep(time).await;
                }
                counted.fetch_add(u64::from(!is_slow), Ordering::Relaxed);
                if let Some((handle, tp)) = again {
                    tokio::spawn(rewind(handle, tp));
                }
            }
        }));
        Ok(Self { handle, done, is_last_lap, run })
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn end(self) -> Result<(), Ending> {
        self.handle.shutdown(Duration::from_millis(500));
        self.run.await.map_err(|fault| Ending::Broken(fault.to_string()))??;
        Ok(())
    }
}

/// Fails only when the reader ends, and then nothing is lost.
async fn rewind(handle: ConsumerHandle, tp: TopicPartition) {
    drop(handle.seek(tp, Position(0)).await);
}

/// One batch of each partition that has so many.
fn round(number: u32) -> impl Iterator<Item = Fresh> {
    let partitions = if number < FAST_BATCHES { PARTITIONS } else { SLOW + 1 };
    (0..partitions).flat_map(|partition| {
        (0..BATCH).map(move |i| Fresh {
            partition: Some(partition),
            key: None,
            value: Some(format!("{i:0990}").into_bytes()),
            headers: Vec::new(),
        })
    })
}
