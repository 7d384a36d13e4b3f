//! Topics: create, delete, list, describe.

use forebay_core::cluster::Destination;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use forebay_protocol::messages::metadata_request::MetadataRequestTopic;
use forebay_protocol::messages::metadata_response::MetadataResponseTopic;
use forebay_protocol::types::{BrokerId, LeaderEpoch, TopicName, Uuid};

use super::Admin;
use crate::error::Error;

/// How long a broker may take to create or delete.
const BROKER_TIMEOUT_MS: i32 = 30_000;
/// First `CreateTopics` in which "the broker's default" can be said.
const DEFAULTS_FROM: i16 = 4;
/// The newest `DeleteTopics` that goes by names alone.
const DELETE_BY_NAME_AT_MOST: i16 = 5;

/// A topic to create.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// Partitions; -1 for the broker's default (1 with brokers before 2.4).
    pub partitions: i32,
    /// Replicas of each; -1 for the broker's default (1 with brokers before 2.4).
    pub replication_factor: i16,
    /// Settings, by Kafka's names.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with `partitions` partitions and the broker's other defaults.
    pub fn new(name: impl Into<TopicName>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, replication_factor: -1, configs: Vec::new() }
    }

    /// With so many replicas of each partition.
    #[must_use]
    pub const fn replication_factor(mut self, replicas: i16) -> Self {
        self.replication_factor = replicas;
        self
    }

    /// With a setting, by Kafka's name.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((key.into(), value.into()));
        self
    }
}

/// What a cluster knows of a topic.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its name.
    pub name: TopicName,
    /// Its id; zero with brokers before 2.8.
    pub id: Uuid,
    /// Whether Kafka made it for itself.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionDescription>,
}

/// What a cluster knows of a partition.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// Its leader, if it has one.
    pub leader: Option<BrokerId>,
    /// Which leadership this is.
    pub leader_epoch: LeaderEpoch,
    /// Who holds it.
    pub replicas: Vec<BrokerId>,
    /// Who holds all of it.
    pub in_sync: Vec<BrokerId>,
}

impl Admin {
    /// Creates a topic and waits until the cluster knows its partitions and their leaders.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] with Kafka's reason, `TOPIC_ALREADY_EXISTS` among them;
    /// [`Error::Timeout`].
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<(), Error> {
        self.retrying("creating a topic", || self.try_create(topic)).await?;
        self.retrying("waiting for a new topic", || async {
            let described = self.try_describe(&topic.name).await?;
            let ready = described.partitions.iter().all(|it| it.leader.is_some());
            if ready && !described.partitions.is_empty() {
                Ok(())
            } else {
                Err(unknown(&topic.name))
            }
        })
        .await
    }

    /// Deletes a topic.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTopic`], [`Error::Broker`] with Kafka's reason, [`Error::Timeout`].
    pub async fn delete_topic(&self, name: &TopicName) -> Result<(), Error> {
        let attempt = || async {
            let body = m::DeleteTopicsRequest {
                topic_names: vec![name.as_str().into()],
                timeout_ms: BROKER_TIMEOUT_MS,
                ..Default::default()
            };
            let to = Destination::Controller;
            let answer = self.cluster.request(to, body, DELETE_BY_NAME_AT_MOST).await?;
            let code = answer.responses.first().map_or(-1, |it| it.error_code);
            match ErrorCode(code) {
                ErrorCode::NONE => Ok(()),
                // Final here: what is to be deleted does not exist.
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                    Err(Error::UnknownTopic { topic: name.clone() })
                }
                _ => Err(Error::broker("DeleteTopics", name.as_str(), code)),
            }
        };
        self.retrying("deleting a topic", attempt).await
    }

    /// All topics, Kafka's own too.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when no broker answers.
    pub async fn list_topics(&self) -> Result<Vec<TopicDescription>, Error> {
        let attempt = || async {
            let body = m::MetadataRequest {
                topics: None,
                allow_auto_topic_creation: false,
                ..Default::default()
            };
            let answer = self.cluster.request(Destination::Any, body, i16::MAX).await?;
            Ok(answer.topics.iter().filter_map(describe).collect())
        };
        self.retrying("listing topics", attempt).await
    }

    /// One topic. A topic that was created a moment ago may not be known yet.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTopic`], [`Error::Broker`] with Kafka's reason, [`Error::Timeout`].
    pub async fn describe_topic(&self, name: &TopicName) -> Result<TopicDescription, Error> {
        let described = self.retrying("describing a topic", || self.try_describe(name)).await;
        match described {
            Err(error) if error.broker_error() == Some(3) => {
                Err(Error::UnknownTopic { topic: name.clone() })
            }
            other => other,
        }
    }

    async fn try_create(&self, topic: &NewTopic) -> Result<(), Error> {
        let topic = topic.clone();
        let name = topic.name.clone();
        let make = move |version| create_request(&topic, version);
        let answer = self.cluster.ask(Destination::Controller, make, i16::MAX).await?;
        let result = answer.topics.first();
        let code = result.map_or(-1, |it| it.error_code);
        if code == 0 {
            return Ok(());
        }
        let message = result.and_then(|it| it.error_message.as_ref());
        let words = message.map(|words| words.as_str().into());
        Err(Error::broker("CreateTopics", name.as_str(), code).with_message(words))
    }

    async fn try_describe(&self, name: &TopicName) -> Result<TopicDescription, Error> {
        let topic = MetadataRequestTopic { name: Some(name.as_str().into()), ..Default::default() };
        let body = m::MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = self.cluster.request(Destination::Any, body, i16::MAX).await?;
        let topic = answer.topics.first().ok_or_else(|| unknown(name))?;
        match topic.error_code {
            0 => describe(topic).ok_or_else(|| unknown(name)),
            code => Err(Error::broker("Metadata", name.as_str(), code)),
        }
    }
}

fn unknown(name: &TopicName) -> Error {
    Error::broker("Metadata", name.as_str(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0)
}

fn create_request(topic: &NewTopic, version: i16) -> m::CreateTopicsRequest {
    let has_defaults = DEFAULTS_FROM <= version;
    let configs = topic.configs.iter().map(|(key, value)| CreatableTopicConfig {
        name: key.as_str().into(),
        value: Some(value.as_str().into()),
    });
    let created = CreatableTopic {
        name: topic.name.as_str().into(),
        num_partitions: if has_defaults { topic.partitions } else { topic.partitions.max(1) },
        replication_factor: if has_defaults {
            topic.replication_factor
        } else {
            topic.replication_factor.max(1)
        },
        configs: configs.collect(),
        ..Default::default()
    };
    m::CreateTopicsRequest {
        topics: vec![created],
        timeout_ms: BROKER_TIMEOUT_MS,
        ..Default::default()
    }
}

fn describe(topic: &MetadataResponseTopic) -> Option<TopicDescription> {
    let ids = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect();
    let mut partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|it| PartitionDescription {
            partition: it.partition_index,
            leader: (0 <= it.leader_id).then_some(BrokerId(it.leader_id)),
            leader_epoch: LeaderEpoch(it.leader_epoch),
            replicas: ids(&it.replica_nodes),
            in_sync: ids(&it.isr_nodes),
        })
        .collect();
    partitions.sort_by_key(|it| it.partition);
    Some(TopicDescription {
        name: topic.name.as_ref()?.as_str().into(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions,
    })
}
