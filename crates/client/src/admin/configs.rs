//! Settings of topics and brokers: what they are, and changing some of them.

use std::collections::BTreeMap;
use std::fmt;

use forebay_core::cluster::Destination;
use forebay_protocol::messages as m;
use forebay_protocol::messages::alter_configs_request as whole;
use forebay_protocol::messages::describe_configs_request::DescribeConfigsResource;
use forebay_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use forebay_protocol::messages::incremental_alter_configs_request as steps;
use forebay_protocol::types::{BrokerId, TopicName};

use super::route::{offered, outcome};
use super::{Admin, Each};
use crate::error::Error;

/// Kafka's numbers of what has settings.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Kafka's numbers of changes.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// What has settings.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ConfigResource {
    /// A topic.
    Topic(TopicName),
    /// A broker.
    Broker(BrokerId),
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
        }
    }
}

/// A setting and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// Its value; none where the broker keeps it secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can only be changed in the broker's own file.
    pub is_read_only: bool,
    /// Whether the broker keeps it secret.
    pub is_sensitive: bool,
}

/// Where a setting's value comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConfigSource {
    /// It was set for this topic.
    Topic,
    /// It was set for this broker while it ran.
    DynamicBroker,
    /// It was set for all brokers while they ran.
    DynamicDefaultBroker,
    /// It stands in the broker's own file.
    StaticBroker,
    /// It is Kafka's default.
    Default,
    /// The broker did not say, or said something newer than this client.
    Unknown,
}

/// What becomes of a setting.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConfigChange {
    /// This is its value from now on.
    Set(String),
    /// It goes back to the default.
    Delete,
    /// These are added to its list.
    Append(String),
    /// These are taken out of its list.
    Subtract(String),
}

/// Settings by name.
type Entries = BTreeMap<String, ConfigEntry>;

impl Admin {
    /// All settings of topics and brokers, by Kafka's names.
    ///
    /// # Errors
    ///
    /// For each resource [`Error::Broker`] with Kafka's reason; [`Error::Timeout`].
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
    ) -> Result<Each<ConfigResource, BTreeMap<String, ConfigEntry>>, Error> {
        let attempt = |resources: Vec<ConfigResource>| async move {
            let mut each = Each::new();
            for (to, resources) in routes(resources) {
                match self.try_describe_configs(to, &resources).await {
                    Ok(described) => each.extend(described),
                    Err(error) => {
                        each.extend(resources.into_iter().map(|it| (it, Err(error.clone()))));
                    }
                }
            }
            Ok(each)
        };
        self.each("describing configs", resources.iter().cloned(), attempt).await
    }

    /// Changes some settings and leaves the others alone.
    ///
    /// Brokers before 2.3 can only replace all settings of a topic at once. There this reads those
    /// that were set, changes them, and writes all of them back: a change that somebody else makes
    /// in between is lost, and settings that the broker keeps secret cannot be kept, so that such
    /// topics are refused. Brokers' own settings are not changed there.
    ///
    /// # Errors
    ///
    /// For each resource [`Error::Broker`] with Kafka's reason; [`Error::NotOffered`] for brokers'
    /// own settings before 2.3; [`Error::Timeout`].
    pub async fn alter_configs(
        &self,
        changes: &BTreeMap<ConfigResource, Vec<(String, ConfigChange)>>,
    ) -> Result<Each<ConfigResource, ()>, Error> {
        let of = |resources: Vec<ConfigResource>| {
            let changes = resources.iter().filter_map(|it| changes.get_key_value(it));
            changes.map(|(resource, changes)| (resource.clone(), changes.clone())).collect()
        };
        let steps = |resources| self.try_alter(of(resources));
        let whole = |resources| self.try_replace(of(resources));
        let what = "altering configs";
        match self.each(what, changes.keys().cloned(), steps).await {
            Err(Error::NotOffered { .. }) => self.each(what, changes.keys().cloned(), whole).await,
            other => other,
        }
    }

    async fn try_describe_configs(
        &self,
        to: Destination,
        resources: &[ConfigResource],
    ) -> Result<Each<ConfigResource, Entries>, Error> {
        let resource = |it: &ConfigResource| {
            let (resource_type, name) = to_wire(it);
            let resource_name = name.as_str().into();
            DescribeConfigsResource { resource_type, resource_name, configuration_keys: None }
        };
        let body = m::DescribeConfigsRequest {
            resources: resources.iter().map(resource).collect(),
            ..Default::default()
        };
        let answer = self.cluster.request(to, body, i16::MAX).await?;
        let results = answer.results.iter().filter_map(|it| {
            let resource = from_wire(it.resource_type, &it.resource_name)?;
            let words = it.error_message.as_deref();
            let entries = outcome("DescribeConfigs", &resource, it.error_code, words)
                .map(|()| it.configs.iter().map(|row| entry(it.resource_type, row)).collect());
            Some((resource, entries))
        });
        Ok(results.collect())
    }

    async fn try_alter(&self, changes: Changes) -> Result<Each<ConfigResource, ()>, Error> {
        let mut each = Each::new();
        for (to, resources) in routes(changes.keys().cloned().collect()) {
            let resources = resources.iter().filter_map(|it| changes.get_key_value(it));
            let body = m::IncrementalAlterConfigsRequest {
                resources: resources.map(|(resource, changes)| step(resource, changes)).collect(),
                validate_only: false,
            };
            let answer = self.cluster.request(to, body, i16::MAX).await;
            let answer = answer.map_err(offered("altering single configs", "2.3"))?;
            each.extend(answer.responses.iter().filter_map(|it| {
                let resource = from_wire(it.resource_type, &it.resource_name)?;
                let words = it.error_message.as_deref();
                let altered = outcome("IncrementalAlterConfigs", &resource, it.error_code, words);
                Some((resource, altered))
            }));
        }
        Ok(each)
    }

    /// Reads, changes and writes all settings of topics.
    async fn try_replace(&self, changes: Changes) -> Result<Each<ConfigResource, ()>, Error> {
        let mut each = Each::new();
        let mut resources = Vec::new();
        let topics: Vec<_> = changes.keys().filter(|it| is_topic(it)).cloned().collect();
        let mut known = self.try_describe_configs(Destination::Any, &topics).await?;
        for (resource, changes) in &changes {
            let feature = "altering configs of brokers";
            let entries = known.remove(resource);
            let entries = entries.unwrap_or(Err(Error::NotOffered { feature, since: "2.3" }));
            match entries.and_then(|entries| replacement(resource, entries, changes)) {
                Ok(replacement) => resources.push(replacement),
                Err(error) => drop(each.insert(resource.clone(), Err(error))),
            }
        }
        let body = m::AlterConfigsRequest { resources, validate_only: false };
        let answer = self.cluster.request(Destination::Any, body, i16::MAX).await?;
        each.extend(answer.responses.iter().filter_map(|it| {
            let resource = from_wire(it.resource_type, &it.resource_name)?;
            let words = it.error_message.as_deref();
            let altered = outcome("AlterConfigs", &resource, it.error_code, words);
            Some((resource, altered))
        }));
        Ok(each)
    }
}

type Changes = BTreeMap<ConfigResource, Vec<(String, ConfigChange)>>;

const fn is_topic(resource: &ConfigResource) -> bool {
    matches!(resource, ConfigResource::Topic(_))
}

/// Topics' settings are known to all, a broker's only to itself.
fn routes(resources: Vec<ConfigResource>) -> Vec<(Destination, Vec<ConfigResource>)> {
    let (topics, brokers): (Vec<_>, Vec<_>) = resources.into_iter().partition(is_topic);
    let own = brokers.into_iter().filter_map(|resource| match resource {
        ConfigResource::Broker(id) => Some((Destination::Broker(id), vec![resource])),
        ConfigResource::Topic(_) => None,
    });
    let all = (!topics.is_empty()).then_some((Destination::Any, topics));
    all.into_iter().chain(own).collect()
}

fn to_wire(resource: &ConfigResource) -> (i8, String) {
    match resource {
        ConfigResource::Topic(name) => (TOPIC, name.as_str().to_owned()),
        ConfigResource::Broker(id) => (BROKER, id.0.to_string()),
    }
}

fn from_wire(kind: i8, name: &str) -> Option<ConfigResource> {
    match kind {
        TOPIC => Some(ConfigResource::Topic(name.into())),
        BROKER => Some(ConfigResource::Broker(BrokerId(name.parse().ok()?))),
        _ => None,
    }
}

fn entry(kind: i8, row: &DescribeConfigsResourceResult) -> (String, ConfigEntry) {
    let source = match row.config_source {
        1 => ConfigSource::Topic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        // Before 1.1 brokers only say whether it is a default.
        _ if row.is_default => ConfigSource::Default,
        _ if kind == TOPIC => ConfigSource::Topic,
        _ => ConfigSource::Unknown,
    };
    let entry = ConfigEntry {
        value: row.value.as_ref().map(|value| value.as_str().to_owned()),
        source,
        is_read_only: row.read_only,
        is_sensitive: row.is_sensitive,
    };
    (row.name.as_str().to_owned(), entry)
}

fn step(
    resource: &ConfigResource,
    changes: &[(String, ConfigChange)],
) -> steps::AlterConfigsResource {
    let configs = changes.iter().map(|(name, change)| {
        let (config_operation, value) = match change {
            ConfigChange::Set(value) => (SET, Some(value)),
            ConfigChange::Delete => (DELETE, None),
            ConfigChange::Append(value) => (APPEND, Some(value)),
            ConfigChange::Subtract(value) => (SUBTRACT, Some(value)),
        };
        let value = value.map(|value| value.as_str().into());
        steps::AlterableConfig { name: name.as_str().into(), config_operation, value }
    });
    let (resource_type, name) = to_wire(resource);
    steps::AlterConfigsResource {
        resource_type,
        resource_name: name.as_str().into(),
        configs: configs.collect(),
    }
}

/// All settings of a topic as they are to be.
fn replacement(
    resource: &ConfigResource,
    entries: Entries,
    changes: &[(String, ConfigChange)],
) -> Result<whole::AlterConfigsResource, Error> {
    let mut values: BTreeMap<&str, &str> = BTreeMap::new();
    let set = entries.iter().filter(|(_, entry)| entry.source == ConfigSource::Topic);
    for (name, entry) in set {
        let Some(value) = entry.value.as_deref() else {
            let feature = "keeping a secret config while others change";
            return Err(Error::NotOffered { feature, since: "2.3" });
        };
        values.insert(name, value);
    }
    let mut lists = Vec::new();
    for (name, change) in changes {
        let before = entries.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or("");
        match change {
            ConfigChange::Set(value) => drop(values.insert(name, value)),
            ConfigChange::Delete => drop(values.remove(name.as_str())),
            ConfigChange::Append(more) => lists.push((name, appended(before, more))),
            ConfigChange::Subtract(less) => lists.push((name, subtracted(before, less))),
        }
    }
    values.extend(lists.iter().map(|(name, list)| (name.as_str(), list.as_str())));
    let configs = values.into_iter().map(|(name, value)| whole::AlterableConfig {
        name: name.into(),
        value: Some(value.into()),
    });
    let (resource_type, name) = to_wire(resource);
    Ok(whole::AlterConfigsResource {
        resource_type,
        resource_name: name.as_str().into(),
        configs: configs.collect(),
    })
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The list with what it does not have yet.
fn appended(list: &str, more: &str) -> String {
    let mut all: Vec<_> = items(list).collect();
    for item in items(more) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all.join(",")
}

fn subtracted(list: &str, less: &str) -> String {
    let left: Vec<_> = items(list).filter(|item| !items(less).any(|less| less == *item)).collect();
    left.join(",")
}
