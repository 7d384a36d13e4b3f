//! Frames of responses, and the two ways in which `ApiVersions` is unlike the others.

use super::*;
use crate::messages::api_versions_response::ApiVersion;
use crate::messages::{ApiVersionsRequest, ApiVersionsResponse, HeartbeatRequest};
use crate::messages::{HeartbeatResponse, MetadataRequest};

fn body(frame: &Bytes) -> Bytes {
    frame.slice(4..)
}

#[test]
fn a_response_comes_back_under_its_correlation_id() {
    let response =
        HeartbeatResponse { error_code: ErrorCode::REBALANCE_IN_PROGRESS.0, ..Default::default() };
    for version in 0..=4 {
        let frame = encode::<HeartbeatRequest>(&response, version, 42).unwrap();
        assert_eq!(correlation_id(&body(&frame)), Ok(42));
        assert_eq!(decode::<HeartbeatRequest>(body(&frame), version, 42), Ok(response.clone()));
    }
}

#[test]
fn a_response_to_another_request_is_refused() {
    let frame = encode::<HeartbeatRequest>(&HeartbeatResponse::default(), 4, 42).unwrap();
    let error = decode::<HeartbeatRequest>(body(&frame), 4, 43).unwrap_err();
    assert_eq!(error.expected, Expected::CorrelationId(43));
    assert_eq!(error.found, Found::Number(42));
}

#[test]
fn a_truncated_response_says_where_it_ends() {
    let frame = Bytes::from_static(b"\0\0\0\x01\0\0\0\0\0\0");
    let error = decode::<MetadataRequest>(frame, 1, 1).unwrap_err();
    assert_eq!((error.message, error.at), ("MetadataResponse", 8));
    assert_eq!(
        error.to_string(),
        "MetadataResponse: expected 4 more bytes for `controller_id` at byte 8, found 2 bytes"
    );
}

#[test]
fn an_unsupported_version_of_api_versions_is_answered_in_version_0() {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION.0,
        api_keys: vec![ApiVersion { api_key: 18, min_version: 0, max_version: 2 }],
        ..Default::default()
    };
    let frame = encode::<ApiVersionsRequest>(&response, 0, 1).unwrap();
    assert_eq!(decode::<ApiVersionsRequest>(body(&frame), 5, 1), Ok(response));
}

#[test]
fn the_header_of_an_api_versions_response_has_no_tagged_fields() {
    let frame = encode::<ApiVersionsRequest>(&ApiVersionsResponse::default(), 3, 1).unwrap();
    assert_eq!(&frame[..], b"\0\0\0\x0c\0\0\0\x01\0\0\x01\0\0\0\0\0");
}
