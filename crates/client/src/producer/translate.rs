//! Kafka's messages about producing, in the words of the machine and back.

use std::collections::BTreeMap;

use bytes::Bytes;
use forebay_core::connection::Fault;
use forebay_core::orders::{Address, Leader, LeaderHint};
use forebay_core::producer::{Answer, Identity, Told};
use forebay_protocol::messages as m;
use forebay_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, TopicName, TopicPartition};

use crate::config::{Compression, ProducerConfig};
use crate::error::Error;

/// The newest `Produce` that names topics by name.
const AT_MOST: i16 = 12;
/// The first `Produce` that takes zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// The versions of `Produce` that can carry what the producer writes.
pub(super) const fn accepts(compression: Compression) -> (i16, i16) {
    match compression {
        Compression::Zstd => (ZSTD_FROM, AT_MOST),
        Compression::None | Compression::Gzip | Compression::Snappy | Compression::Lz4 => {
            (0, AT_MOST)
        }
    }
}

/// A request with one batch per partition.
pub(super) fn produce(
    config: &ProducerConfig,
    batches: Vec<(TopicPartition, Bytes)>,
) -> m::ProduceRequest {
    let mut topics: BTreeMap<TopicName, Vec<PartitionProduceData>> = BTreeMap::new();
    for (tp, records) in batches {
        let data = PartitionProduceData { index: tp.partition, records: Some(records) };
        topics.entry(tp.topic).or_default().push(data);
    }
    let topic_data = topics.into_iter().map(|(topic, partition_data)| TopicProduceData {
        name: topic.as_str().into(),
        partition_data,
        ..Default::default()
    });
    m::ProduceRequest {
        transactional_id: None,
        acks: config.acks.to_wire(),
        timeout_ms: i32::try_from(config.client.request_timeout.as_millis()).unwrap_or(i32::MAX),
        topic_data: topic_data.collect(),
    }
}

/// What became of a request, and who leads now the partitions that have moved (KIP-951).
pub(super) fn answer(answer: Result<m::ProduceResponse, Error>) -> (Answer, Hints) {
    let answer = match answer {
        Ok(response) => return (Answer::Told(told(&response)), hints(&response)),
        Err(Error::Connection {
            fault: Fault::Unwritable(_) | Fault::Unsupported { .. }, ..
        }) => Answer::NotOffered,
        // The connection ended before it was written.
        Err(Error::Timeout { .. }) => Answer::NotSent,
        Err(_) => Answer::Lost,
    };
    (answer, Vec::new())
}

/// Leaders that brokers named.
type Hints = Vec<(TopicPartition, LeaderHint)>;

fn hints(response: &m::ProduceResponse) -> Hints {
    let address = |id: i32| {
        let endpoint = response.node_endpoints.iter().find(|endpoint| endpoint.node_id == id)?;
        let port = u16::try_from(endpoint.port).ok()?;
        Some(Address { host: endpoint.host.as_str().into(), port })
    };
    let mut hints = Vec::new();
    for topic in &response.responses {
        for it in &topic.partition_responses {
            let told = &it.current_leader;
            if it.error_code == 0 || told.leader_id < 0 || told.leader_epoch < 0 {
                continue;
            }
            let leader =
                Leader { broker: BrokerId(told.leader_id), epoch: LeaderEpoch(told.leader_epoch) };
            let tp = TopicPartition::new(topic.name.as_str(), it.index);
            hints.push((tp, LeaderHint { leader, address: address(told.leader_id) }));
        }
    }
    hints
}

fn told(response: &m::ProduceResponse) -> Vec<Told> {
    let mut told = Vec::new();
    for topic in &response.responses {
        let name = TopicName::from(topic.name.as_str());
        told.extend(topic.partition_responses.iter().map(|it| Told {
            tp: TopicPartition::new(name.clone(), it.index),
            code: it.error_code,
            base_offset: Offset(it.base_offset),
        }));
    }
    told
}

/// The first `InitProducerId` that says who asks (KIP-360).
const EPOCH_FROM: i16 = 3;

/// A question for a producer id, or for the next epoch of the one we have.
pub(super) fn init_producer_id(
    version: i16,
    current: Option<Identity>,
) -> m::InitProducerIdRequest {
    let none = Identity { id: -1, epoch: -1 };
    let current = current.filter(|_| EPOCH_FROM <= version).unwrap_or(none);
    m::InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: current.id,
        producer_epoch: current.epoch,
    }
}

/// What an answer to `InitProducerId` gives.
pub(super) fn identity(response: &m::InitProducerIdResponse) -> Result<Identity, i16> {
    match response.error_code {
        0 if 0 <= response.producer_id => {
            Ok(Identity { id: response.producer_id, epoch: response.producer_epoch })
        }
        0 => Err(-1),
        code => Err(code),
    }
}
