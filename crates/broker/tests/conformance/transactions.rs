//! Questions about transactions.

use bytes::Bytes;
use forebay_broker::{BatchBuilder, Head, Marker};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest,
    GroupId, InitProducerIdRequest, OffsetFetchRequest, TransactionalId, TxnOffsetCommitRequest,
};

use crate::fetch::fetch_of;
use crate::produce::produce_to;
use crate::side::{Side, TIME, name, text};

/// Who writes: transactional id, producer id and epoch.
#[derive(Clone, Debug)]
struct Writer {
    name: TransactionalId,
    id: i64,
    epoch: i16,
}

fn init(id: &str, timeout: i32) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(id))))
        .with_transaction_timeout_ms(timeout)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
}

impl Writer {
    fn add(&self, topic: &str, partitions: Vec<i32>) -> AddPartitionsToTxnRequest {
        let topic =
            AddPartitionsToTxnTopic::default().with_name(name(topic)).with_partitions(partitions);
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.name.clone())
            .with_v3_and_below_producer_id(self.id.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic])
    }

    fn end(&self, marker: Marker) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(self.name.clone())
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(marker == Marker::Commit)
    }

    fn batch(&self, sequence: i32) -> Bytes {
        let batch = BatchBuilder::at_time(TIME).producer(self.id, self.epoch, sequence);
        batch.transactional().record(Some(b"k"), Some(b"of a transaction")).build()
    }
}

pub(crate) fn transactions(side: &mut Side) {
    // Asking for the first coordinator of a transaction creates the topic that it needs.
    let find = FindCoordinatorRequest::default().with_key(text("x")).with_key_type(1);
    side.until(1, &find, |answer| answer.error_code == 0);
    side.until(0, &init("x", 60_000), |answer| answer.error_code == 0);
    side.note("transactional id", 4, &init("x", 60_000));
    side.note("transactional id with a timeout of an age", 4, &init("y", i32::MAX));
    side.note("transactional id without a timeout", 4, &init("y", 0));
    let began = side.quietly(0, &init("x", 60_000)).expect("a producer id");
    let (id, epoch) = (began.producer_id.0, began.producer_epoch);
    let writer = Writer { name: TransactionalId(text("x")), id, epoch };
    let old = Writer { epoch: epoch - 1, ..writer.clone() };
    let stranger = Writer { id: id + 1_000, ..writer.clone() };
    let nobody = Writer { name: TransactionalId(text("nobody")), id, epoch };

    side.note("end of nothing", 3, &writer.end(Marker::Commit));
    side.note("partition of an old epoch", 3, &old.add("x", vec![0]));
    side.note("partition of a stranger", 3, &stranger.add("x", vec![0]));
    side.note("partition of nobody", 3, &nobody.add("x", vec![0]));
    side.note("partition that is not", 3, &writer.add("x", vec![0, 7]));
    side.note("partition of no topic", 3, &writer.add("nope", vec![0]));
    let write = |writer: &Writer, sequence| {
        produce_to("x", 0, Some(writer.batch(sequence)), -1)
            .with_transactional_id(Some(writer.name.clone()))
    };
    side.note("write before the partition is added", 9, &write(&writer, 0));
    side.note("partition", 3, &writer.add("x", vec![0]));
    side.note("partition again", 3, &writer.add("x", vec![0]));
    side.note("write", 9, &write(&writer, 0));
    side.note("write again", 9, &write(&writer, 0));
    side.note("write with a gap", 9, &write(&writer, 5));
    side.note("write of an old epoch", 9, &write(&old, 1));
    fetched(side, "fetch of what is open");
    let offsets = AddOffsetsToTxnRequest::default()
        .with_transactional_id(writer.name.clone())
        .with_producer_id(id.into())
        .with_producer_epoch(epoch)
        .with_group_id(GroupId(text("g")));
    side.note("offsets of a transaction", 3, &offsets);
    side.note("end of an old epoch", 3, &old.end(Marker::Commit));
    side.note("end by a stranger", 3, &stranger.end(Marker::Commit));
    side.note("abort", 3, &writer.end(Marker::Abort));
    side.rest(500);
    side.note("abort again", 3, &writer.end(Marker::Abort));
    side.note("commit after the abort", 3, &writer.end(Marker::Commit));
    fetched(side, "fetch of what was aborted");
    side.until(3, &writer.add("x", vec![0]), is_added);
    side.note("write after the abort", 9, &write(&writer, 1));
    side.note("commit", 3, &writer.end(Marker::Commit));
    side.rest(500);
    fetched(side, "fetch of what was committed");
    side.note("transactional id anew", 4, &init("x", 60_000));
    side.note("write of one that is fenced", 9, &write(&writer, 2));
    side.note("partition of one that is fenced", 3, &writer.add("x", vec![0]));
}

fn is_added(answer: &kafka_protocol::messages::AddPartitionsToTxnResponse) -> bool {
    let topics = answer.results_by_topic_v3_and_below.iter();
    topics.flat_map(|topic| &topic.results_by_partition).all(|row| row.partition_error_code == 0)
}

/// What a reader of committed records gets: ends, aborted transactions, and of each batch its
/// offset, flags and count. Ids and times in their bytes differ from run to run.
fn fetched(side: &mut Side, what: &str) {
    let request = fetch_of(&[("x", 0, 0)]).with_isolation_level(1);
    let answer = side.quietly(12, &request).expect("an answer");
    let row = &answer.responses[0].partitions[0];
    let aborted = row.aborted_transactions.iter().flatten().map(|one| one.first_offset);
    let mut rest = row.records.clone().unwrap_or_default();
    let mut batches = Vec::new();
    while let Some(head) = Head::read(&rest) {
        batches.push((head.base_offset, head.attributes, head.record_count));
        rest = rest.slice(head.size().expect("a length").min(rest.len())..);
    }
    let line = format!(
        "code {}, ends {} {}, aborted from {:?}, batches {batches:?}",
        row.error_code,
        row.high_watermark,
        row.last_stable_offset,
        aborted.collect::<Vec<_>>(),
    );
    side.lines.push((what.to_owned(), line));
}

/// Questions about offsets that count when a transaction commits.
pub(crate) fn offsets(side: &mut Side) {
    let began = side.quietly(0, &init("o", 60_000)).expect("a producer id");
    let (id, epoch) = (began.producer_id.0, began.producer_epoch);
    let writer = Writer { name: TransactionalId(text("o")), id, epoch };
    let stranger = Writer { id: id + 1_000, ..writer.clone() };
    let next = Writer { epoch: epoch + 1, ..writer.clone() };
    side.note("offsets before the group is added", 3, &writer.offsets("og", 0));
    side.until(3, &writer.group("og"), |answer| answer.error_code == 0);
    side.note("offsets in a transaction", 3, &writer.offsets("og", 0));
    side.note("offsets in a transaction, v2", 2, &writer.offsets("og", 1));
    side.note("offsets of no partition", 3, &writer.offsets("og", 7));
    side.note("offsets of a stranger", 3, &stranger.offsets("og", 0));
    side.note("offsets of an epoch to come", 3, &next.offsets("og", 0));
    let with = |change: fn(TxnOffsetCommitRequest) -> TxnOffsetCommitRequest| {
        change(writer.offsets("og", 0))
    };
    side.note("offsets for a group without a name", 3, &writer.offsets("", 0));
    side.note("offsets as a member", 3, &with(|it| it.with_member_id(text("nobody"))));
    side.note("offsets in a generation", 3, &with(|it| it.with_generation_id(3)));
    side.note(
        "offsets as a member in a generation",
        3,
        &with(|it| it.with_member_id(text("nobody")).with_generation_id(3)),
    );
    side.note("offsets as an instance", 3, &with(|it| it.with_group_instance_id(Some(text("i")))));
    side.note("offsets with a long story", 3, &writer.told("og", &"m".repeat(5_000)));
    let committed = |stable| {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(name("m"))
            .with_partition_indexes(vec![0, 1]);
        OffsetFetchRequest::default()
            .with_group_id(GroupId(text("og")))
            .with_topics(Some(vec![topic]))
            .with_require_stable(stable)
    };
    side.note("committed, if stable", 7, &committed(true));
    side.note("committed, stable or not", 6, &committed(false));
    side.note("commit of offsets", 3, &writer.end(Marker::Commit));
    side.rest(500);
    side.note("committed by the transaction", 7, &committed(true));
}

impl Writer {
    fn group(&self, group: &str) -> AddOffsetsToTxnRequest {
        AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.name.clone())
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_group_id(GroupId(text(group)))
    }

    fn offsets(&self, group: &str, partition: i32) -> TxnOffsetCommitRequest {
        self.offset(group, partition, "")
    }

    fn told(&self, group: &str, metadata: &str) -> TxnOffsetCommitRequest {
        self.offset(group, 0, metadata)
    }

    fn offset(&self, group: &str, partition: i32, metadata: &str) -> TxnOffsetCommitRequest {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(4)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text(metadata)));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(name("m"))
            .with_partitions(vec![partition]);
        TxnOffsetCommitRequest::default()
            .with_transactional_id(self.name.clone())
            .with_group_id(GroupId(text(group)))
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_topics(vec![topic])
    }
}
