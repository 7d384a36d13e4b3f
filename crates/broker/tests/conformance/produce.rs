//! Questions about batches and sequences.

use bytes::{Bytes, BytesMut};
use forebay_broker::{BatchBuilder, Marker};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};

use crate::side::{Side, TIME, name, text};

pub(crate) fn produce_to(
    topic: &str,
    partition: i32,
    records: Option<Bytes>,
    acks: i16,
) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(acks)
        .with_timeout_ms(5_000)
        .with_topic_data(vec![topic])
}

fn batch(time: i64, records: i32) -> BatchBuilder {
    (0..records)
        .fold(BatchBuilder::at_time(time), |batch, _| batch.record(Some(b"k"), Some(b"value")))
}

pub(crate) fn produce(side: &mut Side) {
    let time = TIME;
    let good = batch(time, 2).build();
    let mut flipped = BytesMut::from(good.as_ref());
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    let mut old = BytesMut::from(good.as_ref());
    if let Some(magic) = old.get_mut(16) {
        *magic = 1;
    }
    let two = [good.as_ref(), good.as_ref()].concat();
    let large = BatchBuilder::at_time(time).record(Some(b"k"), Some(&[7; 3_000])).build();
    let cases = [
        ("produce", "t", 0, Some(good.clone()), -1),
        ("produce more", "t", 0, Some(batch(time, 3).build()), 1),
        ("produce a flipped bit", "t", 0, Some(flipped.freeze()), -1),
        ("produce an old format", "t", 0, Some(old.freeze()), -1),
        ("produce two batches", "t", 0, Some(two.into()), -1),
        ("produce nothing", "t", 0, Some(Bytes::new()), -1),
        ("produce half", "t", 0, Some(good.slice(..40)), -1),
        ("produce no records", "t", 0, Some(BatchBuilder::at_time(time).build()), -1),
        ("produce too much", "t", 0, Some(large), -1),
        (
            "produce with a hole",
            "c",
            0,
            Some(batch(time, 1).hole(2).record(Some(b"k"), None).build()),
            -1,
        ),
        ("produce a marker", "t", 0, Some(BatchBuilder::marker(time, (1, 0), Marker::Abort)), -1),
        ("produce with acks 2", "t", 0, Some(good.clone()), 2),
        ("produce to no partition", "t", 7, Some(good.clone()), -1),
        ("produce to no topic", "nope", 0, Some(good), -1),
        (
            "produce without key",
            "c",
            0,
            Some(BatchBuilder::at_time(time).record(None, Some(b"v")).build()),
            -1,
        ),
    ];
    for (what, topic, partition, records, acks) in cases {
        side.note(what, 9, &produce_to(topic, partition, records, acks));
    }
}

pub(crate) fn sequences(side: &mut Side) {
    let time = TIME;
    let init = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(5000);
    let init = init.with_producer_id((-1).into()).with_producer_epoch(-1);
    // A fresh broker needs a moment for its first producer.
    side.until(1, &init, |answer| answer.error_code == 0);
    side.note("producer id", 4, &init);
    // Any id will do, and the same one keeps the records alike.
    let id = 4_242;
    let steps = [
        ("sequence 0", 0, 0),
        ("sequence 1", 0, 1),
        ("sequence 1 again", 0, 1),
        ("sequence 5", 0, 5),
        ("epoch 1 from 3", 1, 3),
        ("epoch 1 from 0", 1, 0),
        ("epoch 0 again", 0, 2),
    ];
    for (what, epoch, sequence) in steps {
        let records = batch(time, 1).producer(id, epoch, sequence).build();
        side.note(what, 9, &produce_to("t", 1, Some(records), -1));
    }
    let records = batch(time, 1).producer(id + 1_000, 0, 9).build();
    side.note("unknown producer from 9", 9, &produce_to("t", 1, Some(records), -1));
    side.note("empty transactional id", 4, &init.with_transactional_id(Some(text("").into())));
}
