//! Offsets: what a log has, what a group has committed, and commits by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay_core::cluster::Destination;
use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::offsets::commit::{Answer, Entry};
use forebay_core::offsets::start::Told;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use forebay_protocol::types::{LeaderEpoch, Offset, Position, TopicPartition};

use super::route::{offered, outcome, topics_of};
use super::{Admin, Each};
use crate::config::IsolationLevel;
use crate::consumer::translate;
use crate::error::Error;

/// First `ListOffsets` that finds the greatest timestamp.
const MAX_TIMESTAMP_FROM: i16 = 7;

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OffsetSpec {
    /// The first record there is.
    Earliest,
    /// The end: one past the last record.
    Latest,
    /// The first record not older than this.
    Since(Duration),
    /// The first record with this timestamp or a later one, in milliseconds since 1970.
    At(i64),
    /// The record with the greatest timestamp. Brokers before 3.0 cannot tell.
    MaxTimestamp,
}

/// An offset that a leader told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ListedOffset {
    /// The offset; -1 when no record matches.
    pub offset: Offset,
    /// Its leader epoch; unknown from older brokers.
    pub epoch: LeaderEpoch,
    /// The record's timestamp in milliseconds since 1970, where a record was asked for by time.
    pub timestamp: Option<i64>,
}

/// An offset that a group has committed, or is to commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CommittedOffset {
    /// The next offset to consume.
    pub position: Position,
    /// Epoch of the record before it; unknown when it was committed without.
    pub epoch: LeaderEpoch,
}

impl CommittedOffset {
    /// A commit of `position` with the leader epoch that is known for it: from
    /// [`ListedOffset::epoch`] or another group's commit. By it a consumer that begins there notices
    /// a log that was cut (KIP-320).
    #[must_use]
    pub const fn new(position: Position, epoch: LeaderEpoch) -> Self {
        Self { position, epoch }
    }
}

/// A commit without leader epoch.
impl From<Position> for CommittedOffset {
    fn from(position: Position) -> Self {
        Self::new(position, LeaderEpoch::UNKNOWN)
    }
}

impl Admin {
    /// One offset of each of `partitions`; records of open transactions count.
    ///
    /// # Errors
    ///
    /// For each partition [`Error::Broker`] with Kafka's reason; [`Error::NotOffered`] for
    /// [`OffsetSpec::MaxTimestamp`] with brokers before 3.0; [`Error::Timeout`].
    pub async fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<Each<TopicPartition, ListedOffset>, Error> {
        let timestamp = self.timestamp(spec);
        let oldest = if spec == OffsetSpec::MaxTimestamp { MAX_TIMESTAMP_FROM } else { 0 };
        let make = |partitions: &[TopicPartition]| list_request(partitions, timestamp);
        let attempt = |partitions: Vec<TopicPartition>| async move {
            let mut each =
                self.ask_leaders(&partitions, (make, oldest), |answer| listed(&answer)).await?;
            let told = offered("offsets by the greatest timestamp", "3.0");
            for result in each.values_mut().filter_map(|result| result.as_mut().err()) {
                *result = told(result.clone());
            }
            Ok(each)
        };
        self.each("listing offsets", partitions.iter().cloned(), attempt).await
    }

    /// Kafka's number for what is asked: a time, or what stands for one.
    fn timestamp(&self, spec: OffsetSpec) -> i64 {
        match spec {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::At(millis) => millis.max(0),
            OffsetSpec::Since(age) => {
                let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                self.clock.wall_millis().saturating_sub(age).max(0)
            }
        }
    }

    /// What `group` has committed for `partitions`; those without a commit are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] for the first partition that fails for good, [`Error::Timeout`].
    pub async fn committed_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, Error> {
        self.retrying("fetching committed offsets", || self.try_committed(group, partitions)).await
    }

    /// Commits `offsets` under `group`, which must have no live members: each a [`Position`], or a
    /// [`CommittedOffset`] where its leader epoch is known.
    ///
    /// # Errors
    ///
    /// [`Error::GroupHasMembers`], [`Error::Broker`] for the first partition that is refused,
    /// [`Error::Timeout`].
    pub async fn commit_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, impl Into<CommittedOffset> + Copy>,
    ) -> Result<(), Error> {
        let entry = |it: CommittedOffset| Entry { position: it.position, epoch: it.epoch };
        let entries = offsets.iter().map(|(tp, it)| (tp.clone(), entry((*it).into())));
        let entries: Vec<_> = entries.collect();
        self.retrying("committing offsets", || self.try_commit(group, &entries)).await
    }

    async fn try_committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, Error> {
        let (name, tps) = (group.to_owned(), partitions.to_vec());
        let make = move |version| translate::offset_fetch(&name, &tps, version);
        let to = Destination::Coordinator(CoordinatorKey::Group(group.into()));
        let answer = self.cluster.ask(to, make, translate::OFFSET_FETCH_AT_MOST).await?;
        let told = translate::committed(partitions, &answer);
        let mut committed = BTreeMap::new();
        for Told { tp, code, offset, epoch } in told {
            self.check(group, "OffsetFetch", &tp, code)?;
            if 0 <= offset.0 {
                let position = Position(offset.0);
                committed.insert(tp, CommittedOffset { position, epoch });
            }
        }
        Ok(committed)
    }

    async fn try_commit(
        &self,
        group: &str,
        entries: &[(TopicPartition, Entry)],
    ) -> Result<(), Error> {
        let body = translate::offset_commit(group, entries, None);
        let to = Destination::Coordinator(CoordinatorKey::Group(group.into()));
        let answer = self.cluster.request(to, body, translate::OFFSET_COMMIT_AT_MOST).await?;
        let Answer::Partitions(codes) = translate::commit_answer(&answer) else {
            return Ok(());
        };
        for (tp, code) in codes {
            if code == ErrorCode::UNKNOWN_MEMBER_ID.0 {
                return Err(Error::GroupHasMembers { group: group.into() });
            }
            self.check(group, "OffsetCommit", &tp, code)?;
        }
        Ok(())
    }

    fn check(
        &self,
        group: &str,
        api: &'static str,
        tp: &TopicPartition,
        code: i16,
    ) -> Result<(), Error> {
        if code == 0 {
            return Ok(());
        }
        if matches!(
            ErrorCode(code),
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE
        ) {
            self.cluster.wrong_coordinator(CoordinatorKey::Group(group.into()));
        }
        Err(Error::broker(api, tp.to_string(), code))
    }
}

fn list_request(partitions: &[TopicPartition], timestamp: i64) -> m::ListOffsetsRequest {
    let topics = topics_of(partitions).into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|partition_index| ListOffsetsPartition {
            partition_index,
            timestamp,
            ..Default::default()
        });
        ListOffsetsTopic { name: topic.as_str().into(), partitions: partitions.collect() }
    });
    m::ListOffsetsRequest {
        replica_id: -1,
        isolation_level: IsolationLevel::ReadUncommitted.to_wire(),
        topics: topics.collect(),
        ..Default::default()
    }
}

fn listed(answer: &m::ListOffsetsResponse) -> Each<TopicPartition, ListedOffset> {
    let results = answer.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|it| {
            let tp = TopicPartition::new(topic.name.as_str(), it.partition_index);
            let told = outcome("ListOffsets", &tp, it.error_code, None);
            let offset = ListedOffset {
                offset: Offset(it.offset),
                epoch: LeaderEpoch(it.leader_epoch),
                timestamp: (0 <= it.timestamp).then_some(it.timestamp),
            };
            (tp, told.map(|()| offset))
        })
    });
    results.collect()
}
