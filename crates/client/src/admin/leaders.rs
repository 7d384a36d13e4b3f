//! Who leads and who holds partitions: elections, and moving replicas.

use std::collections::BTreeMap;

use forebay_core::cluster::Destination;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::messages::alter_partition_reassignments_request as alter;
use forebay_protocol::messages::elect_leaders_request::TopicPartitions;
use forebay_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use forebay_protocol::types::{BrokerId, TopicName, TopicPartition};

use super::route::{offered, outcome, topics_of};
use super::{Admin, BROKER_TIMEOUT_MS, Each};
use crate::error::Error;

/// First `ElectLeaders` that knows kinds of elections.
const KINDS_FROM: i16 = 1;
const REASSIGNING: (&str, &str) = ("moving replicas", "2.4");

/// Who may be elected.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Election {
    /// The first of the replicas, if it is in sync.
    #[default]
    Preferred,
    /// Any replica that is up when none is in sync: what it has not copied is lost.
    Unclean,
}

/// How an election ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Elected {
    /// There is a new leader.
    Now,
    /// The leader was the right one already.
    NotNeeded,
}

/// Replicas on their way from broker to broker.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reassignment {
    /// All replicas now: those that stay, those that come, those that go.
    pub replicas: Vec<BrokerId>,
    /// Those that come.
    pub adding: Vec<BrokerId>,
    /// Those that go.
    pub removing: Vec<BrokerId>,
}

impl Admin {
    /// Elects leaders of partitions.
    ///
    /// # Errors
    ///
    /// For each partition [`Error::Broker`] with Kafka's reason, `PREFERRED_LEADER_NOT_AVAILABLE`
    /// among them. [`Error::NotOffered`] with brokers before 2.2, for unclean elections before 2.4;
    /// [`Error::Timeout`].
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: &[TopicPartition],
    ) -> Result<Each<TopicPartition, Elected>, Error> {
        self.retrying("electing leaders", || self.try_elect(election, partitions)).await
    }

    async fn try_elect(
        &self,
        election: Election,
        partitions: &[TopicPartition],
    ) -> Result<Each<TopicPartition, Elected>, Error> {
        let topics = topics_of(partitions).into_iter().map(|(topic, partitions)| TopicPartitions {
            topic: topic.as_str().into(),
            partitions,
        });
        let (election_type, since, oldest) = match election {
            Election::Preferred => (0, "2.2", 0),
            Election::Unclean => (1, "2.4", KINDS_FROM),
        };
        let body = m::ElectLeadersRequest {
            election_type,
            topic_partitions: Some(topics.collect()),
            timeout_ms: BROKER_TIMEOUT_MS,
        };
        let make = move |_| body.clone();
        let answer = self.cluster.begin(Destination::Controller, make, (oldest, i16::MAX)).await;
        let answer = answer.map_err(offered("electing leaders", since))?;
        outcome("ElectLeaders", "", answer.error_code, None)?;
        let mut each = Each::new();
        for topic in &answer.replica_election_results {
            for it in &topic.partition_result {
                let tp = TopicPartition::new(topic.topic.as_str(), it.partition_id);
                if ErrorCode(it.error_code) == ErrorCode::NOT_CONTROLLER {
                    outcome("ElectLeaders", &tp, it.error_code, None)?;
                }
                let elected = if ErrorCode(it.error_code) == ErrorCode::ELECTION_NOT_NEEDED {
                    Ok(Elected::NotNeeded)
                } else {
                    let words = it.error_message.as_deref();
                    outcome("ElectLeaders", &tp, it.error_code, words).map(|()| Elected::Now)
                };
                each.insert(tp, elected);
            }
        }
        Ok(each)
    }

    /// Moves the replicas of partitions to these brokers, the first of which leads; `None` stops a
    /// move that is under way. Returns when the cluster has begun, not when all is copied:
    /// [`list_partition_reassignments`](Self::list_partition_reassignments) shows what still moves.
    ///
    /// # Errors
    ///
    /// For each partition [`Error::Broker`] with Kafka's reason, `INVALID_REPLICA_ASSIGNMENT` and
    /// `NO_REASSIGNMENT_IN_PROGRESS` among them. [`Error::NotOffered`] with brokers before 2.4,
    /// [`Error::Timeout`].
    pub async fn alter_partition_reassignments(
        &self,
        targets: &BTreeMap<TopicPartition, Option<Vec<BrokerId>>>,
    ) -> Result<Each<TopicPartition, ()>, Error> {
        let attempt = |partitions: Vec<TopicPartition>| async move {
            let body = alter_request(&partitions, targets);
            let answer = self.cluster.request(Destination::Controller, body, i16::MAX).await;
            let answer = answer.map_err(offered(REASSIGNING.0, REASSIGNING.1))?;
            let api = "AlterPartitionReassignments";
            outcome(api, "", answer.error_code, answer.error_message.as_deref())?;
            let results = answer.responses.iter().flat_map(|topic| {
                topic.partitions.iter().map(move |it| {
                    let tp = TopicPartition::new(topic.name.as_str(), it.partition_index);
                    let words = it.error_message.as_deref();
                    let begun = outcome(api, &tp, it.error_code, words);
                    (tp, begun)
                })
            });
            Ok(results.collect())
        };
        self.each(REASSIGNING.0, targets.keys().cloned(), attempt).await
    }

    /// The replicas that move now, of these partitions or of all.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] with Kafka's reason. [`Error::NotOffered`] with brokers before 2.4,
    /// [`Error::Timeout`].
    pub async fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, Error> {
        let topics = partitions.map(|partitions| {
            let topics = topics_of(partitions).into_iter();
            let asked = topics.map(|(name, partition_indexes)| ListPartitionReassignmentsTopics {
                name: name.as_str().into(),
                partition_indexes,
            });
            asked.collect()
        });
        let body = m::ListPartitionReassignmentsRequest { timeout_ms: BROKER_TIMEOUT_MS, topics };
        self.retrying("listing moving replicas", || self.try_list_moving(body.clone())).await
    }

    async fn try_list_moving(
        &self,
        body: m::ListPartitionReassignmentsRequest,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, Error> {
        let answer = self.cluster.request(Destination::Controller, body, i16::MAX).await;
        let answer = answer.map_err(offered(REASSIGNING.0, REASSIGNING.1))?;
        let words = answer.error_message.as_deref();
        outcome("ListPartitionReassignments", "", answer.error_code, words)?;
        let ids = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect();
        let moving = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |it| {
                let tp = TopicPartition::new(topic.name.as_str(), it.partition_index);
                let moving = Reassignment {
                    replicas: ids(&it.replicas),
                    adding: ids(&it.adding_replicas),
                    removing: ids(&it.removing_replicas),
                };
                (tp, moving)
            })
        });
        Ok(moving.collect())
    }
}

fn alter_request(
    partitions: &[TopicPartition],
    targets: &BTreeMap<TopicPartition, Option<Vec<BrokerId>>>,
) -> m::AlterPartitionReassignmentsRequest {
    let partition = |topic: &TopicName, partition_index: i32| {
        let target = targets.get(&TopicPartition::new(topic.clone(), partition_index));
        let brokers = target.and_then(Option::as_ref);
        let replicas = brokers.map(|brokers| brokers.iter().map(|broker| broker.0).collect());
        alter::ReassignablePartition { partition_index, replicas }
    };
    let topics = topics_of(partitions).into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|it| partition(&topic, it)).collect();
        alter::ReassignableTopic { name: topic.as_str().into(), partitions }
    });
    m::AlterPartitionReassignmentsRequest {
        timeout_ms: BROKER_TIMEOUT_MS,
        topics: topics.collect(),
        ..Default::default()
    }
}
