//! Which writes were acknowledged, and where do they lie?

use std::collections::BTreeMap;
use std::io;

use forebay_histcheck::What;
use forebay_protocol::messages::{ProduceRequest, ProduceResponse};
use forebay_protocol::records::batch::Batches;
use forebay_protocol::records::codec::{Decompressor, Scratch};
use forebay_protocol::records::record::Records;

use super::topics::Topics;
use super::{About, Ledger};

/// The most that a batch may unpack to: 16 MiB.
const UNPACKED_MOST: usize = 16 << 20;

/// Key and number of each record, by partition, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    by_partition: BTreeMap<String, Vec<(u64, u64)>>,
}

/// The key and the number that a value names, as `key:seq`.
#[must_use]
pub fn value_of(value: &[u8]) -> Option<(u64, u64)> {
    let (key, seq) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some((key.parse().ok()?, seq.parse().ok()?))
}

pub(crate) fn of(request: &ProduceRequest, topics: &Topics) -> About {
    if request.acks == 0 {
        return About::NoAnswer;
    }
    let mut written = Written::default();
    for topic in &request.topic_data {
        for partition in &topic.partition_data {
            let tp = topics.tp((topic.name.as_str(), topic.topic_id), partition.index);
            let records = partition.records.as_deref().unwrap_or_default();
            written.by_partition.insert(tp, values(records));
        }
    }
    About::Writes(written)
}

/// What cannot be read ends the list: the broker will refuse it.
fn values(records: &[u8]) -> Vec<(u64, u64)> {
    let (mut decompressor, mut scratch) = (Decompressor::new(), Scratch::default());
    let mut values = Vec::new();
    for batch in Batches::new(records) {
        let Ok(batch) = batch else { break };
        let section = batch.unpack(&mut decompressor, UNPACKED_MOST, &mut scratch);
        let Ok(section) = section else { break };
        for record in Records::new(batch.header(), section) {
            let Ok(record) = record else { return values };
            let value = record.value.and_then(value_of);
            values.push(value.unwrap_or((u64::MAX, u64::MAX)));
        }
    }
    values
}

impl Written {
    pub(crate) fn acked(
        &self,
        answer: &ProduceResponse,
        (ledger, topics): (&dyn Ledger, &Topics),
    ) -> io::Result<()> {
        for topic in &answer.responses {
            for partition in &topic.partition_responses {
                let tp = topics.tp((topic.name.as_str(), topic.topic_id), partition.index);
                let is_there = partition.error_code == 0 && 0 <= partition.base_offset;
                let Some(values) = self.by_partition.get(&tp).filter(|_| is_there) else {
                    continue;
                };
                for (offset, (key, seq)) in (partition.base_offset..).zip(values) {
                    let (tp, key, seq) = (tp.clone(), *key, *seq);
                    ledger.note(What::Acked { tp, offset, key, seq })?;
                }
            }
        }
        Ok(())
    }
}
