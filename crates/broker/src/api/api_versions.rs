//! `ApiVersions` v0-v5: what this broker speaks.
//!
//! v3 and later are flexible in the body alone; the answer's header never is. A request of a
//! version that is not offered is answered in v0 with `UNSUPPORTED_VERSION` and the way to
//! ask for the list.

use forebay_protocol::api::ApiKey;
use forebay_protocol::messages::api_versions_response::ApiVersion;
use forebay_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{Reply, encoded};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};
use crate::versions::{self, Release};

/// First version in which clients say what they are.
const NAMES_FROM: i16 = 3;

pub(super) fn api_versions(
    cluster: &mut Cluster,
    call: &Call,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    let is_named = call.version < NAMES_FROM || names.into_iter().all(|name| is_name(name));
    let wrong = (!is_named).then_some(ErrorCode::INVALID_REQUEST);
    if let Some(code) = call.forced().or(wrong) {
        return ApiVersionsResponse { error_code: code.0, ..Default::default() };
    }
    let error = ErrorCode::NONE;
    ApiVersionsResponse { throttle_time_ms: call.throttle(), ..list(cluster, error) }
}

pub(super) fn fallback(cluster: &Cluster) -> Result<Reply, BadRequest> {
    let mut response = list(cluster, ErrorCode::UNSUPPORTED_VERSION);
    // Since KIP-511 the answer tells in which version to ask, and before nothing.
    let tells = cluster.options.release >= Release::V2_8;
    response.api_keys.retain(|row| tells && row.api_key == ApiKey::ApiVersions.code());
    Ok(Reply::Body(vec![encoded(&response, 0)?]))
}

/// Whether Kafka takes this as the name or version of a client's software.
fn is_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let outside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    outside(name.chars().next()) && outside(name.chars().last()) && name.chars().all(inside)
}

fn list(cluster: &Cluster, error: ErrorCode) -> ApiVersionsResponse {
    let row = |offer: versions::Offer| ApiVersion {
        api_key: offer.api.code(),
        min_version: offer.min,
        max_version: offer.max,
    };
    let api_keys = versions::offers(cluster.options.release).into_iter().map(row).collect();
    ApiVersionsResponse { error_code: error.0, api_keys, ..Default::default() }
}
