//! Does every version of every API that is offered work?

use std::ops::RangeInclusive;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request as alter;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request as epochs;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
    FindCoordinatorRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
};
use kafka_protocol::protocol::{Decodable, Request};

use super::talk::{
    Talk, batch, body, fetch_request, frame, produce_request, t0, text, topic_name, values,
};
use crate::versions::offers;
use crate::{ApiKey, BadRequest, Cluster, ErrorCode, Options, Output, Release};

/// Asks in every version that both codecs know, and hands each answer to `check`.
fn each_version<R: Request>(
    (api, known): (ApiKey, RangeInclusive<i16>),
    request: impl Fn(i16) -> R,
    check: impl Fn(i16, &mut Talk, R::Response),
) {
    assert_eq!(api.code(), R::KEY);
    let offer = offers(Release::V4_4).into_iter().find(|offer| offer.api == api).unwrap();
    for version in known {
        assert!((offer.min..=offer.max).contains(&version));
        let mut talk = Talk::start();
        let response = talk.ask(version, &request(version));
        check(version, &mut talk, response);
    }
}

#[test]
fn produce_works_in_every_version_that_names_topics() {
    each_version(
        (ApiKey::Produce, 3..=12),
        |_| produce_request(&t0(), batch(&["a", "b"], None), -1),
        |version, talk, response| {
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!((partition.error_code, partition.base_offset), (0, 0), "v{version}");
            assert_eq!(talk.values(&t0(), 0), ["a", "b"]);
        },
    );
}

#[test]
fn produce_names_topics_by_id_in_its_newest_version() {
    let mut talk = Talk::start();
    let topic_id = talk.by_id(fetch_request(&[(t0(), 0)])).topics[0].topic_id;
    let mut request = produce_request(&t0(), batch(&["a"], None), -1);
    request.topic_data[0].name = topic_name("");
    request.topic_data[0].topic_id = topic_id;
    let answer = talk.ask(13, &request);
    assert_eq!(answer.responses[0].topic_id, topic_id);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    talk.cluster.delete_topic("t").unwrap();
    let gone = talk.ask(13, &request).responses[0].partition_responses[0].error_code;
    assert_eq!(ErrorCode(gone), ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn fetch_carries_the_records_in_every_version() {
    for version in 4..=18 {
        let mut talk = Talk::start();
        talk.produce(&t0(), &["a", "b"]);
        let long = "x".repeat(10_000);
        talk.produce(&t0(), &[&long]);
        let mut request = fetch_request(&[(t0(), 0)]);
        if version < 7 {
            request.session_epoch = -1;
        }
        if version >= 13 {
            request = talk.by_id(request);
        }
        let response = talk.ask(version, &request);
        let topic = &response.responses[0];
        assert_eq!(topic.topic_id, request.topics[0].topic_id);
        assert_eq!(values(&topic.partitions[0]), ["a", "b", &long], "v{version}");
        assert_eq!(topic.partitions[0].high_watermark, 3);
    }
}

#[test]
fn metadata_works_in_every_version() {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name("t")));
    each_version(
        (ApiKey::Metadata, 0..=13),
        |_| MetadataRequest::default().with_topics(Some(vec![topic.clone()])),
        |version, _, response| {
            assert_eq!(response.brokers.len(), 1);
            let topic = &response.topics[0];
            assert_eq!((topic.error_code, topic.partitions.len()), (0, 1), "v{version}");
            assert_eq!(topic.topic_id.is_nil(), version < 10);
            assert_eq!(topic.partitions[0].leader_id.0, 1);
        },
    );
}

#[test]
fn topics_are_created_in_every_version() {
    let config = CreatableTopicConfig::default()
        .with_name(text("max.message.bytes"))
        .with_value(Some(text("100")));
    each_version(
        (ApiKey::CreateTopics, 2..=7),
        |_| {
            let topic = CreatableTopic::default()
                .with_name(topic_name("new"))
                .with_num_partitions(3)
                .with_replication_factor(1)
                .with_configs(vec![config.clone()]);
            CreateTopicsRequest::default().with_topics(vec![topic])
        },
        |version, talk, response| {
            assert_eq!(response.topics[0].error_code, 0, "v{version}");
            let topic = talk.cluster.topics.get("new").unwrap();
            assert_eq!((topic.partitions.len(), topic.max_message_bytes()), (3, 100));
        },
    );
}

#[test]
fn topics_are_deleted_in_every_version() {
    each_version(
        (ApiKey::DeleteTopics, 1..=6),
        |version| {
            let name = topic_name("t");
            if version >= 6 {
                let topic = DeleteTopicState::default().with_name(Some(name));
                return DeleteTopicsRequest::default().with_topics(vec![topic]);
            }
            DeleteTopicsRequest::default().with_topic_names(vec![name])
        },
        |version, talk, response| {
            assert_eq!(response.responses[0].error_code, 0, "v{version}");
            assert_eq!(talk.cluster.topic_id("t"), None);
        },
    );
}

#[test]
fn partitions_are_added_in_every_version() {
    let topic = CreatePartitionsTopic::default().with_name(topic_name("t")).with_count(5);
    each_version(
        (ApiKey::CreatePartitions, 0..=3),
        |_| CreatePartitionsRequest::default().with_topics(vec![topic.clone()]),
        |version, talk, response| {
            assert_eq!(response.results[0].error_code, 0, "v{version}");
            assert_eq!(talk.cluster.topics.get("t").unwrap().partitions.len(), 5);
        },
    );
}

#[test]
fn offsets_are_listed_in_every_version() {
    let partition =
        ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let topic =
        ListOffsetsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    each_version(
        (ApiKey::ListOffsets, 1..=10),
        |_| ListOffsetsRequest::default().with_topics(vec![topic.clone()]),
        |version, _, response| {
            let partition = &response.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.offset), (0, 0), "v{version}");
        },
    );
}

#[test]
fn epochs_are_told_in_every_version() {
    let partition = epochs::OffsetForLeaderPartition::default().with_leader_epoch(0);
    let topic = epochs::OffsetForLeaderTopic::default()
        .with_topic(topic_name("t"))
        .with_partitions(vec![partition.with_current_leader_epoch(-1)]);
    each_version(
        (ApiKey::OffsetForLeaderEpoch, 2..=4),
        |_| OffsetForLeaderEpochRequest::default().with_topics(vec![topic.clone()]),
        |version, _, response| {
            let partition = &response.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.end_offset), (0, 0), "v{version}");
        },
    );
}

#[test]
fn coordinators_are_found_in_every_version() {
    each_version(
        (ApiKey::FindCoordinator, 0..=6),
        |version| {
            let request = FindCoordinatorRequest::default();
            if version >= 4 {
                return request.with_coordinator_keys(vec![text("g"), text("h")]);
            }
            request.with_key(text("g"))
        },
        |version, _, response| {
            if version >= 4 {
                assert_eq!(response.coordinators.len(), 2);
                assert_eq!(response.coordinators[1].node_id.0, 1);
            } else {
                assert_eq!((response.error_code, response.node_id.0), (0, 1), "v{version}");
            }
        },
    );
}

#[test]
fn producer_ids_are_given_in_every_version() {
    each_version(
        (ApiKey::InitProducerId, 0..=5),
        |_| {
            InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_producer_id((-1).into())
                .with_producer_epoch(-1)
        },
        |version, _, response| {
            assert_eq!((response.error_code, response.producer_epoch), (0, 0), "v{version}");
            assert!(response.producer_id.0 > 0);
        },
    );
}

#[test]
fn settings_are_described_in_every_version() {
    let topic = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configuration_keys(None);
    each_version(
        (ApiKey::DescribeConfigs, 1..=4),
        |_| DescribeConfigsRequest::default().with_resources(vec![topic.clone()]),
        |version, _, response| {
            assert_eq!(response.results[0].error_code, 0, "v{version}");
            let configs = &response.results[0].configs;
            assert!(configs.iter().any(|config| config.name == text("cleanup.policy")));
        },
    );
}

#[test]
fn settings_are_altered_in_every_version() {
    let config = alter::AlterableConfig::default()
        .with_name(text("cleanup.policy"))
        .with_value(Some(text("compact")));
    let topic = alter::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(vec![config]);
    each_version(
        (ApiKey::IncrementalAlterConfigs, 0..=1),
        |_| IncrementalAlterConfigsRequest::default().with_resources(vec![topic.clone()]),
        |version, talk, response| {
            assert_eq!(response.responses[0].error_code, 0, "v{version}");
            assert!(talk.cluster.topics.get("t").unwrap().is_compacted());
        },
    );
}

#[test]
fn the_cluster_is_described_in_every_version() {
    each_version(
        (ApiKey::DescribeCluster, 0..=2),
        |_| DescribeClusterRequest::default(),
        |version, _, response| {
            assert_eq!((response.error_code, response.brokers.len()), (0, 1), "v{version}");
        },
    );
}

#[test]
fn records_are_deleted_in_every_version() {
    let partition = DeleteRecordsPartition::default().with_offset(-1);
    let topic =
        DeleteRecordsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    each_version(
        (ApiKey::DeleteRecords, 0..=2),
        |_| DeleteRecordsRequest::default().with_topics(vec![topic.clone()]),
        |version, _, response| {
            let partition = &response.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.low_watermark), (0, 0), "v{version}");
        },
    );
}

#[test]
fn a_release_offers_what_it_had() {
    let mut talk = Talk::with(Options::default().pose_as(Release::V0_11));
    let answer = talk.ask(1, &ApiVersionsRequest::default());
    let newest = |key: ApiKey| {
        answer.api_keys.iter().find(|row| row.api_key == key.code()).map(|row| row.max_version)
    };
    assert_eq!(newest(ApiKey::Fetch), Some(5));
    assert_eq!(newest(ApiKey::Produce), Some(3));
    assert_eq!(newest(ApiKey::CreatePartitions), None);
    talk.send(6, &fetch_request(&[]));
    let closed = talk.cluster.poll_output();
    let reason = BadRequest::Version { api: ApiKey::Fetch, version: 6, min: 4, max: 5 };
    let connection = talk.connection;
    assert_eq!(closed, Some(Output::Close { connection, reason: Some(reason) }));
}

/// What a broker says to an `ApiVersions` request that is newer than it is.
fn too_new(release: Release, version: i16) -> ApiVersionsResponse {
    let mut talk = Talk::with(Options::default().pose_as(release));
    let request = ApiVersionsRequest::default().with_client_software_name(text("x"));
    talk.cluster.handle(talk.now, talk.connection, frame(version, 77, &request));
    let Some(Output::Send { answer, .. }) = talk.cluster.poll_output() else { panic!("no answer") };
    let mut bytes = body(&answer);
    assert_eq!(bytes.split_to(4), 77i32.to_be_bytes().as_slice());
    let response = ApiVersionsResponse::decode(&mut bytes, 0).unwrap();
    assert_eq!(response.error_code, 35);
    assert!(bytes.is_empty());
    response
}

#[test]
fn an_api_versions_request_that_is_too_new_is_answered_in_version_0() {
    assert_eq!(too_new(Release::V0_11, 3).api_keys, []);
    let told = too_new(Release::V2_8, 4).api_keys;
    let told: Vec<_> = told.iter().map(|row| (row.api_key, row.max_version)).collect();
    assert_eq!(told, [(18, 3)], "in which version to ask, and nothing else");
}

#[test]
fn bytes_that_are_no_request_close_the_connection_and_nothing_else() {
    let whole = frame(9, 1, &produce_request(&t0(), batch(&["a"], None), -1));
    let mut inputs: Vec<_> = (0..whole.len()).map(|len| whole.slice(..len)).collect();
    inputs.push(bytes::Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"));
    inputs.push(bytes::Bytes::from_static(&[0xff; 64]));
    for input in inputs {
        let mut talk = Talk::start();
        talk.cluster.handle(talk.now, talk.connection, input);
        let output = talk.cluster.poll_output();
        assert!(matches!(output, Some(Output::Close { reason: Some(_), .. })), "{output:?}");
        talk.reconnect(1);
        talk.produce(&t0(), &["b"]);
    }
    assert_eq!(Cluster::new(Options::default()).connection_count(), 0);
}
