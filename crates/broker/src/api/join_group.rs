//! `JoinGroup` v0-v9: a member wants to be one of the next generation.
//!
//! v1 adds the rebalance timeout, v4 demands an id given before, v5 has static members, v7 names the
//! protocol, v8 a reason, v9 spares a static leader a plan that stands.

use forebay_protocol::messages::JoinGroupRequest;
use forebay_protocol::wire::Reader;

use super::Reply;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};
use crate::group::classic::{Joining, refusal};

pub(super) fn join_group(
    cluster: &mut Cluster,
    call: &Call,
    reader: &mut Reader,
) -> Result<Reply, BadRequest> {
    let request: JoinGroupRequest = super::decode(call, reader)?;
    let is_modern =
        |name: &str| cluster.groups.get(name).is_some_and(|group| !group.modern.is_empty());
    // A group has members of one kind at a time.
    let other_kind = is_modern(&request.group_id).then_some(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    if let Some(code) = cluster.no_group(call, &request.group_id).or(other_kind) {
        let response = refusal(call, code, &request.member_id);
        return Ok(Reply::Body(vec![super::encoded(&response, call.version)?]));
    }
    let group = request.group_id.as_str().to_owned();
    let joining = Joining::new(call.clone(), request);
    cluster.in_group(&group, |classic, world| classic.join(world, joining));
    Ok(Reply::Park)
}

impl Cluster {
    /// Why this node cannot say anything about the group, if so.
    pub(crate) fn no_group(&self, call: &Call, group: &str) -> Option<ErrorCode> {
        if call.forced().is_some() {
            return call.forced();
        }
        if group.is_empty() {
            return Some(ErrorCode::INVALID_GROUP_ID);
        }
        (self.coordinator_of(group) != Some(call.node)).then_some(ErrorCode::NOT_COORDINATOR)
    }
}
