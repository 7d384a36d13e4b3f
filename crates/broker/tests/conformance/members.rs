//! Questions about members of classic groups, and about groups.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::side::{Side, name, text};

/// What a member of the kind "consumer" says of its topics: version 0, "m", no data of its own.
const TOPICS: Bytes = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01m\xff\xff\xff\xff");
/// What its leader gives it: version 0, partition 0 of "m".
const PLAN: Bytes = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01m\0\0\0\x01\0\0\0\0\xff\xff\xff\xff");

pub(crate) fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// A `JoinGroup` of the kind "consumer" with one assignor.
pub(crate) fn join(id: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(1_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![assignor("range")])
}

pub(crate) fn assignor(name: &str) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(TOPICS)
}

/// Who speaks: its group, id, instance and generation.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    group: &'static str,
    pub(crate) id: StrBytes,
    instance: Option<&'static str>,
    pub(crate) generation: i32,
}

impl Voice {
    pub(crate) fn of(group: &'static str, joined: &JoinGroupResponse) -> Self {
        let (id, generation) = (joined.member_id.clone(), joined.generation_id);
        Self { group, id, instance: None, generation }
    }

    pub(crate) fn named(&self, id: &str) -> Self {
        Self { id: text(id), ..self.clone() }
    }

    pub(crate) fn in_generation(&self, generation: i32) -> Self {
        Self { generation, ..self.clone() }
    }

    fn static_as(&self, instance: &'static str) -> Self {
        Self { instance: Some(instance), ..self.clone() }
    }

    pub(crate) fn beat(&self) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(group(self.group))
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.map(text))
            .with_generation_id(self.generation)
    }

    pub(crate) fn sync(&self) -> SyncGroupRequest {
        SyncGroupRequest::default()
            .with_group_id(group(self.group))
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.map(text))
            .with_generation_id(self.generation)
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
    }

    pub(crate) fn plan(&self) -> SyncGroupRequest {
        let part = SyncGroupRequestAssignment::default()
            .with_member_id(self.id.clone())
            .with_assignment(PLAN);
        self.sync().with_assignments(vec![part])
    }

    pub(crate) fn commit(&self) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(3)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text("")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(name("m"))
            .with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(group(self.group))
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.map(text))
            .with_generation_id_or_member_epoch(self.generation)
            .with_topics(vec![topic])
    }

    /// In the form that names several.
    pub(crate) fn leave(&self) -> LeaveGroupRequest {
        let member = MemberIdentity::default()
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.map(text));
        LeaveGroupRequest::default().with_group_id(group(self.group)).with_members(vec![member])
    }

    /// In the form that names one.
    fn leave_alone(&self) -> LeaveGroupRequest {
        LeaveGroupRequest::default()
            .with_group_id(group(self.group))
            .with_member_id(self.id.clone())
    }
}

pub(crate) fn nobody(group: &'static str) -> Voice {
    Voice { group, id: text("nobody"), instance: None, generation: 1 }
}

pub(crate) fn describe(id: &str) -> DescribeGroupsRequest {
    DescribeGroupsRequest::default().with_groups(vec![group(id)])
}

pub(crate) fn delete(id: &str) -> DeleteGroupsRequest {
    DeleteGroupsRequest::default().with_groups_names(vec![group(id)])
}

pub(crate) fn forget(id: &str, topic: &str, partitions: &[i32]) -> OffsetDeleteRequest {
    let partition =
        |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(name(topic))
        .with_partitions(partitions.iter().map(partition).collect());
    OffsetDeleteRequest::default().with_group_id(group(id)).with_topics(vec![topic])
}

pub(crate) fn list(state: &str, kind: &str) -> ListGroupsRequest {
    let one = |text_: &str| if text_.is_empty() { vec![] } else { vec![text(text_)] };
    ListGroupsRequest::default().with_states_filter(one(state)).with_types_filter(one(kind))
}

pub(crate) fn members(side: &mut Side) {
    no_group(side);
    no_member(side);
    let joined = first(side);
    live(side, &joined);
    second(side, &joined);
    statics(side);
}

/// Asked of groups that are not.
fn no_group(side: &mut Side) {
    for (what, id) in [("of no group", "none"), ("of a group without a name", "")] {
        let voice = nobody(id);
        side.note(&format!("heartbeat {what}"), 4, &voice.beat());
        side.note(&format!("sync {what}"), 5, &voice.plan());
        side.note(&format!("leave {what}"), 5, &voice.leave());
        side.note(&format!("leave {what}, alone"), 2, &voice.leave_alone());
        side.note(&format!("commit {what}"), 8, &voice.commit());
        side.note(&format!("description {what}"), 6, &describe(id));
        side.note(&format!("description {what}, before v6"), 5, &describe(id));
        side.note(&format!("deletion {what}"), 2, &delete(id));
        side.note(&format!("deletion of offsets {what}"), 0, &forget(id, "m", &[0]));
    }
    side.note("list of no state", 5, &list("Sleeping", ""));
    side.note("list of no kind", 5, &list("", "strange"));
}

/// Members that cannot be.
fn no_member(side: &mut Side) {
    let from = || join("k", "");
    for (what, request) in [
        ("in a group without a name", join("", "")),
        ("with a session of a moment", from().with_session_timeout_ms(1)),
        ("with a session of an age", from().with_session_timeout_ms(i32::MAX)),
        ("without an assignor", from().with_protocols(vec![])),
        ("of no kind", from().with_protocol_type(text(""))),
        ("as nobody", join("k", "nobody")),
        ("as nobody with an instance", join("k", "nobody").with_group_instance_id(Some(text("i")))),
    ] {
        // 0.11 takes it up, and breaks at its own word.
        if side.newest(11) < 3 && request.protocols.is_empty() {
            continue;
        }
        side.note(&format!("join {what}"), 9, &request);
        side.note(&format!("join {what}, v2"), 2, &request);
    }
    side.note("description after that", 6, &describe("k"));
}

/// The first member of a group.
fn first(side: &mut Side) -> Voice {
    let promised = side.note("join", 9, &join("j", "")).expect("an answer");
    side.note("commit before a generation", 8, &Voice::of("j", &promised).commit());
    let again = join("j", &promised.member_id);
    let joined = side.note("join with the id", 9, &again).expect("an answer");
    let voice = Voice::of("j", &joined);
    side.note("description before the plan", 6, &describe("j"));
    side.note("heartbeat before the plan", 4, &voice.beat());
    side.note("commit before the plan", 8, &voice.commit());
    side.note("join again before the plan", 9, &again);
    side.note("sync of nobody", 5, &voice.named("nobody").plan());
    side.note("sync of the generation before", 5, &voice.in_generation(0).plan());
    side.note("sync of the next generation", 5, &voice.in_generation(9).plan());
    side.note("sync with another kind", 5, &voice.plan().with_protocol_type(Some(text("other"))));
    side.note(
        "sync with another assignor",
        5,
        &voice.plan().with_protocol_name(Some(text("other"))),
    );
    side.note("sync without an assignor", 5, &voice.plan().with_protocol_name(None));
    side.note("sync without a kind", 5, &voice.plan().with_protocol_type(None));
    side.note("sync", 5, &voice.plan());
    side.note("sync again", 4, &voice.sync());
    voice
}

/// Asked of a member that lives.
fn live(side: &mut Side, voice: &Voice) {
    for (what, voice) in [
        ("of the member", voice.clone()),
        ("of nobody beside it", voice.named("nobody")),
        ("without an id", voice.named("")),
        ("in the generation before", voice.in_generation(0)),
        ("in the next generation", voice.in_generation(9)),
        ("without a generation", voice.in_generation(-1)),
        ("as an instance that is not", voice.static_as("nothing")),
        ("from outside", voice.named("").in_generation(-1)),
    ] {
        side.note(&format!("heartbeat {what}"), 4, &voice.beat());
        side.note(&format!("commit {what}"), 8, &voice.commit());
        side.note(&format!("sync {what}, now"), 5, &voice.sync());
    }
    side.note("description", 6, &describe("j"));
    side.note("list", 5, &list("Stable", ""));
    side.note("list of classic ones", 5, &list("sTABLE", "CLASSIC"));
    side.note("deletion of a group that lives", 2, &delete("j"));
    side.note("deletion of offsets of a topic that is read", 0, &forget("j", "m", &[0]));
    side.note("deletion of offsets of one that is not", 0, &forget("j", "c", &[0]));
    side.note("join with another assignor", 3, &join("j", "").with_protocols(vec![assignor("x")]));
    side.note("join of another kind", 3, &join("j", "").with_protocol_type(text("connect")));
}

/// A second member, for whom the first does not come back.
fn second(side: &mut Side, first: &Voice) {
    let beside =
        side.note("join beside one that stays away", 3, &join("j", "")).expect("an answer");
    let second = Voice::of("j", &beside);
    side.note("heartbeat of the one that stayed away", 4, &first.beat());
    side.note("commit of the one that stayed away", 8, &first.commit());
    side.note("sync of the second", 3, &second.plan());
    side.note("join again unchanged", 3, &join("j", &second.id));
    side.note("sync after that", 3, &second.in_generation(second.generation + 1).plan());
    let second = second.in_generation(second.generation + 1);
    side.note("commit of the second", 7, &second.commit());
    side.note("leave of nobody", 5, &second.named("nobody").leave());
    side.note("leave as an instance that is not", 5, &second.static_as("nothing").leave());
    side.note("leave of nobody, alone", 2, &second.named("nobody").leave_alone());
    side.note("leave", 5, &second.leave());
    side.note("leave, alone", 2, &second.leave_alone());
    side.note("leave again", 5, &second.leave());
    side.note("description of the empty group", 6, &describe("j"));
    side.note_in_order("list of empty ones", 3, &list("", ""), |answer| {
        answer.groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    });
    side.note("heartbeat in the empty group", 4, &second.beat());
    side.note("commit in the empty group", 8, &second.commit());
    side.note(
        "commit from outside in the empty group",
        8,
        &second.named("").in_generation(-1).commit(),
    );
    side.note_in_order("deletion of offsets", 0, &forget("j", "m", &[0, 1, 7]), |answer| {
        for topic in &mut answer.topics {
            topic.partitions.sort_by_key(|row| row.partition_index);
        }
    });
    side.note("deletion of offsets of no topic", 0, &forget("j", "nope", &[0]));
    side.note("deletion of a group", 2, &delete("j"));
    side.note("deletion of a group, again", 2, &delete("j"));
    side.note("description of a group that was deleted", 6, &describe("j"));
}

fn statics(side: &mut Side) {
    let start = || join("s", "").with_group_instance_id(Some(text("i")));
    let Some(joined) = side.note("static join", 9, &start()) else { return };
    let before = Voice::of("s", &joined).static_as("i");
    side.note("static sync", 5, &before.plan());
    side.note("static description", 6, &describe("s"));
    let again = side.note("static join after a restart", 9, &start()).expect("an answer");
    let now = Voice::of("s", &again).static_as("i");
    side.note("static sync after a restart", 5, &now.sync());
    for (what, voice) in [
        ("of the one before", before.clone()),
        ("of the one now", now.clone()),
        ("of the one now without its instance", Voice { instance: None, ..now.clone() }),
        ("of the one now as another instance", now.static_as("k")),
    ] {
        side.note(&format!("static heartbeat {what}"), 4, &voice.beat());
        side.note(&format!("static commit {what}"), 8, &voice.commit());
        side.note(&format!("static sync {what}"), 5, &voice.sync());
    }
    let known = |id: &StrBytes| join("s", id).with_group_instance_id(Some(text("i")));
    side.note("static join of the one before", 9, &known(&before.id));
    side.note("static join before v9", 8, &start());
    side.note("static leave of the one before", 5, &before.leave());
    side.note("static leave by instance", 5, &now.named("").leave());
    side.note("static leave again", 5, &now.named("").leave());
    side.note("static deletion", 2, &delete("s"));
}
