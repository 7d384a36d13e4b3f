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
use crate::group::classic::{Joining, is_session, refusal};
use crate::group::modern::Modern;
use crate::versions::Release;

pub(super) fn join_group(
    cluster: &mut Cluster,
    call: &Call,
    reader: &mut Reader,
) -> Result<Reply, BadRequest> {
    let request: JoinGroupRequest = super::decode(call, reader)?;
    let nameless = request.group_id.is_empty().then_some(ErrorCode::INVALID_GROUP_ID);
    if let Some(code) = cluster.no_group(call, &request.group_id).or(nameless) {
        let response = refusal(call, code, &request.member_id);
        return Ok(Reply::Body(vec![super::encoded(&response, call.version)?]));
    }
    if cluster.has_modern(&request.group_id) {
        let response = cluster.join_modern(call, &request);
        return Ok(Reply::Body(vec![super::encoded(&response, call.version)?]));
    }
    let group = request.group_id.as_str().to_owned();
    if !cluster.groups.contains_key(&group) && !request.member_id.is_empty() {
        let is_right = is_session(request.session_timeout_ms);
        let code = if is_right {
            ErrorCode::UNKNOWN_MEMBER_ID
        } else {
            ErrorCode::INVALID_SESSION_TIMEOUT
        };
        let response = refusal(call, code, &request.member_id);
        return Ok(Reply::Body(vec![super::encoded(&response, call.version)?]));
    }
    // Who comes to an empty group decides what it is.
    cluster.groups.entry(group.clone()).or_default().modern = Modern::default();
    let joining = Joining::new(call.clone(), request);
    cluster.in_group(&group, |classic, world| classic.join(world, joining));
    Ok(Reply::Park)
}

impl Cluster {
    /// Why this node cannot say anything about the group, if so.
    pub(crate) fn no_group(&self, call: &Call, group: &str) -> Option<ErrorCode> {
        let is_named = !group.is_empty() || self.options.release == Release::V0_11;
        let nameless = (!is_named).then_some(ErrorCode::INVALID_GROUP_ID);
        call.forced().or(nameless).or_else(|| self.elsewhere(call, group))
    }

    /// The same for those who may ask for a group without a name.
    pub(crate) fn elsewhere(&self, call: &Call, group: &str) -> Option<ErrorCode> {
        let is_here = self.coordinator_of(group) == Some(call.node);
        call.forced().or_else(|| (!is_here).then_some(ErrorCode::NOT_COORDINATOR))
    }
}
