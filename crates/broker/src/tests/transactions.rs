//! Transactions: what is open is hidden, what is aborted is listed, who is fenced stays out.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, GroupId,
    InitProducerIdRequest, OffsetFetchRequest, TransactionalId, TxnOffsetCommitRequest,
};

use super::talk::{Talk, fetch_request, produce_request, t0, text, topic_name, values};
use crate::{BatchBuilder, ErrorCode, Head, Marker};

/// A transactional producer's half.
#[derive(Clone, Copy)]
struct Producer {
    id: i64,
    epoch: i16,
    sequence: i32,
}

fn id() -> TransactionalId {
    TransactionalId(text("tx"))
}

impl Producer {
    fn init(talk: &mut Talk) -> Self {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id()))
            .with_transaction_timeout_ms(10_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let answer = talk.ask(3, &request);
        assert_eq!(answer.error_code, 0);
        Self { id: answer.producer_id.0, epoch: answer.producer_epoch, sequence: 0 }
    }

    fn add(self, talk: &mut Talk) -> ErrorCode {
        let topic =
            AddPartitionsToTxnTopic::default().with_name(topic_name("t")).with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id())
            .with_v3_and_below_producer_id(self.id.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer = talk.ask(3, &request);
        let row = &answer.results_by_topic_v3_and_below[0].results_by_partition[0];
        ErrorCode(row.partition_error_code)
    }

    fn batch(&mut self, value: &str) -> Bytes {
        self.sequence += 1;
        let batch = BatchBuilder::at_time(0).producer(self.id, self.epoch, self.sequence - 1);
        batch.transactional().record(Some(b"k"), Some(value.as_bytes())).build()
    }

    fn write(&mut self, talk: &mut Talk, value: &str) -> ErrorCode {
        let request = produce_request(&t0(), self.batch(value), -1);
        let answer = talk.ask(9, &request.with_transactional_id(Some(id())));
        ErrorCode(answer.responses[0].partition_responses[0].error_code)
    }

    fn end(self, talk: &mut Talk, marker: Marker) -> ErrorCode {
        let request = EndTxnRequest::default()
            .with_transactional_id(id())
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(marker == Marker::Commit);
        ErrorCode(talk.ask(3, &request).error_code)
    }

    /// Adds the group's offsets to the transaction and commits partition 0 at `offset`.
    fn commit_offset(self, talk: &mut Talk, offset: i64) {
        let add = AddOffsetsToTxnRequest::default()
            .with_transactional_id(id())
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_group_id(GroupId(text("g")));
        assert_eq!(talk.ask(3, &add).error_code, 0);
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_committed_offset(offset)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(None);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name("t"))
            .with_partitions(vec![partition]);
        let commit = TxnOffsetCommitRequest::default()
            .with_transactional_id(id())
            .with_group_id(GroupId(text("g")))
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        assert_eq!(talk.ask(3, &commit).topics[0].partitions[0].error_code, 0);
    }
}

/// What a reader of committed records sees: the values and the aborted transactions.
fn committed(talk: &mut Talk) -> (Vec<String>, Vec<i64>) {
    let answer = talk.ask(11, &fetch_request(&[(t0(), 0)]).with_isolation_level(1));
    let row = &answer.responses[0].partitions[0];
    let aborted = row.aborted_transactions.iter().flatten().map(|one| one.first_offset);
    (values(row), aborted.collect())
}

#[test]
fn a_transaction_is_hidden_until_it_commits() {
    let mut talk = Talk::start();
    let mut producer = Producer::init(&mut talk);
    assert_eq!(producer.add(&mut talk), ErrorCode::NONE);
    assert_eq!(producer.write(&mut talk, "a"), ErrorCode::NONE);
    assert!(committed(&mut talk).0.is_empty());
    assert_eq!(producer.end(&mut talk, Marker::Commit), ErrorCode::NONE);
    let (values, aborted) = committed(&mut talk);
    // The marker is a record too; its value is not text of ours.
    assert_eq!((values[0].as_str(), values.len(), aborted.len()), ("a", 2, 0));
    let marker = Head::read(&talk.cluster.batches(&t0(), 1)[0]).unwrap();
    assert!(marker.is_control() && marker.is_transactional());
    assert_eq!(producer.end(&mut talk, Marker::Commit), ErrorCode::NONE, "asked again");
    assert_eq!(producer.end(&mut talk, Marker::Abort), ErrorCode::INVALID_TXN_STATE);
}

#[test]
fn an_aborted_transaction_is_listed() {
    let mut talk = Talk::start();
    talk.produce(&t0(), &["plain"]);
    let mut producer = Producer::init(&mut talk);
    producer.add(&mut talk);
    producer.write(&mut talk, "a");
    assert_eq!(producer.end(&mut talk, Marker::Abort), ErrorCode::NONE);
    assert_eq!(committed(&mut talk).1, [1]);
    assert_eq!(talk.cluster.last_stable_offset(&t0()), Some(3));
}

#[test]
fn writing_outside_a_transaction_is_refused() {
    let mut talk = Talk::start();
    let mut producer = Producer::init(&mut talk);
    assert_eq!(producer.write(&mut talk, "a"), ErrorCode::INVALID_TXN_STATE);
    let mut stranger = Producer { id: 99, epoch: 0, sequence: 0 };
    assert_eq!(stranger.write(&mut talk, "a"), ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(stranger.add(&mut talk), ErrorCode::INVALID_PRODUCER_ID_MAPPING);
}

#[test]
fn a_second_producer_fences_the_first_and_aborts_what_it_left_open() {
    let mut talk = Talk::start();
    let mut first = Producer::init(&mut talk);
    first.add(&mut talk);
    first.write(&mut talk, "a");
    let second = Producer::init(&mut talk);
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 1));
    assert_eq!(committed(&mut talk).1, [0]);
    assert_eq!(first.write(&mut talk, "b"), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(first.end(&mut talk, Marker::Commit), ErrorCode::PRODUCER_FENCED);
    assert_eq!(second.add(&mut talk), ErrorCode::NONE);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let mut talk = Talk::start();
    let mut producer = Producer::init(&mut talk);
    producer.add(&mut talk);
    producer.write(&mut talk, "a");
    talk.wait(9_999);
    assert_eq!(talk.cluster.last_stable_offset(&t0()), Some(0));
    talk.wait(1);
    assert_eq!(talk.cluster.last_stable_offset(&t0()), Some(2));
    assert_eq!(producer.end(&mut talk, Marker::Commit), ErrorCode::PRODUCER_FENCED);
    assert_eq!(talk.cluster.poll_timeout(), None);
}

#[test]
fn offsets_count_when_their_transaction_commits_and_not_before() {
    let mut talk = Talk::start();
    let offset = |talk: &Talk| talk.cluster.committed("g", &t0()).map(|committed| committed.offset);
    let producer = Producer::init(&mut talk);
    producer.commit_offset(&mut talk, 7);
    assert_eq!(offset(&talk), None);
    let stable = OffsetFetchRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_require_stable(true)
        .with_topics(Some(vec![
            kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic::default()
                .with_name(topic_name("t"))
                .with_partition_indexes(vec![0]),
        ]));
    let row = talk.ask(7, &stable).topics[0].partitions[0].clone();
    assert_eq!(ErrorCode(row.error_code), ErrorCode::UNSTABLE_OFFSET_COMMIT);
    producer.end(&mut talk, Marker::Commit);
    assert_eq!(offset(&talk), Some(7));
    producer.commit_offset(&mut talk, 9);
    producer.end(&mut talk, Marker::Abort);
    assert_eq!(offset(&talk), Some(7));
}
