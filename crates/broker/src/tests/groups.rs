//! Committed positions, and who may commit.

use std::time::Duration;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, DescribeGroupsRequest, GroupId, OffsetCommitRequest,
    OffsetFetchRequest,
};

use super::talk::{Talk, t0, text, topic_name};
use crate::{BrokerId, ErrorCode, Options, Release, TopicPartition};

fn commit_request(partition: i32, offset: i64, metadata: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(Some(text(metadata)));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("t"))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn commit(talk: &mut Talk, request: &OffsetCommitRequest) -> ErrorCode {
    ErrorCode(talk.ask(8, request).topics[0].partitions[0].error_code)
}

#[test]
fn a_commit_is_kept_and_fetched_in_every_version() {
    for version in 2..=9 {
        let mut talk = Talk::start();
        let answer = talk.ask(version, &commit_request(0, 42, "m"));
        assert_eq!(answer.topics[0].partitions[0].error_code, 0, "v{version}");
        let committed = talk.cluster.committed("g", &t0()).unwrap();
        assert_eq!((committed.offset, committed.metadata.as_str()), (42, "m"));
    }
    for version in 1..=9 {
        let mut talk = Talk::start();
        talk.cluster.commit("g", &t0(), 42, 3);
        let request = OffsetFetchRequest::default();
        let rows = if version >= 8 {
            let topic = OffsetFetchRequestTopics::default()
                .with_name(topic_name("t"))
                .with_partition_indexes(vec![0, 1]);
            let group = OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(text("g")))
                .with_topics(Some(vec![topic]));
            let answer = talk.ask(version, &request.with_groups(vec![group]));
            let rows = &answer.groups[0].topics[0].partitions;
            rows.iter().map(|row| (row.committed_offset, row.committed_leader_epoch)).collect()
        } else {
            let topic = OffsetFetchRequestTopic::default()
                .with_name(topic_name("t"))
                .with_partition_indexes(vec![0, 1]);
            let request = request.with_group_id(GroupId(text("g"))).with_topics(Some(vec![topic]));
            let answer = talk.ask(version, &request);
            let rows = &answer.topics[0].partitions;
            rows.iter()
                .map(|row| (row.committed_offset, row.committed_leader_epoch))
                .collect::<Vec<_>>()
        };
        let epoch = if version >= 5 { 3 } else { -1 };
        assert_eq!(rows, [(42, epoch), (-1, -1)], "v{version}");
    }
}

#[test]
fn null_asks_for_all_that_was_committed() {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t", 3).unwrap();
    talk.cluster.commit("g", &TopicPartition::new("t", 0), 1, -1);
    talk.cluster.commit("g", &TopicPartition::new("t", 2), 5, -1);
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text("g"))).with_topics(None);
    let answer = talk.ask(7, &request);
    let rows = answer.topics[0].partitions.iter();
    let rows: Vec<_> = rows.map(|row| (row.partition_index, row.committed_offset)).collect();
    assert_eq!(rows, [(0, 1), (2, 5)]);
}

#[test]
fn a_group_with_members_refuses_commits_from_outside() {
    let mut talk = Talk::start();
    talk.cluster.join_member("g", "m-1", 4);
    let outside = commit_request(0, 1, "");
    assert_eq!(commit(&mut talk, &outside), ErrorCode::UNKNOWN_MEMBER_ID);
    let member = |generation| {
        commit_request(0, 1, "")
            .with_member_id(text("m-1"))
            .with_generation_id_or_member_epoch(generation)
    };
    assert_eq!(commit(&mut talk, &member(3)), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(commit(&mut talk, &member(4)), ErrorCode::NONE);
    talk.cluster.leave_member("g", "m-1");
    assert_eq!(commit(&mut talk, &outside), ErrorCode::NONE);
    assert_eq!(commit(&mut talk, &member(4)), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_of_a_group_that_does_not_exist_is_told_so() {
    let mut talk = Talk::start();
    let member =
        commit_request(0, 1, "").with_member_id(text("m-1")).with_generation_id_or_member_epoch(4);
    assert_eq!(commit(&mut talk, &member), ErrorCode::ILLEGAL_GENERATION);
    let newer = talk.ask(9, &member).topics[0].partitions[0].error_code;
    assert_eq!(ErrorCode(newer), ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn commits_are_checked_one_by_one() {
    let mut talk = Talk::start();
    assert_eq!(commit(&mut talk, &commit_request(7, 1, "")), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let long = "m".repeat(4_097);
    assert_eq!(commit(&mut talk, &commit_request(0, 1, &long)), {
        ErrorCode::OFFSET_METADATA_TOO_LARGE
    });
    assert_eq!(talk.cluster.committed("g", &t0()), None);
}

/// A group "g" with an offset of each of two topics, committed a minute ago; a minute is kept.
fn aged(release: Release) -> Talk {
    let options = Options::default().offsets_retention(Duration::from_secs(60));
    let mut talk = Talk::with(options.pose_as(release));
    for name in ["m", "n"] {
        talk.cluster.create_topic(name, 1).unwrap();
        talk.cluster.commit("g", &TopicPartition::new(name, 0), 5, -1);
    }
    talk
}

/// Which of the two topics have an offset of group "g".
fn left(talk: &Talk) -> [bool; 2] {
    let has = |name| talk.cluster.committed("g", &TopicPartition::new(name, 0)).is_some();
    ["m", "n"].map(has)
}

#[test]
fn offsets_of_one_that_never_had_members_expire_by_their_commit() {
    let mut talk = aged(Release::V4_4);
    talk.wait(60_000);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (0, [true, true]));
    talk.cluster.commit("g", &TopicPartition::new("n", 0), 6, -1);
    talk.wait(1);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (1, [false, true]));
    talk.wait(60_000);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (1, [false, false]));
    let described = DescribeGroupsRequest::default().with_groups(vec![GroupId(text("g"))]);
    assert_eq!(talk.ask(5, &described).groups[0].group_state.as_str(), "Dead");
}

/// A member of a group by KIP-848 that wants "m", or leaves with epoch -1.
fn member(talk: &mut Talk, epoch: i32) {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text("a"))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![topic_name("m")]))
        .with_topic_partitions(Some(vec![]));
    assert_eq!(talk.ask(1, &request).error_code, 0);
}

#[test]
fn members_keep_what_they_read_and_once_they_are_gone_all_expires_together() {
    let mut talk = aged(Release::V4_4);
    talk.wait(50_000);
    member(&mut talk, 0);
    talk.wait(20_000);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (1, [true, false]));
    member(&mut talk, -1);
    talk.wait(60_000);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (0, [true, false]));
    talk.wait(1);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (1, [false, false]));
}

#[test]
fn old_releases_count_from_the_commit_whoever_lives() {
    let mut talk = aged(Release::V1_1);
    talk.cluster.join_member("g", "somebody", 1);
    talk.wait(60_001);
    assert_eq!((talk.cluster.expire_offsets(), left(&talk)), (2, [false, false]));
}

#[test]
fn only_the_coordinator_takes_commits_and_it_can_move() {
    let mut talk = Talk::with(Options::default().nodes(2));
    talk.cluster.create_topic("t", 1).unwrap();
    talk.cluster.move_coordinator("g", BrokerId(1));
    assert_eq!(commit(&mut talk, &commit_request(0, 1, "")), ErrorCode::NONE);
    talk.cluster.move_coordinator("g", BrokerId(2));
    assert_eq!(commit(&mut talk, &commit_request(0, 2, "")), ErrorCode::NOT_COORDINATOR);
    talk.reconnect(2);
    assert_eq!(commit(&mut talk, &commit_request(0, 2, "")), ErrorCode::NONE);
    assert_eq!(talk.cluster.committed("g", &t0()).unwrap().offset, 2);
    talk.cluster.stop_node(BrokerId(2));
    assert_eq!(talk.cluster.coordinator("g"), Some(BrokerId(1)));
}
