//! Kafka's messages about offsets, in the words of the machines and back.

use std::collections::BTreeMap;

use forebay_core::offsets::commit::{Answer, Entry};
use forebay_core::offsets::start::{Ask, Told, Want};
use forebay_core::ownership::member::Identity;
use forebay_protocol::messages as m;
use forebay_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use forebay_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use forebay_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use forebay_protocol::types::{LeaderEpoch, Offset, TopicName, TopicPartition};

use crate::config::IsolationLevel;
use crate::error::Error;

/// The newest `OffsetCommit` that names topics by name.
pub(crate) const OFFSET_COMMIT_AT_MOST: i16 = 9;
/// The newest `OffsetFetch` of one group.
pub(crate) const OFFSET_FETCH_AT_MOST: i16 = 7;
/// First `OffsetFetch` that can ask to wait for open transactions.
const STABLE_FROM: i16 = 7;
/// "The first record there is", as a timestamp.
const EARLIEST: i64 = -2;
/// "The end", as a timestamp.
const LATEST: i64 = -1;

/// A question for what `group` has committed. Offsets of open transactions are waited for, where
/// the broker can.
pub(crate) fn offset_fetch(
    group: &str,
    asked: &[TopicPartition],
    version: i16,
) -> m::OffsetFetchRequest {
    let topics = by_topic(asked.iter().map(|tp| (tp, tp.partition)));
    let topics = topics.into_iter().map(|(topic, partition_indexes)| OffsetFetchRequestTopic {
        name: topic.as_str().into(),
        partition_indexes,
    });
    m::OffsetFetchRequest {
        group_id: group.into(),
        topics: Some(topics.collect()),
        require_stable: STABLE_FROM <= version,
        ..Default::default()
    }
}

/// What an answer to [`offset_fetch`] says.
pub(crate) fn committed(asked: &[TopicPartition], answer: &m::OffsetFetchResponse) -> Vec<Told> {
    if answer.error_code != 0 {
        return refused(asked, answer.error_code);
    }
    let mut told = Vec::new();
    for topic in &answer.topics {
        let name = TopicName::from(topic.name.as_str());
        told.extend(topic.partitions.iter().map(|partition| Told {
            tp: TopicPartition::new(name.clone(), partition.partition_index),
            code: partition.error_code,
            offset: Offset(partition.committed_offset),
            epoch: LeaderEpoch(partition.committed_leader_epoch),
        }));
    }
    told
}

/// One error code about all that was asked.
pub(crate) fn refused(asked: &[TopicPartition], code: i16) -> Vec<Told> {
    let told = |tp: &TopicPartition| Told {
        tp: tp.clone(),
        code,
        offset: Offset(-1),
        epoch: LeaderEpoch::UNKNOWN,
    };
    asked.iter().map(told).collect()
}

/// A question for offsets. `now` is the wall clock in milliseconds.
pub(crate) fn list_offsets(
    asks: &[Ask],
    isolation: IsolationLevel,
    now: i64,
) -> m::ListOffsetsRequest {
    let topics = by_topic(asks.iter().map(|ask| {
        let partition = ListOffsetsPartition {
            partition_index: ask.tp.partition,
            current_leader_epoch: ask.epoch.0,
            timestamp: timestamp(ask.want, now),
        };
        (&ask.tp, partition)
    }));
    let topics = topics
        .into_iter()
        .map(|(topic, partitions)| ListOffsetsTopic { name: topic.as_str().into(), partitions });
    m::ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation.to_wire(),
        topics: topics.collect(),
        ..Default::default()
    }
}

fn timestamp(want: Want, now: i64) -> i64 {
    match want {
        Want::Earliest => EARLIEST,
        Want::Latest => LATEST,
        Want::Since(age) => {
            now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)).max(0)
        }
    }
}

/// What an answer to [`list_offsets`] says.
pub(crate) fn listed(answer: &m::ListOffsetsResponse) -> Vec<Told> {
    let mut told = Vec::new();
    for topic in &answer.topics {
        let name = TopicName::from(topic.name.as_str());
        told.extend(topic.partitions.iter().map(|partition| Told {
            tp: TopicPartition::new(name.clone(), partition.partition_index),
            code: partition.error_code,
            offset: Offset(partition.offset),
            epoch: LeaderEpoch(partition.leader_epoch),
        }));
    }
    told
}

/// A commit under `group`, by a member of it or by a consumer that is none.
pub(crate) fn offset_commit(
    group: &str,
    entries: &[(TopicPartition, Entry)],
    by: Option<&Identity>,
) -> m::OffsetCommitRequest {
    let topics = by_topic(entries.iter().map(|(tp, entry)| {
        let partition = OffsetCommitRequestPartition {
            partition_index: tp.partition,
            committed_offset: entry.position.0,
            committed_leader_epoch: entry.epoch.0,
            ..Default::default()
        };
        (tp, partition)
    }));
    let topics = topics.into_iter().map(|(topic, partitions)| OffsetCommitRequestTopic {
        name: topic.as_str().into(),
        partitions,
        ..Default::default()
    });
    let mut request = m::OffsetCommitRequest {
        group_id: group.into(),
        topics: topics.collect(),
        ..Default::default()
    };
    if let Some(by) = by {
        request.generation_id_or_member_epoch = by.generation;
        request.member_id = (&*by.member).into();
        request.group_instance_id = by.instance.as_deref().map(Into::into);
    }
    request
}

/// What an answer to [`offset_commit`] says.
pub(crate) fn commit_answer(answer: &m::OffsetCommitResponse) -> Answer {
    let mut codes = Vec::new();
    for topic in &answer.topics {
        let name = TopicName::from(topic.name.as_str());
        codes.extend(topic.partitions.iter().map(|partition| {
            let tp = TopicPartition::new(name.clone(), partition.partition_index);
            (tp, partition.error_code)
        }));
    }
    Answer::Partitions(codes)
}

/// The code that a failed call stands for, when asking again will not help.
pub(crate) fn final_code(error: &Error) -> Option<i16> {
    /// Kafka's `UNSUPPORTED_VERSION`.
    const UNSUPPORTED_VERSION: i16 = 35;
    if let Error::Connection { fault, .. } = error {
        return (!fault.is_retriable()).then_some(UNSUPPORTED_VERSION);
    }
    error.broker_error()
}

fn by_topic<'a, T>(
    all: impl Iterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a TopicName, Vec<T>> {
    let mut topics: BTreeMap<_, Vec<T>> = BTreeMap::new();
    for (tp, it) in all {
        topics.entry(&tp.topic).or_default().push(it);
    }
    topics
}
