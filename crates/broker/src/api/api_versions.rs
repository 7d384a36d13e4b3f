//! `ApiVersions` v0-v5: what this broker speaks.
//!
//! v3 and later are flexible in the body alone; the answer's header never is. A request of a
//! version that is not offered is answered in v0 with `UNSUPPORTED_VERSION` and the list.

use forebay_protocol::messages::api_versions_response::ApiVersion;
use forebay_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{Reply, encoded};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};
use crate::versions;

pub(super) fn api_versions(
    cluster: &mut Cluster,
    call: &Call,
    _request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let error = call.forced().unwrap_or(ErrorCode::NONE);
    ApiVersionsResponse { throttle_time_ms: call.throttle(), ..list(cluster, error) }
}

pub(super) fn fallback(cluster: &Cluster) -> Result<Reply, BadRequest> {
    let response = list(cluster, ErrorCode::UNSUPPORTED_VERSION);
    Ok(Reply::Body(vec![encoded(&response, 0)?]))
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
