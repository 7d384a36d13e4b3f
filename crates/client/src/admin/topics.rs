//! Topics: create, delete, list, describe, more partitions.

use std::collections::BTreeMap;

use forebay_core::cluster::Destination;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use forebay_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use forebay_protocol::messages::metadata_request::MetadataRequestTopic;
use forebay_protocol::messages::metadata_response::MetadataResponseTopic;
use forebay_protocol::types::{BrokerId, LeaderEpoch, TopicName, Uuid};

use super::each::only;
use super::route::{offered, outcome};
use super::{Admin, BROKER_TIMEOUT_MS, Each};
use crate::error::Error;

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
        only(self.create_topics(std::slice::from_ref(topic)).await?, &topic.name)
    }

    /// Creates topics, and waits until the cluster knows their partitions and leaders. When an
    /// answer is lost on its way, the next try says `TOPIC_ALREADY_EXISTS` of what it created.
    ///
    /// # Errors
    ///
    /// For each topic [`Error::Broker`] with Kafka's reason; [`Error::Timeout`] when no broker
    /// answers.
    pub async fn create_topics(&self, topics: &[NewTopic]) -> Result<Each<TopicName, ()>, Error> {
        let names = topics.iter().map(|topic| topic.name.clone());
        let attempt = |names: Vec<TopicName>| {
            let asked = topics.iter().filter(|topic| names.contains(&topic.name));
            self.try_create(asked.cloned().collect())
        };
        let mut each = self.each("creating topics", names, attempt).await?;
        let created = each.iter().filter(|(_, result)| result.is_ok());
        let created: Vec<_> = created.map(|(name, _)| name.clone()).collect();
        for name in created {
            if let Err(error) = self.appears(&name).await {
                each.insert(name, Err(error));
            }
        }
        Ok(each)
    }

    /// Deletes a topic.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTopic`], [`Error::Broker`] with Kafka's reason, [`Error::Timeout`].
    pub async fn delete_topic(&self, name: &TopicName) -> Result<(), Error> {
        only(self.delete_topics(std::slice::from_ref(name)).await?, name)
    }

    /// Deletes topics and their records.
    ///
    /// # Errors
    ///
    /// For each topic [`Error::UnknownTopic`], or [`Error::Broker`] with Kafka's reason;
    /// [`Error::Timeout`] when no broker answers.
    pub async fn delete_topics(&self, names: &[TopicName]) -> Result<Each<TopicName, ()>, Error> {
        let attempt = |names: Vec<TopicName>| async move {
            let body = m::DeleteTopicsRequest {
                topic_names: names.iter().map(|name| name.as_str().into()).collect(),
                timeout_ms: BROKER_TIMEOUT_MS,
                ..Default::default()
            };
            let to = Destination::Controller;
            let answer = self.cluster.request(to, body, DELETE_BY_NAME_AT_MOST).await?;
            let results = answer.responses.iter().filter_map(|it| {
                let name = TopicName::from(it.name.as_ref()?.as_str());
                let words = it.error_message.as_deref();
                let deleted = outcome("DeleteTopics", &name, it.error_code, words);
                Some((name.clone(), deleted.map_err(|error| gone(error, &name))))
            });
            Ok(results.collect())
        };
        self.each("deleting topics", names.iter().cloned(), attempt).await
    }

    /// Gives topics more partitions: so many in total. Records stay where they are, and keys go to
    /// other partitions from now on.
    ///
    /// # Errors
    ///
    /// For each topic [`Error::UnknownTopic`], or [`Error::Broker`] with Kafka's reason,
    /// `INVALID_PARTITIONS` when there are as many already. [`Error::NotOffered`] with brokers
    /// before 1.0, [`Error::Timeout`] when none answers.
    pub async fn create_partitions(
        &self,
        totals: &BTreeMap<TopicName, i32>,
    ) -> Result<Each<TopicName, ()>, Error> {
        let attempt = |names: Vec<TopicName>| async move {
            let topic = |name: &TopicName| CreatePartitionsTopic {
                name: name.as_str().into(),
                count: totals.get(name).copied().unwrap_or(0),
                assignments: None,
            };
            let body = m::CreatePartitionsRequest {
                topics: names.iter().map(topic).collect(),
                timeout_ms: BROKER_TIMEOUT_MS,
                validate_only: false,
            };
            let answer = self.cluster.request(Destination::Controller, body, i16::MAX).await;
            let answer = answer.map_err(offered("adding partitions", "1.0"))?;
            let results = answer.results.iter().map(|it| {
                let name = TopicName::from(it.name.as_str());
                let words = it.error_message.as_deref();
                let grown = outcome("CreatePartitions", &name, it.error_code, words);
                (name.clone(), grown.map_err(|error| gone(error, &name)))
            });
            Ok(results.collect())
        };
        self.each("adding partitions", totals.keys().cloned(), attempt).await
    }

    /// All topics, Kafka's own too.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when no broker answers.
    pub async fn list_topics(&self) -> Result<Vec<TopicDescription>, Error> {
        let attempt = || async {
            let answer = self.cluster.request(Destination::Any, metadata(None), i16::MAX).await?;
            Ok(answer.topics.iter().filter_map(describe).collect())
        };
        self.retrying("listing topics", attempt).await
    }

    /// One topic.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTopic`] when no broker has heard of it for two seconds, [`Error::Broker`]
    /// with Kafka's reason, [`Error::Timeout`].
    pub async fn describe_topic(&self, name: &TopicName) -> Result<TopicDescription, Error> {
        only(self.describe_topics(std::slice::from_ref(name)).await?, name)
    }

    /// These topics.
    ///
    /// # Errors
    ///
    /// For each topic [`Error::UnknownTopic`] when no broker has heard of it for two seconds, or
    /// [`Error::Broker`] with Kafka's reason; [`Error::Timeout`] when no broker answers.
    pub async fn describe_topics(
        &self,
        names: &[TopicName],
    ) -> Result<Each<TopicName, TopicDescription>, Error> {
        let attempt = |names: Vec<TopicName>| async move { self.try_describe(&names).await };
        let mut each = self.each("describing topics", names.iter().cloned(), attempt).await?;
        for (name, described) in &mut each {
            if let Err(error) = described {
                *error = never_heard_of(error.clone(), name);
            }
        }
        Ok(each)
    }

    /// Waits until all partitions of a new topic have leaders.
    async fn appears(&self, name: &TopicName) -> Result<(), Error> {
        self.retrying("waiting for a new topic", || async {
            let described = only(self.try_describe(std::slice::from_ref(name)).await?, name)?;
            let ready = described.partitions.iter().all(|it| it.leader.is_some());
            if ready && !described.partitions.is_empty() { Ok(()) } else { Err(unknown(name)) }
        })
        .await
    }

    async fn try_create(&self, topics: Vec<NewTopic>) -> Result<Each<TopicName, ()>, Error> {
        let make = move |version| create_request(&topics, version);
        let answer = self.cluster.ask(Destination::Controller, make, i16::MAX).await?;
        let results = answer.topics.iter().map(|it| {
            let name = TopicName::from(it.name.as_str());
            let words = it.error_message.as_deref();
            (name.clone(), outcome("CreateTopics", &name, it.error_code, words))
        });
        Ok(results.collect())
    }

    /// What any broker says of topics; those it does not mention are unknown.
    pub(super) async fn try_describe(
        &self,
        names: &[TopicName],
    ) -> Result<Each<TopicName, TopicDescription>, Error> {
        let topic = |name: &TopicName| MetadataRequestTopic {
            name: Some(name.as_str().into()),
            ..Default::default()
        };
        let body = metadata(Some(names.iter().map(topic).collect()));
        let answer = self.cluster.request(Destination::Any, body, i16::MAX).await?;
        let mut each: Each<_, _> =
            names.iter().map(|name| (name.clone(), Err(unknown(name)))).collect();
        for topic in &answer.topics {
            let Some(name) = topic.name.as_ref() else { continue };
            let name = TopicName::from(name.as_str());
            let described = outcome("Metadata", &name, topic.error_code, None)
                .and_then(|()| describe(topic).ok_or_else(|| unknown(&name)));
            each.insert(name, described);
        }
        Ok(each)
    }
}

/// A question about topics, or about all; none of them is created by being asked for.
fn metadata(topics: Option<Vec<MetadataRequestTopic>>) -> m::MetadataRequest {
    m::MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() }
}

fn unknown(name: &TopicName) -> Error {
    Error::broker("Metadata", name.as_str(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0)
}

/// Final at a controller, which knows all topics: what it does not know does not exist.
fn gone(error: Error, name: &TopicName) -> Error {
    if matches!(error, Error::Broker { code: 3, .. }) {
        return Error::UnknownTopic { topic: name.clone() };
    }
    error
}

/// Also when it was the last thing heard before the time was over.
fn never_heard_of(error: Error, name: &TopicName) -> Error {
    match error.broker_error() {
        Some(3) => Error::UnknownTopic { topic: name.clone() },
        _ => error,
    }
}

fn create_request(topics: &[NewTopic], version: i16) -> m::CreateTopicsRequest {
    m::CreateTopicsRequest {
        topics: topics.iter().map(|topic| creatable(topic, version)).collect(),
        timeout_ms: BROKER_TIMEOUT_MS,
        ..Default::default()
    }
}

fn creatable(topic: &NewTopic, version: i16) -> CreatableTopic {
    let has_defaults = DEFAULTS_FROM <= version;
    let configs = topic.configs.iter().map(|(key, value)| CreatableTopicConfig {
        name: key.as_str().into(),
        value: Some(value.as_str().into()),
    });
    CreatableTopic {
        name: topic.name.as_str().into(),
        num_partitions: if has_defaults { topic.partitions } else { topic.partitions.max(1) },
        replication_factor: if has_defaults {
            topic.replication_factor
        } else {
            topic.replication_factor.max(1)
        },
        configs: configs.collect(),
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
