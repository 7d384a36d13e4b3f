//! Questions about offsets, epochs and commits.

use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, FindCoordinatorRequest, GroupId, ListOffsetsRequest, OffsetCommitRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest,
};

use crate::fetch::fetch_of;
use crate::side::{Side, name, text};

pub(crate) fn offsets(side: &mut Side) {
    for (what, partition, epoch, time) in [
        ("latest", 0, -1, -1),
        ("earliest", 0, -1, -2),
        ("largest time", 1, -1, -3),
        ("time 0", 0, -1, 0),
        ("far future", 0, -1, i64::MAX),
        ("latest of no partition", 7, -1, -1),
        ("latest in epoch 9", 0, 9, -1),
    ] {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(epoch)
            .with_timestamp(time);
        let topic =
            ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        let request =
            ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let answer = side.note(what, 7, &request);
        drop(answer);
    }
    for epoch in [-1, 0, 1, 5] {
        let partition = OffsetForLeaderPartition::default()
            .with_current_leader_epoch(-1)
            .with_leader_epoch(epoch);
        let topic =
            OffsetForLeaderTopic::default().with_topic(name("t")).with_partitions(vec![partition]);
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        side.note(&format!("end of epoch {epoch}"), 4, &request);
    }
    for (what, partition, offset) in [
        ("delete past the end", 0, 99),
        ("delete one", 0, 1),
        ("delete below the start", 0, 0),
        ("delete all", 1, -1),
        ("delete of no partition", 7, 0),
        ("delete below zero", 0, -5),
    ] {
        let partition =
            DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let topic =
            DeleteRecordsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        side.note(
            what,
            2,
            &DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000),
        );
    }
    side.note("fetch what is deleted", 12, &fetch_of(&[("t", 0, 0)]));
    side.note("fetch from the new start", 12, &fetch_of(&[("t", 0, 1)]));
}

pub(crate) fn groups(side: &mut Side) {
    let group = text("g");
    let find = FindCoordinatorRequest::default().with_key(group.clone());
    // A fresh broker needs a moment for its first group.
    side.until(1, &find, |answer| answer.error_code == 0);
    side.rest(500);
    side.note("coordinator", 3, &find);
    let commit = |topic: &str, partition, member: &str, generation, metadata: &str| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(3)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text(metadata)));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(GroupId(group.clone()))
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic])
    };
    let long = "m".repeat(5_000);
    let cases = [
        ("commit as a member of nothing", 8, commit("t", 0, "m", 3, "")),
        ("commit as a member of nothing, v9", 9, commit("t", 0, "m", 3, "")),
        ("commit", 8, commit("t", 0, "", -1, "x")),
        ("commit as a member", 8, commit("t", 0, "m", 3, "")),
        ("commit as a member without generation", 8, commit("t", 0, "m", -1, "")),
        ("commit in a generation", 8, commit("t", 0, "", 3, "")),
        ("commit of no topic", 8, commit("nope", 0, "", -1, "")),
        ("commit of no partition", 8, commit("t", 7, "", -1, "")),
        ("commit with a long story", 8, commit("t", 0, "", -1, &long)),
    ];
    for (what, version, request) in cases {
        side.note(what, version, &request);
    }
    let topic = |topic: &str, partitions: Vec<i32>| {
        OffsetFetchRequestTopic::default().with_name(name(topic)).with_partition_indexes(partitions)
    };
    let fetch = OffsetFetchRequest::default().with_group_id(GroupId(group.clone()));
    let some =
        fetch.clone().with_topics(Some(vec![topic("t", vec![0, 1, 7]), topic("nope", vec![0])]));
    side.note("committed", 7, &some);
    side.note("all that is committed", 7, &fetch.with_topics(None));
    let nobody =
        OffsetFetchRequest::default().with_group_id(GroupId(text("nobody"))).with_topics(None);
    side.note("committed by nobody", 7, &nobody);
}
