//! A partition whose records take long holds up no other partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use forebay::{Context, Order, Record};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story};

pub(crate) const STORY: Story = Story {
    name: "slow-partition",
    promise: "a partition whose records take long holds up no other",
    tell: |stage| Box::pin(tell(stage)),
};

const PARTITIONS: i32 = 8;
/// Per partition, of 1 KB each: more than the budget in total.
const RECORDS: u32 = 8_000;
const BUDGET_BYTES: usize = 32 << 20;
/// What a record of partition 0 takes; all of them would take minutes.
const SLOW: Duration = Duration::from_millis(100);
/// What the fast partitions may take; alone they take a second.
const FAST_TIME_MAX: Duration = Duration::from_secs(15);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("slow", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    ours::produce(topic, Codec::None, (0..RECORDS).flat_map(one_each)).await?;

    let fast_total = RECORDS * (PARTITIONS.unsigned_abs() - 1);
    let consumer = ours::consumer(topic, PARTITIONS, &stage.name("group"))
        .order(Order::Partition)
        .budget_bytes(BUDGET_BYTES)
        .build()?;
    let (handle, fast) = (consumer.handle(), Arc::new(AtomicU32::new(0)));
    let (counted, closer) = (Arc::clone(&fast), handle.clone());
    let handler = move |record: Record, _context: Context| {
        let (counted, closer) = (Arc::clone(&counted), closer.clone());
        async move {
            if record.partition() == 0 {
                tokio::time::sleep(SLOW).await;
            } else if counted.fetch_add(1, Ordering::Relaxed) + 1 == fast_total {
                closer.shutdown(Duration::from_secs(5));
            }
        }
    };
    let late = tokio::spawn(async move {
        tokio::time::sleep(FAST_TIME_MAX).await;
        let stats = handle.stats().await;
        handle.shutdown(Duration::from_secs(1));
        stats
    });
    consumer.run(handler).await?;
    let fast = fast.load(Ordering::Relaxed);
    if fast == fast_total {
        late.abort();
        return Ok(());
    }
    let stats = late.await.map_err(|fault| Ending::Broken(fault.to_string()))?;
    Err(Ending::Broken(format!("{fast} of {fast_total} fast records in time; {stats:?}")))
}

/// Record i of each partition.
fn one_each(i: u32) -> impl Iterator<Item = Fresh> {
    (0..PARTITIONS).map(move |partition| Fresh {
        partition: Some(partition),
        key: None,
        value: Some(format!("{i:01000}").into_bytes()),
        headers: Vec::new(),
    })
}
