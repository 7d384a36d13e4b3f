//! `SyncGroup` v0-v5: the leader brings the plan, everybody gets a part of it.
//!
//! v3 has static members, v5 names the protocol.

use forebay_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use forebay_protocol::wire::Reader;

use super::Reply;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};

pub(super) fn sync_group(
    cluster: &mut Cluster,
    call: &Call,
    reader: &mut Reader,
) -> Result<Reply, BadRequest> {
    let request: SyncGroupRequest = super::decode(call, reader)?;
    let is_known = cluster.groups.contains_key(request.group_id.as_str());
    let unknown = || (!is_known).then_some(ErrorCode::UNKNOWN_MEMBER_ID);
    if let Some(code) = cluster.no_group(call, &request.group_id).or_else(unknown) {
        let throttle_time_ms = call.throttle();
        let response =
            SyncGroupResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
        return Ok(Reply::Body(vec![super::encoded(&response, call.version)?]));
    }
    if cluster.has_modern(&request.group_id) {
        let response = cluster.sync_modern(call, &request);
        return Ok(Reply::Body(vec![super::encoded(&response, call.version)?]));
    }
    let (group, waiting) = (request.group_id.as_str().to_owned(), call.clone());
    cluster.in_group(&group, |classic, world| classic.sync(world, waiting, request));
    Ok(Reply::Park)
}
