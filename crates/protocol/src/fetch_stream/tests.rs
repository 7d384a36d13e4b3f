//! Responses written by another implementation, fed in pieces.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction as Aborted, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint as Node, PartitionData,
};
use kafka_protocol::messages::{BrokerId as KpBrokerId, FetchResponse};
use kafka_protocol::protocol::Encodable;
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

use super::*;
use crate::types::{BrokerId, LeaderEpoch, Position};

mod oracle;

/// What a response says, whatever the pieces in which it came.
#[derive(Debug, Default, PartialEq)]
struct Said {
    head: ResponseHead,
    partitions: Vec<Partition>,
    end: ResponseEnd,
}

#[derive(Debug, PartialEq)]
struct Partition {
    head: PartitionHead,
    batches: Vec<(Bytes, BatchHead)>,
    corrupt: Vec<RecordsError>,
    tail: PartitionTail,
}

/// Feeds `body` in pieces of the given sizes (again and again), but never less than asked for.
fn read(version: i16, body: &[u8], pieces: &[usize]) -> Result<Said, StreamError> {
    let mut stream = FetchStream::new(version, body.len())?;
    let mut pieces = pieces.iter().cycle();
    let (mut buf, mut rest, mut said) = (BytesMut::new(), body, Said::default());
    loop {
        match stream.next(&mut buf)? {
            Event::NeedMore { at_least } => {
                assert!(at_least > buf.len(), "asks for what is there");
                assert!(!rest.is_empty(), "asks for bytes behind the end");
                let (piece, later) = rest.split_at((*pieces.next().unwrap()).clamp(1, rest.len()));
                buf.extend_from_slice(piece);
                rest = later;
            }
            Event::ResponseHead(head) => said.head = head,
            Event::PartitionHead(head) => said.partitions.push(Partition {
                head,
                batches: Vec::new(),
                corrupt: Vec::new(),
                tail: PartitionTail::default(),
            }),
            Event::Batches(cut) => note_batches(&mut said, &cut, stream.heads()),
            Event::Corrupt(error) => said.partitions.last_mut().unwrap().corrupt.push(error),
            Event::PartitionTail(tail) => said.partitions.last_mut().unwrap().tail = tail,
            Event::ResponseEnd(end) => {
                assert!(buf.is_empty() && rest.is_empty() && stream.is_done());
                said.end = end;
                return Ok(said);
            }
        }
    }
}

fn note_batches(said: &mut Said, cut: &CutBatches, heads: &[BatchHead]) {
    assert_eq!(heads.iter().map(|head| head.size).sum::<usize>(), cut.bytes.len());
    assert_eq!(cut.base_offset, heads[0].base_offset());
    assert_eq!(cut.next, heads[heads.len() - 1].next);
    let batches = &mut said.partitions.last_mut().unwrap().batches;
    for head in heads {
        batches.push((cut.bytes.slice(head.range()), BatchHead { start: 0, ..*head }));
    }
}

fn batch(base: i64, count: usize, value: usize) -> Bytes {
    let records: Vec<_> = (0..count as i64)
        .map(|at| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 3,
            producer_id: 7,
            producer_epoch: 1,
            timestamp_type: TimestampType::Creation,
            offset: base + at,
            sequence: at as i32,
            timestamp: 1_700_000_000_000 + at,
            key: None,
            value: Some(vec![b'v'; value].into()),
            headers: Default::default(),
        })
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("encode");
    bytes.freeze()
}

fn records(batches: usize, cut_off: usize) -> Bytes {
    let mut bytes = BytesMut::new();
    for at in 0..batches {
        bytes.extend_from_slice(&batch(at as i64 * 10, 3, 10 + at * 7));
    }
    bytes.truncate(bytes.len().saturating_sub(cut_off));
    bytes.freeze()
}

fn partition(index: i32, version: i16, records: Option<Bytes>) -> PartitionData {
    let mut data = PartitionData::default()
        .with_partition_index(index)
        .with_high_watermark(1_000 + i64::from(index))
        .with_last_stable_offset(900)
        .with_records(records);
    let aborted = Aborted::default().with_producer_id(4.into()).with_first_offset(20);
    data.aborted_transactions = (index % 2 == 0).then(|| vec![aborted.clone(), aborted]);
    if version >= 5 {
        data.log_start_offset = 17;
    }
    if version >= 11 {
        data.preferred_read_replica = KpBrokerId(index - 1);
    }
    if version >= 12 && index % 3 == 1 {
        let leader = LeaderIdAndEpoch::default().with_leader_id(KpBrokerId(2)).with_leader_epoch(9);
        data.current_leader = leader;
        data.diverging_epoch = EpochEndOffset::default().with_epoch(4).with_end_offset(55);
        data.unknown_tagged_fields.insert(40, Bytes::from_static(b"later"));
    }
    data
}

fn response(version: i16, sections: &[Option<Bytes>]) -> FetchResponse {
    let partitions = sections.iter().enumerate();
    let partitions: Vec<_> = partitions
        .map(|(index, records)| partition(index as i32, version, records.clone()))
        .collect();
    let mut topic = FetchableTopicResponse::default().with_partitions(partitions);
    if version <= 12 {
        topic.topic = kafka_protocol::messages::TopicName("orders".to_owned().into());
    }
    let mut response = FetchResponse::default()
        .with_throttle_time_ms(12)
        .with_responses(vec![topic.clone(), topic.with_partitions(Vec::new())]);
    if version >= 7 {
        response.session_id = 77;
    }
    if version >= 16 {
        let node = Node::default().with_node_id(KpBrokerId(2)).with_host("b2".to_owned().into());
        response.node_endpoints = vec![node.with_port(9092)];
    }
    response
}

fn encode(version: i16, response: &FetchResponse) -> Bytes {
    let mut bytes = BytesMut::new();
    response.encode(&mut bytes, version).expect("encode");
    bytes.freeze()
}

/// What the other implementation wrote must be what was said.
fn compare(version: i16, written: &FetchResponse, said: &Said) {
    assert_eq!(said.head.throttle_ms, written.throttle_time_ms);
    assert_eq!(said.head.session_id, written.session_id);
    let partitions: Vec<_> = written.responses.iter().flat_map(|topic| &topic.partitions).collect();
    assert_eq!(said.partitions.len(), partitions.len());
    for (said, written) in said.partitions.iter().zip(partitions) {
        compare_partition(version, written, said);
    }
    assert_eq!(said.end.node_endpoints.len(), written.node_endpoints.len());
}

fn compare_partition(version: i16, written: &PartitionData, said: &Partition) {
    let head = &said.head;
    assert_eq!(head.partition, written.partition_index);
    assert_eq!(head.high_watermark.0, written.high_watermark);
    assert_eq!(head.last_stable_offset.0, written.last_stable_offset);
    assert_eq!(head.log_start_offset.0, written.log_start_offset);
    assert_eq!(head.preferred_read_replica.0, written.preferred_read_replica.0);
    assert_eq!(
        matches!(&head.topic, Topic::Name(name) if name.as_str() == "orders"),
        version <= 12
    );
    let aborted = written.aborted_transactions.as_deref().unwrap_or_default();
    assert_eq!(head.aborted_transactions.len(), aborted.len());
    for (said, written) in head.aborted_transactions.iter().zip(aborted) {
        assert_eq!(said.producer_id, written.producer_id.0);
        assert_eq!(said.first_offset.0, written.first_offset);
    }
    let records = written.records.clone().unwrap_or_default();
    let whole: Vec<u8> = said.batches.iter().flat_map(|(bytes, _)| bytes.to_vec()).collect();
    assert!(records.starts_with(&whole));
    assert_eq!(said.tail.partial.is_some(), records.len() > whole.len());
    if version >= 12 && written.partition_index % 3 == 1 {
        let leader = LeaderHint { leader: BrokerId(2), epoch: LeaderEpoch(9) };
        assert_eq!(said.tail.current_leader, Some(leader));
        let diverging = DivergingEpoch { epoch: LeaderEpoch(4), end_offset: Position(55) };
        assert_eq!(said.tail.diverging_epoch, Some(diverging));
    } else {
        assert_eq!((said.tail.current_leader, said.tail.diverging_epoch), (None, None));
    }
}

#[test]
fn every_version_is_read_as_written_byte_by_byte_and_whole() {
    let sections = [Some(records(4, 0)), None, Some(records(2, 5)), Some(Bytes::new())];
    for version in VERSIONS {
        let written = response(version, &sections);
        let body = encode(version, &written);
        let whole = read(version, &body, &[body.len()]).expect("whole");
        compare(version, &written, &whole);
        assert_eq!(read(version, &body, &[1]).expect("byte by byte"), whole, "v{version}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_split_of_the_same_bytes_says_the_same(
        version in 4_i16..=18,
        sections in prop::collection::vec(prop::option::of((0_usize..6, 0_usize..200)), 0..5),
        pieces in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let sections: Vec<_> = sections
            .into_iter()
            .map(|section| section.map(|(batches, cut_off)| records(batches, cut_off)))
            .collect();
        let written = response(version, &sections);
        let body = encode(version, &written);
        let whole = read(version, &body, &[body.len()]).expect("whole");
        compare(version, &written, &whole);
        prop_assert_eq!(read(version, &body, &pieces).expect("pieces"), whole);
    }

    #[test]
    fn bytes_that_are_no_response_end_in_an_error_and_never_panic(
        version in 4_i16..=18,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        pieces in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let written = response(version, &[Some(records(3, 0)), None, Some(records(2, 5))]);
        let mut body = encode(version, &written).to_vec();
        for (at, byte) in flips {
            let at = at.index(body.len());
            body[at] ^= byte;
        }
        let whole = read(version, &body, &[body.len()]);
        prop_assert_eq!(read(version, &body, &pieces), whole);
    }
}

#[test]
fn a_batch_larger_than_the_buffer_asks_for_all_of_it_at_once() {
    let section = batch(0, 1, 1_000);
    let body = encode(11, &response(11, &[Some(section.clone())]));
    let mut stream = FetchStream::new(11, body.len()).expect("version");
    let mut buf = BytesMut::from(&body[..]);
    let front = body.len() - section.len() + 100;
    let mut rest = buf.split_off(front);
    let asked = loop {
        if let Event::NeedMore { at_least } = stream.next(&mut buf).expect("good") {
            break at_least;
        }
    };
    assert_eq!(asked, section.len());
    buf.put(rest.split_to(rest.len()));
    assert!(matches!(stream.next(&mut buf), Ok(Event::Batches(cut)) if cut.bytes == section));
}

#[test]
fn a_corrupt_batch_header_ends_its_partition_and_not_the_response() {
    let mut section = records(3, 0).to_vec();
    let second = batch(0, 3, 10).len();
    section[second + 16] = 9;
    let sections = [Some(section.into()), Some(records(1, 0))];
    let body = encode(12, &response(12, &sections));
    for pieces in [&[1][..], &[body.len()]] {
        let said = read(12, &body, pieces).expect("goes on");
        assert_eq!(said.partitions[0].batches.len(), 1);
        assert_eq!(said.partitions[0].corrupt.len(), 1);
        assert_eq!(said.partitions[1].batches.len(), 1);
    }
}

#[test]
fn records_that_are_not_wanted_are_skipped_by_length() {
    let body = encode(12, &response(12, &[Some(records(3, 0)), Some(records(2, 0))]));
    let mut stream = FetchStream::new(12, body.len()).expect("version");
    let mut buf = BytesMut::from(&body[..]);
    let mut batches = Vec::new();
    loop {
        match stream.next(&mut buf).expect("good") {
            Event::PartitionHead(head) if head.partition == 0 => stream.skip_records(),
            Event::Batches(_) => batches.push(stream.heads().len()),
            Event::ResponseEnd(_) => break,
            Event::NeedMore { .. } => panic!("all is there"),
            _ => {}
        }
    }
    assert_eq!(batches, [2]);
}

#[test]
fn a_batch_that_steps_back_is_corrupt() {
    let mut section = BytesMut::from(&batch(50, 3, 10)[..]);
    section.extend_from_slice(&batch(52, 3, 10));
    let body = encode(11, &response(11, &[Some(section.freeze())]));
    let said = read(11, &body, &[64]).expect("goes on");
    assert!(matches!(
        said.partitions[0].corrupt[..],
        [RecordsError::Batch {
            base_offset: 52,
            fault: crate::records::error::BatchFault::NotForward { expected: 53 },
        }]
    ));
}
