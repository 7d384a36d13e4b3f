//! `ConsumerGroupHeartbeat` v0-v1: a member of a group by KIP-848 joins, lives, learns and leaves. v1
//! has members make their own ids.

use std::collections::BTreeMap;

use forebay_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use forebay_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::group::modern::{Place, Told};

pub(super) fn consumer_group_heartbeat(
    cluster: &mut Cluster,
    call: &Call,
    mut request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let throttle_time_ms = call.throttle();
    if request.member_id.is_empty() && request.member_epoch == 0 && call.version == 0 {
        request.member_id = cluster.rng.uuid_text().as_str().into();
    }
    let elsewhere = || cluster.elsewhere(call, &request.group_id);
    let refused = call.forced().or_else(|| malformed(&request)).or_else(elsewhere);
    let told = match refused {
        Some(code) => Err(code),
        None => cluster.consumer_heartbeat(call, &request),
    };
    match told {
        Err(code) => ConsumerGroupHeartbeatResponse {
            throttle_time_ms,
            error_code: code.0,
            ..Default::default()
        },
        Ok(Told { member, epoch, assignment }) => ConsumerGroupHeartbeatResponse {
            throttle_time_ms,
            member_id: Some(member.as_str().into()),
            member_epoch: epoch,
            heartbeat_interval_ms: interval(cluster),
            assignment: assignment.map(|places| assigned(&places)),
            ..Default::default()
        },
    }
}

fn interval(cluster: &Cluster) -> i32 {
    i32::try_from(cluster.options.consumer_groups.interval.as_millis()).unwrap_or(i32::MAX)
}

fn assigned(places: &std::collections::BTreeSet<Place>) -> Assignment {
    let mut topics: BTreeMap<_, Vec<i32>> = BTreeMap::new();
    for (id, number) in places {
        topics.entry(*id).or_default().push(*number);
    }
    let topics = topics.into_iter();
    let topic_partitions =
        topics.map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions }).collect();
    Assignment { topic_partitions }
}

/// What Kafka refuses before it looks at the group.
fn malformed(request: &ConsumerGroupHeartbeatRequest) -> Option<ErrorCode> {
    let joins = request.member_epoch == 0;
    let owns = request.topic_partitions.as_ref();
    let is_nameless = |name: &Option<_>| name.as_deref().is_some_and(str::is_empty);
    let is_wrong = request.group_id.is_empty()
        || request.member_id.is_empty()
        || is_nameless(&request.instance_id)
        || is_nameless(&request.rack_id)
        || request.member_epoch < -2
        || (joins && request.rebalance_timeout_ms < 0)
        || (joins && owns.is_none_or(|owned| !owned.is_empty()))
        || (joins
            && request.subscribed_topic_names.is_none()
            && request.subscribed_topic_regex.is_none())
        || (request.member_epoch == -2 && request.instance_id.is_none());
    let known = |name: &str| matches!(name, "uniform" | "range");
    let assignor = request.server_assignor.as_deref().is_some_and(|name| !known(name));
    if is_wrong {
        Some(ErrorCode::INVALID_REQUEST)
    } else {
        assignor.then_some(ErrorCode::UNSUPPORTED_ASSIGNOR)
    }
}
