//! `DescribeConfigs` v0-v4 and `IncrementalAlterConfigs` v0-v1: the settings of topics, and a few of
//! the nodes.
//!
//! v0 says whether a value is a default, v1 where it comes from.

use forebay_protocol::messages::describe_configs_request::DescribeConfigsResource;
use forebay_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use forebay_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use forebay_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use forebay_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use forebay_protocol::types::BrokerId;

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::{LISTS, OTHER_CONFIGS, TOPIC_CONFIGS, Topic, TopicRef, default_config};
use crate::versions::Release;

pub(super) const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// A group by KIP-848; what it has can be looked at only.
const GROUP: i8 = 32;
const GROUP_SESSION: &str = "consumer.session.timeout.ms";
/// The same for groups that have no setting of their own, as a node has it since Kafka 4.
const BROKER_SESSION: &str = "group.consumer.session.timeout.ms";
/// Where a value comes from: set for the topic, or Kafka's default.
const SET_FOR_TOPIC: i8 = 1;
const DEFAULT: i8 = 5;

/// What nodes tell about themselves, with Kafka's defaults.
const BROKER_CONFIGS: [(&str, &str); 5] = [
    ("auto.create.topics.enable", "false"),
    ("connections.max.idle.ms", "600000"),
    ("group.max.session.timeout.ms", "1800000"),
    ("group.min.session.timeout.ms", "6000"),
    ("message.max.bytes", "1048588"),
];

pub(super) fn describe(
    cluster: &mut Cluster,
    call: &Call,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|asked| described(cluster, call, asked)).collect();
    DescribeConfigsResponse { throttle_time_ms: call.throttle(), results }
}

fn described(
    cluster: &Cluster,
    call: &Call,
    asked: &DescribeConfigsResource,
) -> DescribeConfigsResult {
    let rows = match call.forced() {
        Some(code) => Err(Refusal::new(code, "a fault script says so")),
        None => rows(cluster, call, asked),
    };
    let mut result = DescribeConfigsResult {
        resource_type: asked.resource_type,
        resource_name: asked.resource_name.clone(),
        ..Default::default()
    };
    match rows {
        Ok(rows) => result.configs = rows,
        Err(refusal) => {
            result.error_code = refusal.code.0;
            result.error_message = Some(refusal.why.into());
        }
    }
    result
}

fn rows(
    cluster: &Cluster,
    call: &Call,
    asked: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let wanted = |name: &str| {
        let keys = asked.configuration_keys.as_ref();
        keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
    };
    match asked.resource_type {
        TOPIC => {
            let topic = topic(cluster, &asked.resource_name)?;
            let names = TOPIC_CONFIGS.iter().map(|(name, _)| *name).filter(|name| wanted(name));
            Ok(names.map(|name| topic_row(call, topic, name)).collect())
        }
        BROKER => {
            let id = asked.resource_name.parse().map(BrokerId);
            if !id.is_ok_and(|id| cluster.nodes.contains_key(&id)) {
                let why = format!("there is no node {:?}", asked.resource_name.as_str());
                return Err(Refusal::new(ErrorCode::INVALID_REQUEST, why));
            }
            let session = session(cluster);
            let is_known = Release::V4_4 <= cluster.options.release;
            let groups = is_known.then_some((BROKER_SESSION, session.as_str()));
            let known = BROKER_CONFIGS.into_iter().chain(groups).filter(|(name, _)| wanted(name));
            Ok(known.map(|it| row(call, it, DEFAULT)).collect())
        }
        GROUP => {
            let session = session(cluster);
            let own = [(GROUP_SESSION, session.as_str())];
            let known = own.iter().filter(|(name, _)| wanted(name));
            Ok(known.map(|(name, value)| row(call, (name, value), DEFAULT)).collect())
        }
        other => Err(no_such_resource(other)),
    }
}

/// After how much silence a member by KIP-848 is dead, in milliseconds.
fn session(cluster: &Cluster) -> String {
    cluster.options.consumer_groups.session.as_millis().to_string()
}

fn topic<'a>(cluster: &'a Cluster, name: &str) -> Result<&'a Topic, Refusal> {
    if !crate::control::is_topic_name(name) {
        let why = format!("{name:?} is no topic name");
        return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, why));
    }
    let missing = || Cluster::no_partition(&TopicRef::Name(name.to_owned()));
    cluster.topics.get(name).ok_or_else(missing)
}

pub(super) fn no_such_resource(kind: i8) -> Refusal {
    let why =
        format!("resources of type {kind} have no settings here: 2 (topic) and 4 (broker) do");
    Refusal::new(ErrorCode::INVALID_REQUEST, why)
}

fn topic_row(call: &Call, topic: &Topic, name: &str) -> DescribeConfigsResourceResult {
    let source = if topic.configs.contains_key(name) { SET_FOR_TOPIC } else { DEFAULT };
    row(call, (name, topic.config(name)), source)
}

fn row(call: &Call, (name, value): (&str, &str), source: i8) -> DescribeConfigsResourceResult {
    let mut row = DescribeConfigsResourceResult {
        name: name.into(),
        value: Some(value.into()),
        ..Default::default()
    };
    if call.version == 0 {
        row.is_default = source == DEFAULT;
    } else {
        row.config_source = source;
    }
    if call.version >= 3 {
        row.config_type = kind(name);
        row.documentation = None;
    }
    row
}

/// Kafka's number for the type of a setting.
fn kind(name: &str) -> i8 {
    const BOOLEAN: i8 = 1;
    const STRING: i8 = 2;
    const INT: i8 = 3;
    const LONG: i8 = 5;
    const LIST: i8 = 7;
    match name {
        "auto.create.topics.enable" => BOOLEAN,
        "compression.type" | "message.timestamp.type" => STRING,
        "connections.max.idle.ms" | "retention.bytes" | "retention.ms" => LONG,
        name if LISTS.contains(&name) => LIST,
        _ => INT,
    }
}

pub(super) fn alter(
    cluster: &mut Cluster,
    call: &Call,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|asked| {
        let altered = check_all(cluster, call, asked).map(|()| {
            if !request.validate_only {
                set_all(cluster, asked);
            }
        });
        let (error_code, error_message) = Refusal::outcome(altered);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
        }
    });
    let responses = responses.collect();
    IncrementalAlterConfigsResponse { throttle_time_ms: call.throttle(), responses }
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn check_all(cluster: &Cluster, call: &Call, asked: &AlterConfigsResource) -> Result<(), Refusal> {
    if let Some(code) = call.forced() {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    if asked.resource_type != TOPIC {
        return Err(no_such_resource(asked.resource_type));
    }
    topic(cluster, &asked.resource_name)?;
    asked.configs.iter().try_for_each(|AlterableConfig { name, config_operation, value }| {
        match *config_operation {
            SET => check(name, value.as_deref()),
            DELETE => check(name, None),
            APPEND | SUBTRACT if LISTS.contains(&name.as_str()) => check(name, value.as_deref()),
            APPEND | SUBTRACT => {
                let why = format!("{name} is no list: nothing can be added or taken away");
                Err(Refusal::new(ErrorCode::INVALID_CONFIG, why))
            }
            other => {
                let why = format!("operation {other} on {name}: 0 to 3 are all there are");
                Err(Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, why))
            }
        }
    })
}

fn set_all(cluster: &mut Cluster, asked: &AlterConfigsResource) {
    let Some(topic) = cluster.topics.get_mut(&asked.resource_name) else { return };
    for AlterableConfig { name, config_operation, value } in &asked.configs {
        let value = value.as_deref().unwrap_or_default();
        let items = topic.config(name).split(',').map(str::trim);
        let next = match *config_operation {
            SET => value.to_owned(),
            APPEND => items.chain([value]).collect::<Vec<_>>().join(","),
            SUBTRACT => items.filter(|item| *item != value).collect::<Vec<_>>().join(","),
            _ => {
                topic.configs.remove(name.as_str());
                continue;
            }
        };
        topic.configs.insert(name.as_str().to_owned(), next);
    }
}

/// Whether a topic has such a setting, and whether the value can be it.
pub(super) fn check(name: &str, value: Option<&str>) -> Result<(), Refusal> {
    let invalid = |why: String| Err(Refusal::new(ErrorCode::INVALID_CONFIG, why));
    let default = default_config(name);
    if default.is_none() && !OTHER_CONFIGS.contains(&name) {
        return invalid(format!("{name:?} is no setting of a topic"));
    }
    let (Some(value), Some(default)) = (value, default) else { return Ok(()) };
    if default.parse::<i64>().is_ok() && value.parse::<i64>().is_err() {
        return invalid(format!("{name} is {value:?}, but should be a number"));
    }
    Ok(())
}
