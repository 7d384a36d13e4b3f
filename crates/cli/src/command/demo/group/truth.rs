//! What is true in the end? What the log holds, read past the group and the proxy, and what is
//! committed, as the brokers tell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use forebay::admin::OffsetSpec;
use forebay::config::ClientKind;
use forebay::{Consumer, Context, OffsetReset, Record, TopicPartition};
use forebay_histcheck::What;
use forebay_proxy::value_of;

use super::{CATCH_UP, LOOK, Scene};
use crate::command::connect;
use crate::command::demo::Stage;
use crate::error::CliError;

/// Partition, offset, key and number.
type Found = Arc<Mutex<Vec<(i32, i64, u64, u64)>>>;

/// Whether the group has committed everything that there is.
pub(super) async fn is_all_committed(stage: &Stage) -> Result<bool, CliError> {
    let (ends, committed) = positions(stage).await?;
    Ok(ends.iter().all(|(tp, end)| committed.get(tp).copied().unwrap_or(0) == *end))
}

type Positions = BTreeMap<TopicPartition, i64>;

async fn positions(stage: &Stage) -> Result<(Positions, Positions), CliError> {
    let ends = stage.admin.list_offsets(&stage.partitions, OffsetSpec::Latest).await?;
    let ends = ends.into_iter().map(|(tp, end)| end.map(|end| (tp, end.offset.0)));
    let ends = ends.collect::<Result<_, _>>()?;
    let committed = stage.admin.committed_offsets(&stage.group, &stage.partitions).await?;
    let committed = committed.into_iter().map(|(tp, it)| (tp, it.position.0)).collect();
    Ok((ends, committed))
}

/// Tells the judge; says how many records there are.
pub(super) async fn tell(scene: &Scene<'_>) -> Result<u64, CliError> {
    let (ends, committed) = positions(scene.stage).await?;
    let all = usize::try_from(ends.values().sum::<i64>()).unwrap_or(0);
    let mut found = read(scene, all).await?;
    found.sort_unstable();
    let name = |partition: i32| format!("{}-{partition}", scene.stage.topic);
    for (partition, offset, key, seq) in &found {
        let (tp, offset, key, seq) = (name(*partition), *offset, *key, *seq);
        scene.judge.hear(What::Truth { tp, offset, key, seq });
    }
    for (tp, end) in &ends {
        let committed = committed.get(tp).copied().unwrap_or(0);
        scene.judge.hear(What::Final { tp: name(tp.partition), committed, end: *end });
    }
    Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
}

/// Reads the whole topic, as somebody who is in no group.
async fn read(scene: &Scene<'_>, all: usize) -> Result<Vec<(i32, i64, u64, u64)>, CliError> {
    let stage = scene.stage;
    let consumer = Consumer::builder()
        .properties(&connect::settings(&stage.servers, ClientKind::Consumer)?)
        .group_id(format!("{}-truth", stage.group))
        .assign(stage.partitions.iter().cloned())
        .auto_offset_reset(OffsetReset::Earliest)
        .budget_bytes(scene.options.budget_bytes)
        .build()?;
    let (handle, found) = (consumer.handle(), Found::default());
    let noting = Arc::clone(&found);
    drop(tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let value = record.value().and_then(value_of).unwrap_or((u64::MAX, u64::MAX));
        lock(&noting).push((record.partition(), record.offset().0, value.0, value.1));
        std::future::ready(())
    })));
    let until = std::time::Instant::now() + CATCH_UP;
    while lock(&found).len() < all && std::time::Instant::now() < until {
        tokio::time::sleep(LOOK).await;
    }
    let summary = handle.close(scene.around.shared.drain_timeout).await;
    if let Some(cause) = &summary.cause {
        return Err(cause.clone().into());
    }
    let found = std::mem::take(&mut *lock(&found));
    Ok(found)
}

fn lock(found: &Found) -> std::sync::MutexGuard<'_, Vec<(i32, i64, u64, u64)>> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}
