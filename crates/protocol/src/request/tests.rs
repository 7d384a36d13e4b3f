//! Frames of requests, byte by byte.

use super::*;
use crate::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::messages::{ApiVersionsRequest, MetadataRequest, ProduceRequest};
use crate::wire::Message;

#[test]
fn a_frame_has_length_header_and_body() {
    let request = MetadataRequest::default();
    let frame = encode(&request, 1, 7, Some(&Str::from_static("me"))).unwrap();
    assert_eq!(&frame[..], b"\0\0\0\x10\0\x03\0\x01\0\0\0\x07\0\x02me\0\0\0\0");
}

#[test]
fn a_flexible_header_keeps_the_plain_name_and_ends_in_tagged_fields() {
    let frame = encode(&MetadataRequest::default(), 9, 7, Some(&Str::from_static("me"))).unwrap();
    assert!(frame.starts_with(b"\0\0\0\x12\0\x03\0\x09\0\0\0\x07\0\x02me\0\x01"), "{frame:?}");
}

#[test]
fn a_header_comes_back_in_every_version_of_every_api() {
    for api in ApiKey::table() {
        for version in api.min..=api.max {
            let name = Some(Str::from_static("me"));
            let header = RequestHeader {
                api_key: api.key.code(),
                version,
                correlation_id: -5,
                client_id: name,
            };
            let mut writer = Writer::with_capacity(32);
            header.encode(Lengths::of(version, api.flexible_from), &mut writer).unwrap();
            let mut reader = Reader::new(writer.into_bytes());
            assert_eq!(RequestHeader::decode(&mut reader), Ok(header));
            assert_eq!(reader.remaining(), 0, "{} {version}", api.name);
        }
    }
}

/// A request of one long and one short batch.
fn produce() -> ProduceRequest {
    let records = [vec![7; 100_000], vec![8; 100]].map(|bytes| Some(Bytes::from(bytes)));
    let data = (0..).zip(records).map(|(index, records)| PartitionProduceData { index, records });
    let topic = TopicProduceData {
        name: Str::from_static("t"),
        partition_data: data.collect(),
        ..Default::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 1, topic_data: vec![topic], ..Default::default() }
}

#[test]
fn parts_are_the_frame_and_long_values_are_not_copied() {
    let request = produce();
    for version in [3, 9, 12] {
        let parts = encode_parts(&request, version, 1, None).unwrap();
        assert_eq!(parts.concat(), encode(&request, version, 1, None).unwrap());
        let records = request.topic_data[0].partition_data[0].records.as_ref().unwrap();
        assert_eq!(parts.iter().filter(|part| part.as_ptr() == records.as_ptr()).count(), 1);
        assert_eq!(parts.len(), 3);
        let length = i32::from_be_bytes(*parts[0].first_chunk().unwrap());
        let total: usize = parts.iter().map(Bytes::len).sum();
        assert_eq!(usize::try_from(length).unwrap() + 4, total);
    }
}

#[test]
fn a_header_of_a_future_version_is_read_too() {
    let request =
        ApiVersionsRequest { client_software_name: Str::from_static("me"), ..Default::default() };
    let frame = encode(&request, 3, 7, None).unwrap();
    let mut bytes = frame[4..].to_vec();
    bytes[3] = 99;
    let mut reader = Reader::new(bytes.into());
    assert_eq!(RequestHeader::decode(&mut reader).unwrap().version, 99);
    assert_eq!(ApiVersionsRequest::decode(&mut reader, 3), Ok(request));
}
