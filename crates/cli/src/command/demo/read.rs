//! Reads the topic with workers and commits, every record through an async handler.

use std::sync::Arc;
use std::time::Duration;

use forebay::config::ClientKind;
use forebay::{Consumer, ConsumerHandle, Context, OffsetReset, Record, Stats, Summary};

use super::check::Check;
use super::{Options, Stage};
use crate::command::watch::{Look, Watch};
use crate::command::{Surroundings, connect, leftovers};
use crate::error::CliError;
use crate::meter::{Meter, Used};
use crate::progress::Progress;

/// When nothing has come for so long, nothing more will: the verdict says what is missing.
const SILENCE: Duration = Duration::from_secs(15);

/// What reading took and how it ended.
pub(super) struct Reading {
    /// Time up to the last record; processor time up to the end, without a broker in this process.
    pub(super) used: Used,
    pub(super) stats: Stats,
    pub(super) summary: Arc<Summary>,
}

/// Reads until all has come, nothing comes any more, or the user wants an end, which is `None`.
pub(super) async fn read(
    options: &Options,
    stage: &Stage,
    check: &'static Check,
    around: &Surroundings,
) -> Result<Option<Reading>, CliError> {
    let (meter, broker) = (Meter::start(), stage.broker_cpu().await);
    let consumer = Consumer::builder()
        .properties(&connect::settings(&stage.servers, ClientKind::Consumer)?)
        .group_id(stage.group.as_str())
        .assign(stage.partitions.iter().cloned())
        .auto_offset_reset(OffsetReset::Earliest)
        .workers(options.workers())
        .budget_bytes(options.budget_bytes)
        .drain_timeout(around.shared.drain_timeout)
        .build()?;
    let handle = consumer.handle();
    let handler = async |record: Record, _: Context| check.record(&record);
    drop(tokio::spawn(consumer.run(handler)));
    connect::started(&handle, &stage.servers, &stage.partitions).await?;
    let is_interrupted = tokio::select! {
        () = watch(options.records, check, &handle) => false,
        () = around.stop.requested() => true,
    };
    let (wall, stats) = (meter.used().wall, handle.stats().await);
    let summary = handle.close(around.shared.drain_timeout).await;
    leftovers::tell(&summary);
    if let Some(cause) = &summary.cause {
        return Err(cause.clone().into());
    }
    if is_interrupted {
        return Ok(None);
    }
    let used = meter.used();
    let broker = stage.broker_cpu().await.saturating_sub(broker);
    let used = Used { wall, cpu: used.cpu.saturating_sub(broker) };
    Ok(Some(Reading { used, stats: stats?, summary }))
}

/// Shows progress until all has come, nothing comes any more, or the consumer has ended.
async fn watch(records: u64, check: &Check, handle: &ConsumerHandle) {
    let mut progress = Progress::new("reading", records);
    let mut watch = Watch::new(records);
    while let Look::Again(pause) = watch.look(check.unique())
        && watch.idle() < SILENCE
    {
        progress.at(watch.seen());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _summary = handle.ended() => return,
        }
    }
}
