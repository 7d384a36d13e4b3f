//! `CreateTopics` v2-v7: topics with their partitions and settings.
//!
//! v4 lets the broker choose counts (-1), v5 answers with what was created, v7 with ids. Replicas
//! can be assigned by hand; records are kept once all the same.

use forebay_protocol::messages::create_topics_request::CreatableTopic;
use forebay_protocol::messages::create_topics_response::CreatableTopicResult;
use forebay_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use forebay_protocol::types::{BrokerId, Uuid};

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::versions::Release;

/// How a request is to be carried out.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Mode {
    Create,
    Validate,
}

pub(super) fn create_topics(
    cluster: &mut Cluster,
    call: &Call,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mode = if request.validate_only { Mode::Validate } else { Mode::Create };
    let topics = request.topics.iter().map(|topic| result(cluster, call, topic, mode)).collect();
    CreateTopicsResponse { throttle_time_ms: call.throttle(), topics }
}

fn result(
    cluster: &mut Cluster,
    call: &Call,
    asked: &CreatableTopic,
    mode: Mode,
) -> CreatableTopicResult {
    let mut result = CreatableTopicResult { name: asked.name.clone(), ..Default::default() };
    match create(cluster, call, asked, mode) {
        Ok((id, partitions, replication)) => {
            result.num_partitions = partitions;
            result.replication_factor = replication;
            result.configs = Some(Vec::new());
            if call.version >= 7 {
                result.topic_id = id;
            }
        }
        Err(refusal) => {
            result.error_code = refusal.code.0;
            result.error_message = Some(refusal.why.into());
            result.num_partitions = -1;
            result.replication_factor = -1;
            result.configs = None;
        }
    }
    result
}

fn create(
    cluster: &mut Cluster,
    call: &Call,
    asked: &CreatableTopic,
    mode: Mode,
) -> Result<(Uuid, i32, i16), Refusal> {
    if let Some(code) = call.forced() {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    cluster.controls(call)?;
    let assigned = assignments(cluster, asked)?;
    let partitions = match (assigned.len(), asked.num_partitions) {
        (0, -1) if call.version >= 4 => cluster.options.default_partitions,
        (0, count) => count,
        (count, _) => i32::try_from(count).unwrap_or(i32::MAX),
    };
    let replicas = assigned.first().map(Vec::len).and_then(|count| i16::try_from(count).ok());
    let replication = replicas.unwrap_or(match asked.replication_factor {
        -1 => 1,
        factor => factor,
    });
    cluster.may_create(&asked.name, partitions, replication)?;
    for config in &asked.configs {
        super::configs::check(&config.name, config.value.as_deref()).map_err(|refusal| {
            // The first release knew the name and fell over the value.
            let knows = super::configs::check(&config.name, None).is_ok();
            let falls = knows && cluster.options.release == Release::V0_11;
            let code = if falls { ErrorCode::UNKNOWN_SERVER_ERROR } else { refusal.code };
            Refusal { code, ..refusal }
        })?;
    }
    if mode == Mode::Validate {
        return Ok((Uuid::ZERO, partitions, replication));
    }
    let id = cluster.new_topic(&asked.name, partitions, replication)?;
    if let Some(topic) = cluster.topics.get_mut(&asked.name) {
        let set = asked.configs.iter().filter_map(|config| {
            Some((config.name.as_str().to_owned(), config.value.as_deref()?.to_owned()))
        });
        topic.configs.extend(set);
        for (partition, replicas) in topic.partitions.iter_mut().zip(assigned) {
            partition.leader = replicas.first().copied();
            partition.replicas = replicas;
        }
    }
    Ok((id, partitions, replication))
}

/// The replicas of each partition, when they are assigned by hand: partitions from 0 without
/// holes, and nodes that exist.
fn assignments(cluster: &Cluster, asked: &CreatableTopic) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let mut assigned: Vec<_> = asked.assignments.iter().collect();
    assigned.sort_by_key(|assignment| assignment.partition_index);
    let wrong = |why: &str| Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
    let mut replicas = Vec::with_capacity(assigned.len());
    for (index, assignment) in (0..).zip(assigned) {
        if assignment.partition_index != index {
            return wrong("the assigned partitions do not count up from 0");
        }
        let nodes: Vec<_> = assignment.broker_ids.iter().map(|id| BrokerId(*id)).collect();
        if nodes.is_empty() || !nodes.iter().all(|node| cluster.nodes.contains_key(node)) {
            return wrong("a partition is assigned to no node, or to one that does not exist");
        }
        replicas.push(nodes);
    }
    Ok(replicas)
}
