//! `DescribeGroups` v0-v6, `ListGroups` v0-v5, `DeleteGroups` v0-v3: what administrators ask about
//! groups.

use bytes::Bytes;
use forebay_protocol::messages::delete_groups_response::DeletableGroupResult;
use forebay_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use forebay_protocol::messages::list_groups_response::ListedGroup;
use forebay_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    ListGroupsRequest, ListGroupsResponse,
};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::group::Group;
use crate::group::classic::State;
use crate::versions::Release;

/// First `DescribeGroups` that says that there is no such group instead of calling it dead.
const NOT_FOUND_FROM: i16 = 6;
/// No answer to "what may I do": nobody asked.
const NOT_ASKED: i32 = i32::MIN;
/// What we say as the host of every client.
const HOST: &str = "/127.0.0.1";

pub(super) fn describe(
    cluster: &mut Cluster,
    call: &Call,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.iter().map(|name| {
        let code = cluster.elsewhere(call, name);
        let described = cluster.groups.get(name.as_str()).filter(|_| code.is_none());
        // Groups by KIP-848 are described elsewhere.
        let described = described.filter(|group| !group.is_modern());
        let found = described.map(|group| described_group(group, cluster.options.release));
        DescribedGroup {
            group_id: name.clone(),
            error_code: match (code, &found) {
                (Some(code), _) => code.0,
                (None, None) if NOT_FOUND_FROM <= call.version => ErrorCode::GROUP_ID_NOT_FOUND.0,
                (None, _) => 0,
            },
            authorized_operations: NOT_ASKED,
            ..found.unwrap_or_else(|| DescribedGroup {
                group_state: if code.is_none() { "Dead".into() } else { "".into() },
                ..Default::default()
            })
        }
    });
    DescribeGroupsResponse { throttle_time_ms: call.throttle(), groups: groups.collect() }
}

fn described_group(group: &Group, release: Release) -> DescribedGroup {
    let classic = &group.classic;
    let protocol = classic.protocol().unwrap_or_default();
    let is_stable = classic.state() == State::Stable;
    let members = classic.members().map(|(id, member)| DescribedGroupMember {
        member_id: id.as_str().into(),
        group_instance_id: member.instance.as_deref().map(Into::into),
        client_id: member.client_id.as_str().into(),
        client_host: HOST.into(),
        member_metadata: if is_stable { member.metadata(protocol) } else { Bytes::new() },
        member_assignment: if is_stable { member.assignment.clone() } else { Bytes::new() },
    });
    DescribedGroup {
        group_state: state_name(classic.state(), release).into(),
        protocol_type: classic.protocol_type().into(),
        protocol_data: if is_stable { protocol.into() } else { "".into() },
        members: members.collect(),
        ..Default::default()
    }
}

/// Kafka's names.
fn state_name(state: State, release: Release) -> &'static str {
    match state {
        State::Empty => "Empty",
        State::Preparing { .. } => "PreparingRebalance",
        State::Completing { .. } if release == Release::V0_11 => "AwaitingSync",
        State::Completing { .. } => "CompletingRebalance",
        State::Stable => "Stable",
    }
}

pub(super) fn list(
    cluster: &mut Cluster,
    call: &Call,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let throttle_time_ms = call.throttle();
    if let Some(code) = call.forced() {
        return ListGroupsResponse { throttle_time_ms, error_code: code.0, ..Default::default() };
    }
    let here =
        cluster.groups.iter().filter(|(name, _)| cluster.coordinator_of(name) == Some(call.node));
    let listed = here.map(|(name, group)| {
        let is_modern = group.is_modern();
        let (kind, state) = if is_modern {
            ("consumer", group.modern.state())
        } else {
            ("classic", state_name(group.classic.state(), cluster.options.release))
        };
        let of_classic = group.classic.protocol_type();
        ListedGroup {
            group_id: name.as_str().into(),
            protocol_type: if is_modern { "consumer".into() } else { of_classic.into() },
            group_state: state.into(),
            group_type: kind.into(),
        }
    });
    let wanted = |it: &ListedGroup| {
        let has = |filter: &[forebay_protocol::wire::Str], value: &str| {
            filter.is_empty() || filter.iter().any(|it| it.eq_ignore_ascii_case(value))
        };
        has(&request.states_filter, &it.group_state) && has(&request.types_filter, &it.group_type)
    };
    let groups = listed.filter(wanted).collect();
    ListGroupsResponse { throttle_time_ms, error_code: 0, groups }
}

pub(super) fn delete(
    cluster: &mut Cluster,
    call: &Call,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let results = request.groups_names.iter().map(|name| {
        let code = cluster.elsewhere(call, name).or_else(|| {
            let group = cluster.groups.get(name.as_str());
            match group {
                None => Some(ErrorCode::GROUP_ID_NOT_FOUND),
                Some(group) if group.has_members() => Some(ErrorCode::NON_EMPTY_GROUP),
                Some(_) => None,
            }
        });
        if code.is_none() {
            cluster.groups.remove(name.as_str());
        }
        let error_code = code.unwrap_or(ErrorCode::NONE).0;
        DeletableGroupResult { group_id: name.clone(), error_code, error_message: None }
    });
    let results = results.collect();
    DeleteGroupsResponse { throttle_time_ms: call.throttle(), results }
}
