//! `CreatePartitions` v0-v3: more partitions for a topic. Where they go is this broker's choice;
//! assignments are not looked at.

use forebay_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use forebay_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use forebay_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::TopicRef;

pub(super) fn create_partitions(
    cluster: &mut Cluster,
    call: &Call,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic| {
        let grown = may_grow(cluster, call, topic).map(|replication| {
            if !request.validate_only {
                cluster.grow_topic(&topic.name, topic.count, replication);
            }
        });
        let (error_code, error_message) = Refusal::outcome(grown);
        CreatePartitionsTopicResult { name: topic.name.clone(), error_code, error_message }
    });
    let results = results.collect();
    CreatePartitionsResponse { throttle_time_ms: call.throttle(), results }
}

/// Whether the topic can grow; returns how many replicas its partitions have.
fn may_grow(cluster: &Cluster, call: &Call, asked: &CreatePartitionsTopic) -> Result<i16, Refusal> {
    if let Some(code) = call.forced() {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    cluster.controls(call)?;
    let Some(topic) = cluster.topics.get(&asked.name) else {
        return Err(Cluster::no_partition(&TopicRef::Name(asked.name.as_str().to_owned())));
    };
    let has = topic.partitions.len();
    if !usize::try_from(asked.count).is_ok_and(|count| (has + 1..=200_000).contains(&count)) {
        let why = format!("{} partitions are asked for, there are {has} already", asked.count);
        return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, why));
    }
    let replicas = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
    Ok(i16::try_from(replicas).unwrap_or(1))
}
