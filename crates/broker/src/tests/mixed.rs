//! Groups whose members speak the classic protocol and KIP-848's: what is each told?

use bytes::Bytes;
use forebay_protocol::group::{Assignment, Subscription};
use forebay_protocol::types::TopicPartition;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, ListGroupsRequest,
    OffsetCommitRequest, SyncGroupRequest, SyncGroupResponse,
};

use super::talk::{Talk, text, topic_name};
use crate::{ErrorCode, Options};

/// The rebalance timeout of all members.
const REBALANCE: i32 = 30_000;

fn group() -> GroupId {
    GroupId(text("g"))
}

fn tps(numbers: &[i32]) -> Vec<TopicPartition> {
    numbers.iter().map(|number| TopicPartition::new("t", *number)).collect()
}

/// A member by the classic protocol.
struct Classic {
    id: String,
    generation: i32,
    /// What it says that it has.
    owned: Vec<i32>,
}

impl Classic {
    fn request(&self, kind: &str, metadata: Bytes) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("cooperative-sticky"))
            .with_metadata(metadata);
        JoinGroupRequest::default()
            .with_group_id(group())
            .with_session_timeout_ms(6_000)
            .with_rebalance_timeout_ms(REBALANCE)
            .with_member_id(text(&self.id))
            .with_protocol_type(text(kind))
            .with_protocols(vec![protocol])
    }

    fn join(&mut self, talk: &mut Talk) -> JoinGroupResponse {
        let owned = tps(&self.owned);
        let said = Subscription { topics: vec!["t".into()], owned, ..Subscription::default() };
        let metadata = said.encode(1).unwrap();
        let mut joined = talk.ask(9, &self.request("consumer", metadata.clone()));
        if ErrorCode(joined.error_code) == ErrorCode::MEMBER_ID_REQUIRED {
            self.id = joined.member_id.to_string();
            joined = talk.ask(9, &self.request("consumer", metadata));
        }
        assert_eq!(joined.error_code, 0);
        self.generation = joined.generation_id;
        joined
    }

    fn sync(&self, talk: &mut Talk, plan: &[i32]) -> SyncGroupResponse {
        let assignment = Assignment { partitions: tps(plan), user_data: None }.encode(1).unwrap();
        let part = SyncGroupRequestAssignment::default()
            .with_member_id(text(&self.id))
            .with_assignment(assignment);
        let request = SyncGroupRequest::default()
            .with_group_id(group())
            .with_member_id(text(&self.id))
            .with_generation_id(self.generation)
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("cooperative-sticky")))
            .with_assignments(vec![part]);
        talk.ask(5, &request)
    }

    /// Joins a group by KIP-848 again, with what it says that it has; takes what it is given.
    fn rejoin(&mut self, talk: &mut Talk) -> usize {
        let joined = self.join(talk);
        assert_eq!((&*joined.leader, joined.members.len()), ("", 0), "nobody leads");
        let synced = self.sync(talk, &[]);
        assert_eq!(synced.error_code, 0);
        let has = Assignment::decode(synced.assignment).unwrap().partitions;
        self.owned = has.iter().map(|tp| tp.partition).collect();
        self.owned.len()
    }

    fn beat(&self, talk: &mut Talk) -> ErrorCode {
        let request = HeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(text(&self.id))
            .with_generation_id(self.generation);
        ErrorCode(talk.ask(4, &request).error_code)
    }

    fn commit(&self, talk: &mut Talk, generation: i32) -> ErrorCode {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name("t"))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group())
            .with_member_id(text(&self.id))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic]);
        ErrorCode(talk.ask(8, &request).topics[0].partitions[0].error_code)
    }
}

/// A member by the classic protocol that has both partitions of a topic.
fn settled() -> (Talk, Classic) {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t", 2).unwrap();
    let mut classic = Classic { id: String::new(), generation: 0, owned: vec![] };
    classic.join(&mut talk);
    assert_eq!(classic.sync(&mut talk, &[0, 1]).error_code, 0);
    classic.owned = vec![0, 1];
    (talk, classic)
}

/// A heartbeat by KIP-848; the first says all.
fn modern(talk: &mut Talk, epoch: i32) -> ConsumerGroupHeartbeatResponse {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text("m"))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None);
    let names = Some(vec![topic_name("t")]);
    let request = match epoch {
        0 => request
            .with_rebalance_timeout_ms(REBALANCE)
            .with_subscribed_topic_names(names)
            .with_topic_partitions(Some(vec![])),
        _ => request,
    };
    talk.ask(1, &request)
}

fn given(answer: &ConsumerGroupHeartbeatResponse) -> Option<usize> {
    let topics = &answer.assignment.as_ref()?.topic_partitions;
    Some(topics.iter().map(|topic| topic.partitions.len()).sum())
}

#[test]
fn the_first_member_by_kip_848_shares_with_those_that_are_there() {
    let (mut talk, mut classic) = settled();
    let joined = modern(&mut talk, 0);
    assert_eq!((joined.error_code, joined.member_epoch, given(&joined)), (0, 2, Some(0)));
    assert_eq!(classic.beat(&mut talk), ErrorCode::REBALANCE_IN_PROGRESS);
    // It is to give up one first, and stays in its generation until it has.
    assert_eq!((classic.rejoin(&mut talk), classic.generation), (1, 1));
    assert_eq!(classic.commit(&mut talk, 1), ErrorCode::NONE);
    assert_eq!(given(&modern(&mut talk, 2)), None, "the other is not free yet");
    assert_eq!(classic.beat(&mut talk), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!((classic.rejoin(&mut talk), classic.generation), (1, 2));
    assert_eq!(classic.beat(&mut talk), ErrorCode::NONE);
    assert_eq!(given(&modern(&mut talk, 2)), Some(1));
    assert_eq!(classic.commit(&mut talk, 0), ErrorCode::ILLEGAL_GENERATION);
    // It has had the partition since then, so that this is no harm.
    assert_eq!(classic.commit(&mut talk, 1), ErrorCode::NONE);
    assert_eq!(classic.commit(&mut talk, 2), ErrorCode::NONE);
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group()]);
    let described = talk.ask(1, &request).groups[0].clone();
    let mut kinds: Vec<_> = described.members.iter().map(|member| member.member_type).collect();
    kinds.sort_unstable();
    assert_eq!((&*described.group_state, kinds), ("Stable", vec![0, 1]));
}

#[test]
fn who_gave_all_up_before_it_joined_need_not_join_twice() {
    let (mut talk, mut classic) = settled();
    modern(&mut talk, 0);
    classic.owned.clear();
    assert_eq!((classic.rejoin(&mut talk), classic.generation), (1, 2));
    assert_eq!(given(&modern(&mut talk, 2)), Some(1));
    assert_eq!(classic.beat(&mut talk), ErrorCode::NONE);
}

#[test]
fn without_members_by_kip_848_the_group_is_a_classic_one_again() {
    let (mut talk, mut classic) = settled();
    modern(&mut talk, 0);
    classic.owned.clear();
    classic.rejoin(&mut talk);
    assert_eq!(modern(&mut talk, -1).error_code, 0);
    // Its generation still counts: it may commit before it joins.
    assert_eq!(classic.beat(&mut talk), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(classic.commit(&mut talk, 2), ErrorCode::NONE);
    let listed = talk.ask(5, &ListGroupsRequest::default()).groups[0].clone();
    assert_eq!(&*listed.group_type, "classic");
    let joined = classic.join(&mut talk);
    assert_eq!((joined.generation_id, &*joined.leader, joined.members.len()), (3, &*classic.id, 1));
    assert_eq!(classic.sync(&mut talk, &[0, 1]).error_code, 0);
    assert_eq!(classic.beat(&mut talk), ErrorCode::NONE);
}

#[test]
fn who_goes_on_beating_and_does_not_join_is_out_after_the_rebalance_timeout() {
    let (mut talk, classic) = settled();
    let joined = modern(&mut talk, 0);
    for _ in 0..10 {
        assert_eq!(classic.beat(&mut talk), ErrorCode::REBALANCE_IN_PROGRESS);
        modern(&mut talk, joined.member_epoch);
        talk.wait(2_900);
    }
    classic.beat(&mut talk);
    talk.wait(1_000);
    assert_eq!(classic.beat(&mut talk), ErrorCode::UNKNOWN_MEMBER_ID);
    let alone = modern(&mut talk, joined.member_epoch);
    assert_eq!((alone.error_code, given(&alone)), (0, Some(2)));
}

#[test]
fn a_group_that_is_none_of_consumers_or_cannot_be_read_stays_as_it_is() {
    for (kind, metadata) in [("connect", vec![0; 20]), ("consumer", vec![0xff; 3])] {
        let mut talk = Talk::with(Options::default());
        talk.cluster.create_topic("t", 2).unwrap();
        let mut classic = Classic { id: String::new(), generation: 0, owned: vec![] };
        classic.id =
            talk.ask(9, &classic.request(kind, metadata.clone().into())).member_id.to_string();
        let joined = talk.ask(9, &classic.request(kind, metadata.into()));
        classic.generation = joined.generation_id;
        let refused = modern(&mut talk, 0).error_code;
        assert_eq!(ErrorCode(refused), ErrorCode::GROUP_ID_NOT_FOUND, "{kind}");
        assert_eq!(classic.beat(&mut talk), ErrorCode::NONE, "{kind}");
    }
}

#[test]
fn one_by_the_classic_protocol_joins_a_group_by_kip_848_if_it_is_a_consumer() {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t", 2).unwrap();
    let alone = modern(&mut talk, 0);
    assert_eq!(given(&alone), Some(2));
    let mut classic = Classic { id: String::new(), generation: 0, owned: vec![] };
    let refused = talk.ask(9, &classic.request("connect", Bytes::new())).error_code;
    assert_eq!(ErrorCode(refused), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(classic.rejoin(&mut talk), 0, "the other has not given anything up");
    assert_eq!(given(&modern(&mut talk, alone.member_epoch)), Some(1));
    assert_eq!(classic.beat(&mut talk), ErrorCode::NONE, "nothing is free for it");
    let topics =
        talk.ask(12, &kafka_protocol::messages::MetadataRequest::default().with_topics(None));
    let keeps = TopicPartitions::default()
        .with_topic_id(topics.topics[0].topic_id)
        .with_partitions(vec![0]);
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text("m"))
        .with_member_epoch(alone.member_epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(Some(vec![keeps]));
    assert_eq!(talk.ask(1, &request).error_code, 0);
    assert_eq!(classic.beat(&mut talk), ErrorCode::REBALANCE_IN_PROGRESS, "now it is");
    assert_eq!(classic.rejoin(&mut talk), 1);
}
