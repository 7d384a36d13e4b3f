//! `Heartbeat` v0-v4: a member lives. v3 has static members.

use forebay_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

pub(super) fn heartbeat(
    cluster: &mut Cluster,
    call: &Call,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let code = cluster.no_group(call, &request.group_id).unwrap_or_else(|| {
        let (id, instance) = (request.member_id, request.group_instance_id);
        let beat = cluster.in_group(&request.group_id, |classic, world| {
            classic.heartbeat(world, &id, instance.as_deref(), request.generation_id)
        });
        beat.unwrap_or(ErrorCode::UNKNOWN_MEMBER_ID)
    });
    HeartbeatResponse { throttle_time_ms: call.throttle(), error_code: code.0 }
}
