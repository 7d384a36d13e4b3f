//! A consumer reads from the replica in its rack, also while it hears nothing of the leader, and from
//! the leader when that replica is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forebay::admin::NewTopic;
use forebay::{BrokerId, ConsumerHandle, Context, Record};

use super::leader_fails::{TAKE_OVER, leader};
use crate::custody::Custody;
use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "nearest-replica",
    promise: "a consumer reads from the replica in its rack, and from the leader when that is gone",
    tell: |stage| Box::pin(tell(stage)),
};

const RECORDS: u32 = 100;

/// How often each offset was handled.
type Counts = Arc<Mutex<BTreeMap<i64, u32>>>;

async fn tell(stage: &Stage) -> Result<(), Ending> {
    if !stage.broker().names_replicas() {
        return Err(Ending::NotOffered("KIP-392: since Kafka 2.4".to_owned()));
    }
    let machines = stage.trio().await?;
    let name = stage.name("near");
    stage.create(machines, &NewTopic::new(name.as_str(), 1).replication_factor(3)).await?;
    let custody = Custody::start(machines, &name).await?;
    let written_at = Topic { bootstrap: machines.bootstrap(), name: &name };
    let leader = leader(machines, &name).await?;
    let near = BrokerId(leader.0 % 3 + 1);
    let counts = Counts::default();
    let read_at = Topic { bootstrap: custody.bootstrap(), name: &name };
    let handle = read(read_at, &stage.name("group"), (near, &counts))?;

    more(written_at, (1, &counts), "at first").await?;
    custody.block(leader);
    more(written_at, (2, &counts), "while the leader is out of reach").await?;
    custody.heal();
    machines.stop(near).await?;
    more(written_at, (3, &counts), "without the replica").await?;
    machines.restart(near).await?;
    let summary = handle.close(Duration::from_secs(30)).await;
    expect(summary.is_clean().into(), || format!("no clean end: {summary:?}"))
}

/// Reads in the rack of `near`.
fn read(
    topic: Topic<'_>,
    group: &str,
    (near, counts): (BrokerId, &Counts),
) -> Result<ConsumerHandle, Ending> {
    let consumer = ours::consumer(topic, 1, group).client_rack(format!("rack-{near}")).build()?;
    let (handle, noting) = (consumer.handle(), Arc::clone(counts));
    drop(tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let mut counts = noting.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(record.offset().0).or_default() += 1;
        std::future::ready(())
    })));
    Ok(handle)
}

/// Writes some more, and waits until all that was written so far was handled, once each.
async fn more(
    topic: Topic<'_>,
    (part, counts): (usize, &Counts),
    when: &str,
) -> Result<(), Ending> {
    let count = RECORDS as usize * part;
    ours::produce(topic, Codec::None, (0..RECORDS).map(Fresh::numbered)).await?;
    let by = Instant::now() + TAKE_OVER;
    let handled = || counts.lock().unwrap_or_else(PoisonError::into_inner).len();
    while handled() < count {
        expect((Instant::now() < by).into(), || {
            format!("{} of {count} records were read {when}", handled())
        })?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let again = counts.values().filter(|count| **count != 1).count();
    expect((again == 0).into(), || format!("{again} records came again {when}"))
}
