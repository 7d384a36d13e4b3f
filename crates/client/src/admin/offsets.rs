//! Offsets: what a log has, what a group has committed, and commits by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay_core::cluster::Destination;
use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::offsets::commit::{Answer, Entry};
use forebay_core::offsets::start::{Ask, Told, Want};
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::types::{LeaderEpoch, Offset, Position, TopicPartition};

use super::Admin;
use crate::config::IsolationLevel;
use crate::consumer::translate;
use crate::error::Error;

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
}

/// An offset that a leader told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ListedOffset {
    /// The offset; -1 when no record matches.
    pub offset: Offset,
    /// Its leader epoch; unknown from older brokers.
    pub epoch: LeaderEpoch,
}

/// An offset that a group has committed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CommittedOffset {
    /// The next offset to consume.
    pub position: Position,
    /// Epoch of the record before it; unknown when it was committed without.
    pub epoch: LeaderEpoch,
}

impl Admin {
    /// One offset of each of `partitions`; records of open transactions count.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] for the first partition that fails for good, [`Error::Timeout`].
    pub async fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<BTreeMap<TopicPartition, ListedOffset>, Error> {
        let mut listed = BTreeMap::new();
        for tp in partitions {
            let attempt = || self.try_list(tp, spec);
            listed.insert(tp.clone(), self.retrying("listing offsets", attempt).await?);
        }
        Ok(listed)
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

    /// Commits `offsets` under `group`, which must have no live members.
    ///
    /// # Errors
    ///
    /// [`Error::GroupHasMembers`], [`Error::Broker`] for the first partition that is refused,
    /// [`Error::Timeout`].
    pub async fn commit_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, Position>,
    ) -> Result<(), Error> {
        self.retrying("committing offsets", || self.try_commit(group, offsets)).await
    }

    async fn try_list(&self, tp: &TopicPartition, spec: OffsetSpec) -> Result<ListedOffset, Error> {
        let want = match spec {
            OffsetSpec::Earliest => Want::Earliest,
            OffsetSpec::Latest => Want::Latest,
            OffsetSpec::Since(age) => Want::Since(age),
        };
        let ask = Ask { tp: tp.clone(), epoch: LeaderEpoch::UNKNOWN, want };
        let now = self.clock.wall_millis();
        let body = translate::list_offsets(&[ask], IsolationLevel::ReadUncommitted, now);
        let to = Destination::Leader(tp.clone());
        let answer = self.cluster.request(to, body, i16::MAX).await?;
        let told = translate::listed(&answer);
        let Told { offset, epoch, .. } = one("ListOffsets", tp, told)?;
        Ok(ListedOffset { offset, epoch })
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
        offsets: &BTreeMap<TopicPartition, Position>,
    ) -> Result<(), Error> {
        let entry = |position| Entry { position, epoch: LeaderEpoch::UNKNOWN };
        let entries: Vec<_> =
            offsets.iter().map(|(tp, position)| (tp.clone(), entry(*position))).collect();
        let body = translate::offset_commit(group, &entries, None);
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

fn one(api: &'static str, tp: &TopicPartition, told: Vec<Told>) -> Result<Told, Error> {
    let told = told.into_iter().find(|told| told.tp == *tp);
    let code = told.as_ref().map_or(-1, |told| told.code);
    told.filter(|_| code == 0).ok_or_else(|| Error::broker(api, tp.to_string(), code))
}
