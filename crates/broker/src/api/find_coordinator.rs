//! `FindCoordinator` v0-v6: which node coordinates a group or a transactional id.
//!
//! v1 tells the kind of the key, v4 asks for several keys.

use std::ops::RangeInclusive;

use forebay_protocol::messages::find_coordinator_response::Coordinator;
use forebay_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use forebay_protocol::wire::Str;

use super::{Reply, encoded};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};
use crate::versions::Release;

pub(super) fn find_coordinator(
    cluster: &Cluster,
    call: &Call,
    request: &FindCoordinatorRequest,
) -> Result<Reply, BadRequest> {
    let is_known = KINDS.contains(&request.key_type);
    if !is_known && cluster.options.release <= Release::V1_1 {
        let what = format!("there is no coordinator of kind {}", request.key_type);
        return Err(BadRequest::Refused(what));
    }
    let found = answer(cluster, call, request);
    Ok(Reply::Body(vec![encoded(&found, call.version)?]))
}

fn answer(
    cluster: &Cluster,
    call: &Call,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let throttle_time_ms = call.throttle();
    if call.version >= 4 {
        let found =
            request.coordinator_keys.iter().map(|key| find(cluster, call, (key, request.key_type)));
        let coordinators = found.collect();
        return FindCoordinatorResponse { throttle_time_ms, coordinators, ..Default::default() };
    }
    let found = find(cluster, call, (&request.key, request.key_type));
    FindCoordinatorResponse {
        throttle_time_ms,
        error_code: found.error_code,
        error_message: found.error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    }
}

/// Groups, transactions, and from v6 on share partitions.
const KINDS: RangeInclusive<i8> = 0..=2;

fn find(cluster: &Cluster, call: &Call, (key, kind): (&Str, i8)) -> Coordinator {
    let found = cluster.coordinator_of(key).and_then(|id| cluster.addresses(vec![id]).next());
    let wrong = (!KINDS.contains(&kind)).then_some(ErrorCode::INVALID_REQUEST);
    match (call.forced().or(wrong), found) {
        (None, Some((id, host, port))) => Coordinator {
            key: key.clone(),
            node_id: id.0,
            host: host.into(),
            port: i32::from(port),
            ..Default::default()
        },
        (forced, _) => Coordinator {
            key: key.clone(),
            node_id: -1,
            port: -1,
            error_code: forced.unwrap_or(ErrorCode::COORDINATOR_NOT_AVAILABLE).0,
            ..Default::default()
        },
    }
}
