//! `LeaveGroup` v0-v5: members are members no longer. v3 names several, static ones by instance.

use forebay_protocol::messages::leave_group_response::MemberResponse;
use forebay_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::cluster::Cluster;
use crate::connection::Call;

/// First version that names several members.
const SEVERAL_FROM: i16 = 3;

pub(super) fn leave_group(
    cluster: &mut Cluster,
    call: &Call,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let throttle_time_ms = call.throttle();
    let group = request.group_id.as_str();
    if let Some(code) = cluster.no_group(call, group) {
        return LeaveGroupResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
    }
    if call.version < SEVERAL_FROM {
        let id = request.member_id.as_str();
        let code = cluster.leave(group, id, None);
        return LeaveGroupResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
    }
    let mut members = Vec::with_capacity(request.members.len());
    for member in &request.members {
        let (id, instance) = (member.member_id.as_str(), member.group_instance_id.as_deref());
        let code = cluster.leave(group, id, instance);
        members.push(MemberResponse {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            error_code: code.0,
        });
    }
    LeaveGroupResponse { throttle_time_ms, error_code: 0, members }
}
