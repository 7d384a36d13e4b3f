//! `Heartbeat` v0-v4: a member lives. v3 has static members.

use forebay_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::cluster::Cluster;
use crate::connection::Call;

pub(super) fn heartbeat(
    cluster: &mut Cluster,
    call: &Call,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let code = cluster.no_group(call, &request.group_id).unwrap_or_else(|| {
        let member = (request.member_id.as_str(), request.group_instance_id.as_deref());
        cluster.beat(&request.group_id, member, request.generation_id)
    });
    HeartbeatResponse { throttle_time_ms: call.throttle(), error_code: code.0 }
}
