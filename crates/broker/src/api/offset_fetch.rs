//! `OffsetFetch` v1-v10: what a group has committed.
//!
//! v2 asks for everything with null, v5 adds the leader epoch, v8 asks for several groups, v10 has
//! topic ids. What was never committed is -1, and no error.

use forebay_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use forebay_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use forebay_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use forebay_protocol::types::Uuid;

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::TopicRef;

/// A topic as a request names it, with the partitions in question.
type Question = (TopicRef, Vec<i32>);

pub(super) fn offset_fetch(
    cluster: &mut Cluster,
    call: &Call,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let throttle_time_ms = call.throttle();
    if call.version >= 8 {
        let groups = request.groups.iter().map(|group| group_answer(cluster, call, group));
        let groups = groups.collect();
        return OffsetFetchResponse { throttle_time_ms, groups, ..Default::default() };
    }
    let questions = request.topics.map(|topics| {
        let one = |topic: &_| {
            let forebay_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic {
                name,
                partition_indexes,
            } = topic;
            (TopicRef::Name(name.as_str().to_owned()), partition_indexes.clone())
        };
        topics.iter().map(one).collect()
    });
    let error = refusal(cluster, call, &request.group_id);
    let answers = answers(cluster, call, &request.group_id, (questions, error));
    let topic = |(place, partitions): (TopicRef, Vec<OffsetFetchResponsePartitions>)| {
        let name = match &place {
            TopicRef::Name(name) => name.as_str().into(),
            TopicRef::Id(_) => Default::default(),
        };
        let partitions = partitions.into_iter().map(old_form).collect();
        OffsetFetchResponseTopic { name, partitions }
    };
    OffsetFetchResponse {
        throttle_time_ms,
        topics: answers.into_iter().map(topic).collect(),
        error_code: error.0,
        ..Default::default()
    }
}

fn old_form(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    }
}

fn group_answer(
    cluster: &mut Cluster,
    call: &Call,
    group: &OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let questions = group.topics.as_ref().map(|topics| {
        let one =
            |topic: &forebay_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics| {
                (TopicRef::of(&topic.name, topic.topic_id), topic.partition_indexes.clone())
            };
        topics.iter().map(one).collect()
    });
    let error = refusal(cluster, call, &group.group_id);
    let answers = answers(cluster, call, &group.group_id, (questions, error));
    let topics =
        answers.into_iter().map(|(place, partitions)| named(cluster, call, &place, partitions));
    OffsetFetchResponseGroup {
        topics: topics.collect(),
        group_id: group.group_id.clone(),
        error_code: error.0,
    }
}

/// By name up to v9, by id from v10 on.
fn named(
    cluster: &Cluster,
    call: &Call,
    place: &TopicRef,
    partitions: Vec<OffsetFetchResponsePartitions>,
) -> OffsetFetchResponseTopics {
    let name = match place {
        TopicRef::Name(name) => name.as_str(),
        TopicRef::Id(_) => cluster.topics.name_of(place).unwrap_or_default(),
    };
    let topic_id = match place {
        TopicRef::Id(id) => *id,
        TopicRef::Name(name) => cluster.topics.get(name).map_or(Uuid::ZERO, |topic| topic.id),
    };
    if call.version >= 10 {
        return OffsetFetchResponseTopics { name: Default::default(), topic_id, partitions };
    }
    OffsetFetchResponseTopics { name: name.into(), topic_id: Uuid::ZERO, partitions }
}

fn refusal(cluster: &Cluster, call: &Call, group: &str) -> ErrorCode {
    if let Some(code) = call.forced() {
        return code;
    }
    let here = cluster.coordinator_of(group) == Some(call.node);
    if here { ErrorCode::NONE } else { ErrorCode::NOT_COORDINATOR }
}

/// What was committed for each question; for all that was committed when there is none.
fn answers(
    cluster: &mut Cluster,
    call: &Call,
    group: &str,
    (questions, error): (Option<Vec<Question>>, ErrorCode),
) -> Vec<(TopicRef, Vec<OffsetFetchResponsePartitions>)> {
    // Up to v7 partitions carry the error too; before v2 they alone do.
    if error != ErrorCode::NONE && call.version >= 8 {
        return Vec::new();
    }
    let questions = questions.unwrap_or_else(|| everything(cluster, group));
    let mut answers = Vec::with_capacity(questions.len());
    for (place, partitions) in questions {
        let one = |index| partition(cluster, call, group, (&place, index), error);
        let partitions = partitions.into_iter().map(one).collect();
        answers.push((place, partitions));
    }
    answers
}

fn everything(cluster: &Cluster, group: &str) -> Vec<Question> {
    let Some(group) = cluster.groups.get(group) else { return Vec::new() };
    let mut questions: Vec<Question> = Vec::new();
    for (topic, index) in group.offsets.keys() {
        let place = TopicRef::Name(topic.clone());
        match questions.last_mut() {
            Some((last, partitions)) if *last == place => partitions.push(*index),
            _ => questions.push((place, vec![*index])),
        }
    }
    questions
}

fn partition(
    cluster: &mut Cluster,
    call: &Call,
    group: &str,
    (place, index): (&TopicRef, i32),
    error: ErrorCode,
) -> OffsetFetchResponsePartitions {
    let mut answer = OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Default::default()),
        error_code: error.0,
    };
    let name = match place {
        TopicRef::Name(name) => name.clone(),
        TopicRef::Id(_) => match cluster.topics.name_of(place) {
            Some(name) => name.to_owned(),
            None => {
                answer.error_code = ErrorCode::UNKNOWN_TOPIC_ID.0;
                return answer;
            }
        },
    };
    if let Some(code) = cluster.forced(call, &name, index) {
        answer.error_code = code.0;
    }
    let committed = cluster.groups.get(group).and_then(|group| group.offsets.get(&(name, index)));
    if let (Some(committed), 0) = (committed, answer.error_code) {
        answer.committed_offset = committed.offset;
        answer.committed_leader_epoch = committed.leader_epoch;
        answer.metadata = Some(committed.metadata.as_str().into());
    }
    answer
}
