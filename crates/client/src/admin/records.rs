//! Deleting records from the beginning of logs.

use std::collections::BTreeMap;

use forebay_protocol::messages as m;
use forebay_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use forebay_protocol::types::{Offset, TopicPartition};

use super::route::{outcome, topics_of};
use super::{Admin, BROKER_TIMEOUT_MS, Each};
use crate::error::Error;

/// Up to where records are deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeleteBefore {
    /// Everything below this offset.
    Offset(Offset),
    /// Everything that consumers can see now.
    End,
}

impl Admin {
    /// Deletes records from the beginning of partitions; returns each one's first offset that is
    /// left.
    ///
    /// # Errors
    ///
    /// For each partition [`Error::Broker`] with Kafka's reason: `OFFSET_OUT_OF_RANGE` beyond the
    /// end, `POLICY_VIOLATION` for compacted topics. [`Error::Timeout`].
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, DeleteBefore>,
    ) -> Result<Each<TopicPartition, Offset>, Error> {
        let make = |partitions: &[TopicPartition]| request(partitions, before);
        let attempt = |partitions: Vec<TopicPartition>| async move {
            self.ask_leaders(&partitions, (make, 0), |answer| read(&answer)).await
        };
        self.each("deleting records", before.keys().cloned(), attempt).await
    }
}

fn request(
    partitions: &[TopicPartition],
    before: &BTreeMap<TopicPartition, DeleteBefore>,
) -> m::DeleteRecordsRequest {
    let topics = topics_of(partitions).into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|partition_index| {
            let tp = TopicPartition::new(topic.clone(), partition_index);
            let offset = match before.get(&tp) {
                Some(DeleteBefore::Offset(offset)) => offset.0,
                Some(DeleteBefore::End) => -1,
                // Nothing is below the first offset.
                None => 0,
            };
            DeleteRecordsPartition { partition_index, offset }
        });
        DeleteRecordsTopic { name: topic.as_str().into(), partitions: partitions.collect() }
    });
    m::DeleteRecordsRequest { topics: topics.collect(), timeout_ms: BROKER_TIMEOUT_MS }
}

fn read(answer: &m::DeleteRecordsResponse) -> Each<TopicPartition, Offset> {
    let results = answer.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|it| {
            let tp = TopicPartition::new(topic.name.as_str(), it.partition_index);
            let deleted = outcome("DeleteRecords", &tp, it.error_code, None);
            (tp, deleted.map(|()| Offset(it.low_watermark)))
        })
    });
    results.collect()
}
