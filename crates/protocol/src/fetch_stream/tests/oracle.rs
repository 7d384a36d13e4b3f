//! The generated `FetchResponse` is the oracle: what it reads is what the stream must say.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{Said, read, records};
use crate::fetch_stream::*;
use crate::messages::fetch_response as generated;
use crate::types::Uuid;
use crate::wire::{Message, Reader, Writer};

fn encode(version: i16, response: &generated::FetchResponse) -> Bytes {
    let mut writer = Writer::with_capacity(64);
    response.encode(&mut writer, version).expect("encode");
    writer.into_bytes()
}

/// What the oracle reads; bytes left over are an error for it too.
fn decode(version: i16, body: &Bytes) -> Option<generated::FetchResponse> {
    let mut reader = Reader::new(body.clone());
    let response = generated::FetchResponse::decode(&mut reader, version).ok()?;
    (reader.remaining() == 0).then_some(response)
}

fn partition(version: i16) -> impl Strategy<Value = generated::PartitionData> {
    let aborted = (any::<i64>(), any::<i64>());
    let section = (0_usize..5, 0_usize..150);
    let since = move |from: i16, value: i32, default: i32| {
        if version >= from { value } else { default }
    };
    (
        any::<[i32; 4]>(),
        any::<[i64; 4]>(),
        any::<i16>(),
        prop::option::of(prop::collection::vec(aborted, 0..4)),
        prop::option::of(section),
        any::<[bool; 3]>(),
    )
        .prop_map(move |(ints, longs, error_code, aborted, section, tags)| {
            let [index, leader, epoch, replica] = ints;
            let tag = |at: usize| tags[at] && version >= 12;
            let mut data = generated::PartitionData {
                partition_index: index,
                error_code,
                high_watermark: longs[0],
                last_stable_offset: longs[1],
                log_start_offset: if version >= 5 { longs[2] } else { -1 },
                preferred_read_replica: since(11, replica, -1),
                records: section.map(|(batches, cut_off)| records(batches, cut_off)),
                ..generated::PartitionData::default()
            };
            data.aborted_transactions = aborted.map(|list| {
                let entry = |(producer_id, first_offset)| generated::AbortedTransaction {
                    producer_id,
                    first_offset,
                };
                list.into_iter().map(entry).collect()
            });
            if tag(0) {
                data.diverging_epoch = generated::EpochEndOffset { epoch, end_offset: longs[3] };
            }
            if tag(1) {
                let leader = generated::LeaderIdAndEpoch { leader_id: leader, leader_epoch: epoch };
                data.current_leader = leader;
            }
            if tag(2) {
                data.snapshot_id = generated::SnapshotId { epoch, end_offset: longs[3] };
            }
            data
        })
}

fn response(version: i16) -> impl Strategy<Value = (i16, generated::FetchResponse)> {
    let topic = (any::<[u8; 16]>(), prop::collection::vec(partition(version), 0..4));
    let node = (any::<i32>(), "[a-z]{0,9}", any::<i32>(), prop::option::of("[a-z]{0,9}"));
    let topics = prop::collection::vec(topic, 0..4);
    let nodes = prop::collection::vec(node, 0..3);
    (any::<[i32; 2]>(), any::<i16>(), topics, nodes).prop_map(
        move |(ints, error, topics, nodes)| {
            let responses = topics.into_iter().map(|(id, partitions)| {
                let mut topic =
                    generated::FetchableTopicResponse { partitions, ..Default::default() };
                if version >= 13 {
                    topic.topic_id = Uuid(id);
                } else {
                    topic.topic = format!("topic-{}", id[0]).into();
                }
                topic
            });
            let nodes =
                nodes.into_iter().map(|(node_id, host, port, rack)| generated::NodeEndpoint {
                    node_id,
                    host: host.into(),
                    port,
                    rack: rack.map(Into::into),
                });
            let response = generated::FetchResponse {
                throttle_time_ms: ints[0],
                error_code: if version >= 7 { error } else { 0 },
                session_id: if version >= 7 { ints[1] } else { 0 },
                responses: responses.collect(),
                node_endpoints: if version >= 16 { nodes.collect() } else { Vec::new() },
            };
            (version, response)
        },
    )
}

/// The same as the oracle would have it, the records aside: those it does not look into.
fn same(said: &Said, oracle: &generated::FetchResponse) {
    assert_eq!(said.head.throttle_ms, oracle.throttle_time_ms);
    assert_eq!(said.head.error_code, oracle.error_code);
    assert_eq!(said.head.session_id, oracle.session_id);
    let partitions = oracle
        .responses
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |it| (topic, it)));
    let partitions: Vec<_> = partitions.collect();
    assert_eq!(said.partitions.len(), partitions.len());
    for (said, (topic, oracle)) in said.partitions.iter().zip(partitions) {
        match &said.head.topic {
            Topic::Name(name) => assert_eq!(name.as_str(), topic.topic.as_str()),
            Topic::Id(id) => assert_eq!(*id, topic.topic_id),
        }
        same_head(&said.head, oracle);
        same_tail(&said.tail, oracle);
        let whole: Vec<u8> = said.batches.iter().flat_map(|(bytes, _)| bytes.to_vec()).collect();
        assert!(oracle.records.clone().unwrap_or_default().starts_with(&whole));
    }
    let nodes = said.end.node_endpoints.iter().map(|node| generated::NodeEndpoint {
        node_id: node.broker.0,
        host: node.host.clone().into(),
        port: node.port,
        rack: node.rack.clone().map(Into::into),
    });
    assert_eq!(nodes.collect::<Vec<_>>(), oracle.node_endpoints);
}

fn same_head(said: &PartitionHead, oracle: &generated::PartitionData) {
    assert_eq!(said.partition, oracle.partition_index);
    assert_eq!(said.error_code, oracle.error_code);
    assert_eq!(said.high_watermark.0, oracle.high_watermark);
    assert_eq!(said.last_stable_offset.0, oracle.last_stable_offset);
    assert_eq!(said.log_start_offset.0, oracle.log_start_offset);
    assert_eq!(said.preferred_read_replica.0, oracle.preferred_read_replica);
    assert_eq!(said.records_len, oracle.records.as_ref().map_or(0, Bytes::len));
    let aborted: Vec<_> = said
        .aborted_transactions
        .iter()
        .map(|aborted| generated::AbortedTransaction {
            producer_id: aborted.producer_id,
            first_offset: aborted.first_offset.0,
        })
        .collect();
    assert_eq!(&aborted, oracle.aborted_transactions.as_deref().unwrap_or_default());
}

fn same_tail(said: &PartitionTail, oracle: &generated::PartitionData) {
    let leader = said
        .current_leader
        .map(|it| generated::LeaderIdAndEpoch { leader_id: it.leader.0, leader_epoch: it.epoch.0 });
    assert_eq!(leader.unwrap_or_default(), oracle.current_leader);
    let diverging = said
        .diverging_epoch
        .map(|it| generated::EpochEndOffset { epoch: it.epoch.0, end_offset: it.end_offset.0 });
    assert_eq!(diverging.unwrap_or_default(), oracle.diverging_epoch);
    let snapshot = said
        .snapshot_id
        .map(|it| generated::SnapshotId { epoch: it.epoch.0, end_offset: it.end_offset.0 });
    assert_eq!(snapshot.unwrap_or_default(), oracle.snapshot_id);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_split_says_what_the_generated_reader_reads(
        (version, response) in VERSIONS.prop_flat_map(response),
        pieces in prop::collection::vec(1_usize..400, 1..20),
    ) {
        let body = encode(version, &response);
        let oracle = decode(version, &body).expect("the oracle reads what it wrote");
        let whole = read(version, &body, &[body.len()]).expect("whole");
        same(&whole, &oracle);
        prop_assert_eq!(read(version, &body, &pieces).expect("pieces"), whole);
    }

    #[test]
    fn broken_responses_are_refused_by_both_or_by_none(
        (version, response) in VERSIONS.prop_flat_map(response),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        pieces in prop::collection::vec(1_usize..400, 1..20),
    ) {
        let mut body = encode(version, &response).to_vec();
        for (at, byte) in flips {
            let at = at.index(body.len());
            body[at] ^= byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let body = Bytes::from(body);
        let said = read(version, &body, &pieces);
        match decode(version, &body) {
            Some(oracle) => same(&said.expect("the oracle reads it"), &oracle),
            None => prop_assert!(said.is_err(), "the oracle refuses it"),
        }
    }
}

#[test]
fn what_is_allocated_is_bounded_by_what_arrived() {
    // Counts and lengths of billions in a few bytes, in a body that claims to be large.
    for (version, byte) in VERSIONS.flat_map(|it| [0x7f, 0xff, 0x0f, 0x01].map(|byte| (it, byte))) {
        let body = [byte; 64];
        let used = allocation_counter::measure(|| {
            let mut stream = FetchStream::new(version, usize::MAX / 4).expect("version");
            let mut buf = BytesMut::from(&body[..]);
            while stream.next(&mut buf).is_ok_and(|it| !matches!(it, Event::NeedMore { .. })) {}
        });
        assert!(used.bytes_total <= 64 * 64 + 65_536, "v{version}: {}", used.bytes_total);
    }
}
