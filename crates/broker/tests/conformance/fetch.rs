//! Questions about records and fetch sessions.

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};

use crate::side::{Side, name};

pub(crate) fn fetch_of(wanted: &[(&str, i32, i64)]) -> FetchRequest {
    let topics = wanted.iter().map(|(topic, partition, offset)| {
        let partition = FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_current_leader_epoch(-1)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_min_bytes(1)
        .with_max_wait_ms(50)
        .with_topics(topics.collect())
}

pub(crate) fn fetch(side: &mut Side) {
    for (what, partition, offset) in [
        ("fetch at 0", 0, 0),
        ("fetch inside a batch", 0, 1),
        ("fetch at the end", 0, 5),
        ("fetch past the end", 0, 6),
        ("fetch before the start", 0, -5),
        ("fetch of no partition", 7, 0),
    ] {
        side.note(what, 12, &fetch_of(&[("t", partition, offset)]));
    }
    side.note("fetch of no topic", 12, &fetch_of(&[("nope", 0, 0)]));
    for (what, epoch) in [("fetch in epoch 9", 9), ("fetch in epoch 0", 0)] {
        let mut request = fetch_of(&[("t", 0, 0)]);
        request
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
            .for_each(|p| p.current_leader_epoch = epoch);
        side.note(what, 12, &request);
    }
    for (what, epoch) in [("fetch after epoch 0", 0), ("fetch after epoch 5", 5)] {
        let mut request = fetch_of(&[("t", 0, 2)]);
        request
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
            .for_each(|p| p.last_fetched_epoch = epoch);
        side.note(what, 12, &request);
    }
    side.note("fetch of 1 byte", 12, &fetch_of(&[("t", 0, 0), ("t", 1, 0)]).with_max_bytes(1));
    side.note("fetch committed", 12, &fetch_of(&[("t", 0, 0)]).with_isolation_level(1));
    sessions(side);
}

fn sessions(side: &mut Side) {
    let open = fetch_of(&[("t", 0, 5), ("t", 1, 0)]).with_session_epoch(0);
    let id = side.note("session", 12, &open).map_or(0, |answer| answer.session_id);
    let next = |epoch| fetch_of(&[]).with_session_id(id).with_session_epoch(epoch);
    side.note("session goes on", 12, &next(1));
    let moved = fetch_of(&[("t", 1, 3)]).with_session_id(id);
    side.note("session moves on", 12, &moved.with_session_epoch(2));
    side.note("session is quiet", 12, &next(3));
    side.note("session out of turn", 12, &next(3));
    side.note("session that is not", 12, &next(4).with_session_id(id ^ 1));
    let added = fetch_of(&[("nope", 0, 0)]).with_session_id(id);
    side.note("session with no topic", 12, &added.with_session_epoch(4));
    side.note("session still with no topic", 12, &next(5));
    let forget = |topic: &str, partitions: Vec<i32>| {
        ForgottenTopic::default().with_topic(name(topic)).with_partitions(partitions)
    };
    let one = next(6).with_forgotten_topics_data(vec![forget("nope", vec![0])]);
    side.note("session forgets", 12, &one);
    let all = next(7).with_forgotten_topics_data(vec![forget("t", vec![0, 1])]);
    side.note("session forgets all", 12, &all);
    side.note("session after that", 12, &next(8));
}
