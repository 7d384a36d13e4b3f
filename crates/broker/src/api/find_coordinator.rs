//! `FindCoordinator` v0-v6: which node coordinates a group or a transactional id.
//!
//! v1 tells the kind of the key, v4 asks for several keys.

use forebay_protocol::messages::find_coordinator_response::Coordinator;
use forebay_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use forebay_protocol::wire::Str;

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

pub(super) fn find_coordinator(
    cluster: &mut Cluster,
    call: &Call,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let throttle_time_ms = call.throttle();
    if call.version >= 4 {
        let found = request.coordinator_keys.iter().map(|key| find(cluster, call, key));
        let coordinators = found.collect();
        return FindCoordinatorResponse { throttle_time_ms, coordinators, ..Default::default() };
    }
    let found = find(cluster, call, &request.key);
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

fn find(cluster: &Cluster, call: &Call, key: &Str) -> Coordinator {
    let found = cluster.coordinator_of(key).and_then(|id| cluster.addresses(vec![id]).next());
    match (call.forced(), found) {
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
