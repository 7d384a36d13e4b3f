//! What flows? Records at an even pace, round the partitions, each with a value that nobody else
//! has: the partition and its number.

use std::time::{Duration, Instant};

use forebay::config::ClientKind;
use forebay::{Producer, ProducerRecord, Receipt};

use super::Scene;
use crate::command::connect;
use crate::error::CliError;

/// Between two looks at the time.
const TICK: Duration = Duration::from_millis(10);

/// Writes all records in the time that they are to take; says how many were acknowledged.
pub(super) async fn write(scene: &Scene<'_>) -> Result<u64, CliError> {
    let producer = Producer::builder()
        .properties(&connect::settings(&scene.servers, ClientKind::Producer)?)
        .client_id("producer")
        .build()?;
    let (records, time) = (scene.options.records, scene.options.time());
    let (began, mut sent, mut value) = (Instant::now(), 0, String::new());
    let mut last: Option<Receipt> = None;
    while sent < records {
        let due = due(records, time, began.elapsed());
        for index in sent..due {
            last = Some(send(scene, &producer, (index, &mut value)).await?);
        }
        sent = due;
        if let Some(Err(error)) = last.as_ref().and_then(Receipt::result) {
            return Err(error.into());
        }
        tokio::time::sleep(TICK).await;
    }
    producer.flush().await?;
    producer.close(scene.around.shared.drain_timeout).await?;
    Ok(sent)
}

async fn send(
    scene: &Scene<'_>,
    producer: &Producer,
    (index, value): (u64, &mut String),
) -> Result<Receipt, CliError> {
    let count = u64::from(scene.options.partitions);
    let (partition, number) = (index % count, index / count);
    fill(value, scene.options.record_size, (partition, number));
    let record = ProducerRecord::new(scene.stage.topic.as_str(), value.as_bytes())
        .partition(i32::try_from(partition).unwrap_or(0));
    Ok(producer.send(record).await?)
}

/// How many records are to be sent by now.
fn due(records: u64, time: Duration, elapsed: Duration) -> u64 {
    let due = u128::from(records) * elapsed.as_nanos() / time.as_nanos().max(1);
    u64::try_from(due).unwrap_or(u64::MAX).min(records)
}

/// `000…key:seq`, of this size at least.
fn fill(value: &mut String, size: u32, (key, seq): (u64, u64)) {
    let number = format!(":{seq}");
    let width = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(number.len());
    value.clear();
    value.push_str(&format!("{key:0>width$}"));
    value.push_str(&number);
}

#[cfg(test)]
mod tests {
    use forebay_proxy::value_of;

    use super::*;

    #[test]
    fn values_have_their_size_and_name_their_place() {
        for (size, place) in [(16, (0, 0)), (100, (7, 123_456)), (16, (u64::MAX, u64::MAX))] {
            let mut value = "something older".to_owned();
            fill(&mut value, size, place);
            assert!(size as usize <= value.len(), "{value}");
            assert_eq!(value_of(value.as_bytes()), Some(place));
        }
    }

    #[test]
    fn records_are_due_evenly_and_no_more_than_there_are() {
        let (time, second) = (Duration::from_secs(10), Duration::from_secs(1));
        assert_eq!(due(1_000, time, second * 5), 500);
        assert_eq!(due(1_000, time, second * 50), 1_000);
        assert_eq!(due(u64::MAX, time, Duration::ZERO), 0);
    }
}
