//! `OffsetFetch` v1-v10: what a group has committed.
//!
//! v2 asks for everything with null, v5 adds the leader epoch, v8 asks for several groups, v10 has
//! topic ids. What was never committed is -1, and no error.

use forebay_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use forebay_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use forebay_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use forebay_protocol::types::Uuid;
use forebay_protocol::wire::Str;

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::fault::Effect;
use crate::topic::TopicRef;

/// A topic as a request names it, with the partitions in question.
type Question = (TopicRef, Vec<i32>);

/// What is asked of one group.
struct Asked<'a> {
    group: &'a str,
    /// `None` asks for all that was committed.
    questions: Option<Vec<Question>>,
    pending: Pending,
    /// Who asks, since version 9: a member and its epoch.
    member: Option<(&'a str, i32)>,
}

/// What to say of a partition that an open transaction commits.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Pending {
    /// What was committed before.
    Passed,
    /// That the client should ask again.
    Refused,
}

pub(super) fn offset_fetch(
    cluster: &mut Cluster,
    call: &Call,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let throttle_time_ms = call.throttle();
    let pending = if request.require_stable { Pending::Refused } else { Pending::Passed };
    if call.version >= 8 {
        let groups = request.groups.iter().map(|group| group_answer(cluster, call, group, pending));
        let groups = groups.collect();
        return OffsetFetchResponse { throttle_time_ms, groups, ..Default::default() };
    }
    let question = |topic: &OffsetFetchRequestTopic| {
        (TopicRef::Name(topic.name.as_str().to_owned()), topic.partition_indexes.clone())
    };
    let questions = request.topics.map(|topics| topics.iter().map(question).collect());
    let (answers, error) = answers(
        cluster,
        call,
        Asked { group: &request.group_id, questions, pending, member: None },
    );
    OffsetFetchResponse {
        throttle_time_ms,
        topics: answers.into_iter().map(old_form).collect(),
        error_code: if call.version >= 2 { error.0 } else { 0 },
        ..Default::default()
    }
}

/// A topic as it stood before several groups could be asked for at once.
fn old_form((place, partitions): Answered) -> OffsetFetchResponseTopic {
    let name = match &place {
        TopicRef::Name(name) => name.as_str().into(),
        TopicRef::Id(_) => Str::default(),
    };
    let one = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    OffsetFetchResponseTopic { name, partitions: partitions.into_iter().map(one).collect() }
}

fn group_answer(
    cluster: &mut Cluster,
    call: &Call,
    group: &OffsetFetchRequestGroup,
    pending: Pending,
) -> OffsetFetchResponseGroup {
    let question = |topic: &OffsetFetchRequestTopics| {
        (TopicRef::of(&topic.name, topic.topic_id), topic.partition_indexes.clone())
    };
    let is_told = group.member_id.is_some() || 0 <= group.member_epoch;
    let member = group.member_id.as_deref().unwrap_or_default();
    let member = is_told.then_some((member, group.member_epoch));
    let questions = group.topics.as_ref().map(|topics| topics.iter().map(question).collect());
    let (answers, error) =
        answers(cluster, call, Asked { group: &group.group_id, questions, pending, member });
    // Before v9 a refused group has nothing but its error.
    let answers = answers.into_iter().filter(|_| error == ErrorCode::NONE);
    let topics = answers.map(|answered| named(cluster, call, answered));
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
    (place, partitions): Answered,
) -> OffsetFetchResponseTopics {
    if call.version < 10 {
        let name = cluster.topics.name_of(&place).map(Str::from).unwrap_or_default();
        let name = match &place {
            TopicRef::Name(asked) => asked.as_str().into(),
            TopicRef::Id(_) => name,
        };
        return OffsetFetchResponseTopics { name, topic_id: Uuid::ZERO, partitions };
    }
    let topic_id = match place {
        TopicRef::Id(id) => id,
        TopicRef::Name(name) => cluster.topic_id(&name).unwrap_or(Uuid::ZERO),
    };
    OffsetFetchResponseTopics { name: Str::default(), topic_id, partitions }
}

/// A topic and what is said of its partitions.
type Answered = (TopicRef, Vec<OffsetFetchResponsePartitions>);

/// What was committed for each question, and the error of the group as a whole.
fn answers(cluster: &mut Cluster, call: &Call, mut asked: Asked<'_>) -> (Vec<Answered>, ErrorCode) {
    let here = cluster.coordinator_of(asked.group) == Some(call.node);
    let elsewhere = if here { ErrorCode::NONE } else { ErrorCode::NOT_COORDINATOR };
    let modern = cluster.groups.get(asked.group).filter(|group| group.is_modern());
    let wrong = modern
        .zip(asked.member)
        .and_then(|(group, (member, epoch))| group.modern.may_commit(member, epoch).err());
    let error = call.forced().or(wrong).unwrap_or(elsewhere);
    let questions = asked.questions.take();
    let questions = questions.unwrap_or_else(|| everything(cluster, asked.group));
    let mut answers = Vec::with_capacity(questions.len());
    for (place, partitions) in questions {
        let one = |index| match error {
            ErrorCode::NONE => partition(cluster, call, &asked, (&place, index)),
            error => nothing(index, error),
        };
        let mut partitions: Vec<_> = partitions.into_iter().map(one).collect();
        if call.mischief.to_answer.contains(&Effect::LeaveOut) {
            partitions.pop();
        }
        answers.push((place, partitions));
    }
    (answers, error)
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

fn nothing(partition_index: i32, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Str::default()),
        error_code: error.0,
    }
}

fn partition(
    cluster: &mut Cluster,
    call: &Call,
    asked: &Asked<'_>,
    (place, index): (&TopicRef, i32),
) -> OffsetFetchResponsePartitions {
    let name = match place {
        TopicRef::Name(name) => name.clone(),
        TopicRef::Id(_) => match cluster.topics.name_of(place) {
            Some(name) => name.to_owned(),
            None => return nothing(index, ErrorCode::UNKNOWN_TOPIC_ID),
        },
    };
    if let Some(code) = cluster.forced(call, &name, index) {
        return nothing(index, code);
    }
    let Some(group) = cluster.groups.get(asked.group) else {
        return nothing(index, ErrorCode::NONE);
    };
    let place = (name, index);
    if asked.pending == Pending::Refused && group.is_pending(&place) {
        return nothing(index, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    }
    let Some(committed) = group.offsets.get(&place) else {
        return nothing(index, ErrorCode::NONE);
    };
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: committed.offset,
        committed_leader_epoch: committed.leader_epoch,
        metadata: Some(committed.metadata.as_str().into()),
        error_code: 0,
    }
}
