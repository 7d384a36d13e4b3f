//! `DescribeCluster` v0-v2: the nodes and who controls them.

use forebay_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use forebay_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

/// What a client can ask for: nodes, or controllers, which are not here.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn describe_cluster(
    cluster: &mut Cluster,
    call: &Call,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let broker =
        |(id, host, port): (forebay_protocol::types::BrokerId, &str, u16)| DescribeClusterBroker {
            broker_id: id.0,
            host: host.into(),
            port: i32::from(port),
            rack: cluster.rack(id).map(Into::into),
            ..Default::default()
        };
    let wrong = match request.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some(ErrorCode::MISMATCHED_ENDPOINT_TYPE),
        _ => Some(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
    };
    if let Some(code) = wrong {
        return DescribeClusterResponse { error_code: code.0, ..Default::default() };
    }
    DescribeClusterResponse {
        throttle_time_ms: call.throttle(),
        error_code: call.forced().unwrap_or(ErrorCode::NONE).0,
        endpoint_type: request.endpoint_type,
        cluster_id: cluster.options.cluster_id.as_str().into(),
        controller_id: cluster.controller().0,
        brokers: cluster.addresses(cluster.up()).map(broker).collect(),
        ..Default::default()
    }
}
