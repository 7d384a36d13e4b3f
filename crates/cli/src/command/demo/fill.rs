//! Fills the topic through our own producer, round its partitions.

use std::time::Duration;

use forebay::config::ClientKind;
use forebay::{Producer, ProducerRecord, Receipt};

use super::pattern::{Pattern, Place};
use super::{Options, Stage};
use crate::command::{Surroundings, connect};
use crate::error::CliError;
use crate::meter::{Meter, Used};
use crate::progress::Progress;

/// Records between two looks at signals, progress and failures.
const STRETCH: u64 = 8192;
/// A producer that is no longer wanted has this long to let go.
const CLOSE: Duration = Duration::from_secs(1);

/// What filling took. `None`: the user wanted an end.
pub(super) async fn fill(
    options: &Options,
    stage: &Stage,
    pattern: &Pattern,
    around: &Surroundings,
) -> Result<Option<Used>, CliError> {
    let (meter, broker) = (Meter::start(), stage.broker_cpu().await);
    let limit = usize::try_from(options.record_size).unwrap_or(usize::MAX).max(1 << 20);
    let producer = Producer::builder()
        .properties(&connect::settings(&stage.servers, ClientKind::Producer)?)
        .max_request_size(limit)
        .build()?;
    let mut progress = Progress::new("filling", options.records);
    let mut writer = Writer { producer: &producer, options, stage, pattern, value: Vec::new() };
    let mut last: Option<Receipt> = None;
    let mut sent = 0;
    while sent < options.records {
        let stretch = sent..options.records.min(sent + STRETCH);
        sent = stretch.end;
        tokio::select! {
            written = writer.write(stretch) => {
                // The batch before has failed, or it will be told when all is flushed.
                if let Some(Err(error)) = last.as_ref().and_then(Receipt::result) {
                    return Err(error.into());
                }
                last = written?;
            }
            () = around.stop.requested() => {
                drop(producer.close(CLOSE).await);
                return Ok(None);
            }
        }
        progress.at(sent);
    }
    producer.flush().await?;
    let used = meter.used();
    let broker = stage.broker_cpu().await.saturating_sub(broker);
    Ok(Some(Used { cpu: used.cpu.saturating_sub(broker), ..used }))
}

struct Writer<'a> {
    producer: &'a Producer,
    options: &'a Options,
    stage: &'a Stage,
    pattern: &'a Pattern,
    value: Vec<u8>,
}

impl Writer<'_> {
    /// Sends the records of a stretch; the receipt is the last one's.
    async fn write(
        &mut self,
        stretch: std::ops::Range<u64>,
    ) -> Result<Option<Receipt>, forebay::Error> {
        let count = u64::from(self.options.partitions);
        let mut receipt = None;
        for index in stretch {
            let number = index % count;
            let partition = u32::try_from(number).unwrap_or(0);
            self.pattern.write(Place { partition, sequence: index / count }, &mut self.value);
            let record = ProducerRecord::new(self.stage.topic.as_str(), &self.value)
                .partition(i32::try_from(number).unwrap_or(0));
            receipt = Some(self.producer.send(record).await?);
        }
        Ok(receipt)
    }
}
