//! Questions about topics and partitions.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
};

use crate::side::{Side, name, text};

/// The newest version of each API that this broker answers; those apart whose newest versions are
/// for brokers alone, or for a feature that is not offered here (KIP-890).
pub(crate) fn versions(side: &mut Side) {
    for api in [0, 1, 2, 3, 8, 9, 10, 18, 19, 20, 21, 22, 23, 32, 37, 44, 60] {
        let newest = side.newest(api);
        side.lines.push((format!("newest version of API {api}"), newest.to_string()));
    }
}

pub(crate) fn topics(side: &mut Side) {
    let topic = |topic: &str, partitions, replicas| {
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
    };
    let config = |key: &str, value: &str| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    let cases = [
        ("create", topic("t", 2, 1).with_configs(vec![config("max.message.bytes", "2000")])),
        ("create again", topic("t", 2, 1)),
        ("create for transactions", topic("x", 1, 1)),
        (
            "create compacted",
            topic("c", 1, 1).with_configs(vec![config("cleanup.policy", "compact")]),
        ),
        ("create without partitions", topic("n", 0, 1)),
        ("create with too many replicas", topic("n", 1, 9)),
        ("create with a bad name", topic("a b", 1, 1)),
        (
            "create with a bad value",
            topic("n", 1, 1).with_configs(vec![config("retention.ms", "soon")]),
        ),
        (
            "create with an unknown setting",
            topic("n", 1, 1).with_configs(vec![config("no.such", "1")]),
        ),
        ("create with defaults", topic("d", -1, -1)),
    ];
    for (what, topic) in cases {
        side.note(
            what,
            7,
            &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000),
        );
    }
    side.rest(1_000);
    for topic in ["c", "nope", "a b"] {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(false);
        side.note(&format!("metadata of {topic}"), 12, &request);
    }
    let grow = |count| {
        let topic = CreatePartitionsTopic::default()
            .with_name(name("d"))
            .with_count(count)
            .with_assignments(None);
        CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)
    };
    side.note("fewer partitions", 3, &grow(1));
    side.note("more partitions", 3, &grow(3));
    let delete = |topic: &str| {
        DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(5000)
    };
    side.note("delete", 5, &delete("d"));
    side.note("delete what is not there", 5, &delete("nope"));
}

/// Creates a topic, and asks nothing.
pub(crate) fn create(side: &mut Side, topic: &str, partitions: i32) {
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
    side.quietly(2, &request);
    side.rest(1_000);
}
