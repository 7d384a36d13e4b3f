//! `DescribeLogDirs` v0-v5: what a node keeps, as if it lay in one directory.

use forebay_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use forebay_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

pub(super) fn describe_log_dirs(
    cluster: &mut Cluster,
    call: &Call,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let asked = |topic: &str, index: i32| {
        request.topics.as_ref().is_none_or(|topics| {
            topics.iter().any(|it| it.topic.as_str() == topic && it.partitions.contains(&index))
        })
    };
    let topics = cluster.topics.iter().map(|(name, topic)| {
        let partitions = (0..).zip(&topic.partitions).filter(|(index, partition)| {
            partition.replicas.contains(&call.node) && asked(name, *index)
        });
        let partitions = partitions.map(|(partition_index, partition)| DescribeLogDirsPartition {
            partition_index,
            partition_size: long(partition.log.bytes()),
            ..Default::default()
        });
        DescribeLogDirsTopic { name: name.into(), partitions: partitions.collect() }
    });
    let topics = topics.filter(|topic| !topic.partitions.is_empty()).collect();
    let most = cluster.options.memory;
    let directory = DescribeLogDirsResult {
        log_dir: format!("/memory/{}", call.node).into(),
        topics,
        total_bytes: long(most),
        usable_bytes: long(most.saturating_sub(cluster.topics.bytes())),
        ..Default::default()
    };
    DescribeLogDirsResponse {
        throttle_time_ms: call.throttle(),
        error_code: call.forced().unwrap_or(ErrorCode::NONE).0,
        results: vec![directory],
    }
}

fn long(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
