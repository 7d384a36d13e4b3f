//! Questions about settings, coordinators and metadata.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DescribeConfigsRequest, FindCoordinatorRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};

use crate::side::{Side, name, text};

pub(crate) fn admin(side: &mut Side) {
    metadata(side);
    coordinators(side);
    settings(side);
    let by_id = by_id(side);
    side.note("metadata by id", 12, &by_id);
    let nothing = DeleteTopicsRequest::default().with_timeout_ms(5_000);
    side.note("delete no topics", 5, &nothing);
    let gone = nothing.clone().with_topic_names(vec![name("t"), name("t")]);
    side.note("delete twice at once", 5, &gone);
    let deleted =
        DeleteTopicsRequest::default().with_topic_names(vec![name("t")]).with_timeout_ms(5_000);
    side.note("delete", 5, &deleted);
    side.rest(500);
    side.note("metadata by an id that was deleted", 12, &by_id);
}

/// A question by the id of "t".
fn by_id(side: &mut Side) -> MetadataRequest {
    let asked = MetadataRequestTopic::default().with_name(Some(name("t")));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    let answer = side.quietly(12, &request).expect("metadata");
    let id = answer.topics[0].topic_id;
    let topic = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    MetadataRequest::default().with_topics(Some(vec![topic]))
}

fn metadata(side: &mut Side) {
    let none = MetadataRequest::default().with_topics(Some(vec![]));
    side.note("metadata of nothing", 12, &none);
    for (what, topic) in [("an empty name", ""), ("two dots", ".."), ("a long name", LONG)] {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(false);
        side.note(&format!("metadata of {what}"), 12, &request);
    }
}

const LONG: &str = "n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789\
    n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789\
    n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789";

fn coordinators(side: &mut Side) {
    let of =
        |key: &str, kind| FindCoordinatorRequest::default().with_key(text(key)).with_key_type(kind);
    side.note("coordinator of a kind that is not", 3, &of("g", 9));
    side.note("coordinator of no group", 3, &of("", 0));
    side.note("coordinator of no transaction", 3, &of("", 1));
    let many = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g"), text("h")]);
    side.note("coordinators", 4, &many);
}

fn settings(side: &mut Side) {
    let resource = |kind, name: &str, keys: &[&str]| {
        let keys = keys.iter().map(|key| text(key)).collect();
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(Some(keys))
    };
    let keys = ["cleanup.policy", "max.message.bytes", "no.such"];
    for (what, kind, name) in [
        ("a topic", 2, "c"),
        ("no topic", 2, "nope"),
        ("a bad topic", 2, "a b"),
        ("no node", 4, "99"),
        ("no number", 4, "one"),
        ("a kind that is not", 77, "c"),
    ] {
        let request =
            DescribeConfigsRequest::default().with_resources(vec![resource(kind, name, &keys)]);
        side.note(&format!("settings of {what}"), 4, &request);
    }
    let set = |topic: &str, key: &str, value: Option<&str>, operation| {
        let config = AlterableConfig::default()
            .with_name(text(key))
            .with_value(value.map(text))
            .with_config_operation(operation);
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configs(vec![config]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    };
    for (what, topic, key, value, operation) in [
        ("set", "c", "max.message.bytes", Some("3000"), 0),
        ("set to a bad value", "c", "max.message.bytes", Some("many"), 0),
        ("set what is not", "c", "no.such", Some("1"), 0),
        ("set for no topic", "nope", "max.message.bytes", Some("1"), 0),
        ("take back", "c", "max.message.bytes", None, 1),
        ("append to a list", "c", "cleanup.policy", Some("delete"), 2),
        ("append to no list", "c", "max.message.bytes", Some("1"), 2),
        ("do what is not", "c", "max.message.bytes", Some("1"), 9),
    ] {
        side.note(what, 1, &set(topic, key, value, operation));
    }
    let after = DescribeConfigsRequest::default().with_resources(vec![resource(2, "c", &keys)]);
    side.note("settings afterwards", 4, &after);
}
