//! A client without a socket: speaks to the machine through the codec of kafka-protocol.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchResponse, PartitionData};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    FetchRequest, MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::{Answer, BrokerId, Cluster, ConnectionId, Options, Output, TopicPartition};

/// One client on one connection.
pub(super) struct Talk {
    pub(super) cluster: Cluster,
    pub(super) connection: ConnectionId,
    pub(super) now: Duration,
    correlation: i32,
}

impl Talk {
    /// A cluster with one node, and a topic "t" of one partition.
    pub(super) fn start() -> Self {
        let mut talk = Self::with(Options::default());
        talk.cluster.create_topic("t", 1).unwrap();
        talk
    }

    /// A cluster without topics; the client is connected to node 1.
    pub(super) fn with(options: Options) -> Self {
        let mut cluster = Cluster::new(options);
        let connection = cluster.connect(BrokerId(1)).unwrap();
        Self { cluster, connection, now: Duration::ZERO, correlation: 0 }
    }

    /// Uses a new connection to this node from here on.
    pub(super) fn reconnect(&mut self, node: i32) {
        self.connection = self.cluster.connect(BrokerId(node)).unwrap();
    }

    /// Sends a request and returns its correlation id.
    pub(super) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.correlation += 1;
        let frame = frame(version, self.correlation, request);
        self.cluster.handle(self.now, self.connection, frame);
        self.correlation
    }

    /// Sends a request that is answered at once.
    pub(super) fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation = self.send(version, request);
        let answer = self.answer().expect("an answer at once");
        read::<R>(version, correlation, answer)
    }

    /// The next answer on this connection, if there is one.
    pub(super) fn answer(&mut self) -> Option<Bytes> {
        match self.cluster.poll_output()? {
            Output::Send { connection, answer } if connection == self.connection => {
                Some(body(&answer))
            }
            Output::Done { .. } => None,
            other @ (Output::Send { .. } | Output::Close { .. }) => {
                panic!("not an answer for this connection: {other:?}")
            }
        }
    }

    /// Lets time pass.
    pub(super) fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.cluster.handle_timeout(self.now);
    }

    /// Produces values to a partition of a topic, each its own record of one batch.
    pub(super) fn produce(&mut self, tp: &TopicPartition, values: &[&str]) -> i64 {
        let answer = self.try_produce(tp, batch(values, None));
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        answer.base_offset
    }

    /// Produces bytes as they are, with acks=all and version 9.
    pub(super) fn try_produce(
        &mut self,
        tp: &TopicPartition,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let response = self.ask(9, &produce_request(tp, records, -1));
        response.responses[0].partition_responses[0].clone()
    }

    /// A full fetch without a session, version 11: what one partition says.
    pub(super) fn fetch(&mut self, tp: &TopicPartition, offset: i64) -> PartitionData {
        let request = fetch_request(&[(tp.clone(), offset)]).with_session_epoch(-1);
        let response = self.ask(11, &request);
        response.responses[0].partitions[0].clone()
    }

    /// Names the topics of a fetch by id, as metadata tells them.
    pub(super) fn by_id(&mut self, mut request: FetchRequest) -> FetchRequest {
        let answer = self.ask(12, &MetadataRequest::default().with_topics(None));
        for topic in &mut request.topics {
            let known =
                answer.topics.iter().find(|known| known.name.as_ref() == Some(&topic.topic));
            topic.topic_id = known.unwrap().topic_id;
            topic.topic = topic_name("");
        }
        request
    }

    /// The values at and after `offset`.
    pub(super) fn values(&mut self, tp: &TopicPartition, offset: i64) -> Vec<String> {
        let data = self.fetch(tp, offset);
        assert_eq!(data.error_code, 0);
        values(&data)
    }
}

/// Partition 0 of topic "t".
pub(super) fn t0() -> TopicPartition {
    TopicPartition::new("t", 0)
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A request as a frame without its length.
pub(super) fn frame<R: Request>(version: i16, correlation: i32, request: &R) -> Bytes {
    let mut out = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(text("stranger")))
        .encode(&mut out, R::header_version(version))
        .unwrap();
    request.encode(&mut out, version).unwrap();
    out.freeze()
}

/// A frame's bytes, after comparing its length with what it says.
pub(super) fn body(answer: &Answer) -> Bytes {
    let mut bytes = answer.to_bytes();
    assert_eq!(usize::try_from(bytes.get_i32()), Ok(bytes.len()));
    bytes
}

/// Reads an answer, to its last byte.
pub(super) fn read<R: Request>(version: i16, correlation: i32, mut answer: Bytes) -> R::Response {
    let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version)).unwrap();
    assert_eq!(header.correlation_id, correlation);
    let response = R::Response::decode(&mut answer, version).unwrap();
    assert_eq!(answer.remaining(), 0, "bytes are left behind the answer");
    response
}

pub(super) fn produce_request(tp: &TopicPartition, records: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(tp.partition).with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(topic_name(tp.topic.as_str()))
        .with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1_000).with_topic_data(vec![topic])
}

/// A fetch that does not wait.
pub(super) fn fetch_request(wanted: &[(TopicPartition, i64)]) -> FetchRequest {
    let topics = wanted.iter().map(|(tp, offset)| {
        let partition = FetchPartition::default()
            .with_partition(tp.partition)
            .with_fetch_offset(*offset)
            .with_current_leader_epoch(-1)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default()
            .with_topic(topic_name(tp.topic.as_str()))
            .with_partitions(vec![partition])
    });
    FetchRequest::default().with_max_bytes(50 << 20).with_min_bytes(1).with_topics(topics.collect())
}

/// The partitions of an answer as (topic, partition, values).
pub(super) fn told(response: &FetchResponse) -> Vec<(String, i32, Vec<String>)> {
    let topics = response.responses.iter();
    let rows = topics.flat_map(|topic| {
        let name = topic.topic.to_string();
        let row = move |data: &PartitionData| (name.clone(), data.partition_index, values(data));
        topic.partitions.iter().map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

pub(super) fn values(data: &PartitionData) -> Vec<String> {
    let mut records = data.records.clone().unwrap_or_default();
    if records.is_empty() {
        return Vec::new();
    }
    let sets = RecordBatchDecoder::decode_all(&mut records).unwrap();
    let records = sets.into_iter().flat_map(|set| set.records);
    records
        .map(|record| String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap())
        .collect()
}

/// A batch of these values; with producer id, epoch and first sequence when given.
pub(super) fn batch(values: &[&str], producer: Option<(i64, i16, i32)>) -> Bytes {
    let (producer_id, producer_epoch, sequence) = producer.unwrap_or((-1, -1, -1));
    let record = |(offset, value): (i64, &&str)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset,
        // It packs those together whose sequences count up with their offsets.
        sequence: sequence.wrapping_add(i32::try_from(offset).unwrap()),
        timestamp: 1_000 + offset,
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: IndexMap::from([(text("h"), Some(Bytes::from_static(b"1")))]),
    };
    let records: Vec<_> = (0..).zip(values).map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}
