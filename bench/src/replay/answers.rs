//! What does the broker say beside Fetch?

use super::Stage;
use super::connection::{APIS, Request, key};
use super::group;
use super::wire::{Reader, Writer};

/// Kafka's error codes used here.
const UNSUPPORTED_VERSION: i16 = 35;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// "Nobody asked which operations are allowed."
const NO_OPERATIONS: i32 = i32::MIN;
/// A timestamp that asks for the offset after the last record.
const LATEST: i64 = -1;

/// The topic's id in the versions that speak in ids.
pub(super) const TOPIC_ID: [u8; 16] = *b"forebay-replay-t";

/// The answer to any request but Fetch; `None` if it cannot be read or is not spoken.
pub(super) fn write(
    stage: &Stage,
    api: i16,
    mut request: Request<'_>,
    mut reply: Writer,
) -> Option<Writer> {
    match api {
        key::API_VERSIONS => api_versions(stage, &request, &mut reply),
        key::PRODUCE => produce(stage, &mut request, &mut reply)?,
        key::METADATA => metadata(stage, &request, &mut reply),
        key::LIST_OFFSETS => list_offsets(stage, &mut request, &mut reply)?,
        key::FIND_COORDINATOR => find_coordinator(stage, &mut request, &mut reply)?,
        key::OFFSET_COMMIT => offset_commit(stage, &mut request, &mut reply)?,
        key::OFFSET_FETCH => offset_fetch(stage, &mut request, &mut reply)?,
        key::JOIN_GROUP | key::SYNC_GROUP | key::HEARTBEAT | key::LEAVE_GROUP => {
            group::write(api, &mut request, &mut reply)?;
        }
        _ => return None,
    }
    reply.tags();
    Some(reply)
}

fn api_versions(stage: &Stage, request: &Request<'_>, reply: &mut Writer) {
    // In answer to a version it may not use, every client reads version 0.
    let version = if request.known { request.version } else { 0 };
    reply.i16(if request.known { 0 } else { UNSUPPORTED_VERSION });
    reply.array(APIS.len());
    for api in APIS {
        let offered = if api.key == key::FETCH { stage.options.fetch_version } else { api.max };
        reply.i16(api.key);
        reply.i16(api.min);
        reply.i16(api.max.min(offered));
        reply.tags();
    }
    if version >= 1 {
        reply.i32(0);
    }
}

fn metadata(stage: &Stage, request: &Request<'_>, reply: &mut Writer) {
    let version = request.version;
    if version >= 3 {
        reply.i32(0);
    }
    reply.array(1);
    node(stage, reply);
    if version >= 1 {
        reply.null_string();
    }
    reply.tags();
    if version >= 2 {
        reply.string("replay");
    }
    if version >= 1 {
        reply.i32(0);
    }
    reply.array(1);
    topic(stage, version, reply);
    if (8..=10).contains(&version) {
        reply.i32(NO_OPERATIONS);
    }
    if version >= 13 {
        reply.i16(0);
    }
}

fn node(stage: &Stage, reply: &mut Writer) {
    reply.i32(0);
    reply.string("127.0.0.1");
    reply.i32(i32::from(stage.options.port));
}

fn topic(stage: &Stage, version: i16, reply: &mut Writer) {
    reply.i16(0);
    reply.string(&stage.options.topic);
    if version >= 10 {
        reply.raw(&TOPIC_ID);
    }
    if version >= 1 {
        reply.i8(0);
    }
    reply.array(usize::try_from(stage.options.partitions).unwrap_or(0));
    for partition in 0..stage.options.partitions {
        reply.i16(0);
        reply.i32(partition);
        reply.i32(0);
        if version >= 7 {
            reply.i32(stage.options.leader_epoch);
        }
        // Node 0 is the one replica and in sync.
        for _ in 0..2 {
            reply.array(1);
            reply.i32(0);
        }
        if version >= 5 {
            reply.array(0);
        }
        reply.tags();
    }
    if version >= 8 {
        reply.i32(NO_OPERATIONS);
    }
    reply.tags();
}

/// Takes records and forgets them: some clients do not even fetch from a broker that cannot.
fn produce(stage: &Stage, request: &mut Request<'_>, reply: &mut Writer) -> Option<()> {
    let version = request.version;
    let asked = &mut request.body;
    asked.string()?;
    asked.i16()?;
    asked.i32()?;
    each_topic(asked, reply, |asked, reply| {
        let partition = asked.i32()?;
        asked.bytes()?;
        reply.i32(partition);
        reply.i16(error_of(stage, partition));
        reply.i64(0);
        reply.i64(-1);
        if version >= 5 {
            reply.i64(0);
        }
        if version >= 8 {
            reply.array(0);
            reply.null_string();
        }
        Some(())
    })?;
    reply.i32(0);
    Some(())
}

fn list_offsets(stage: &Stage, request: &mut Request<'_>, reply: &mut Writer) -> Option<()> {
    let version = request.version;
    let asked = &mut request.body;
    asked.i32()?;
    if version >= 2 {
        asked.i8()?;
        reply.i32(0);
    }
    each_topic(asked, reply, |asked, reply| {
        let partition = asked.i32()?;
        if version >= 4 {
            asked.i32()?;
        }
        let offset = if asked.i64()? == LATEST { stage.canned.end() } else { 0 };
        reply.i32(partition);
        reply.i16(error_of(stage, partition));
        reply.i64(-1);
        reply.i64(offset);
        if version >= 4 {
            reply.i32(stage.options.leader_epoch);
        }
        Some(())
    })
}

fn error_of(stage: &Stage, partition: i32) -> i16 {
    let known = (0..stage.options.partitions).contains(&partition);
    if known { 0 } else { UNKNOWN_TOPIC_OR_PARTITION }
}

/// Answers topic by topic and partition by partition, in the request's order.
fn each_topic(
    asked: &mut Reader<'_>,
    reply: &mut Writer,
    mut partition: impl FnMut(&mut Reader<'_>, &mut Writer) -> Option<()>,
) -> Option<()> {
    let topics = asked.array()?;
    reply.array(topics);
    for _ in 0..topics {
        reply.string(asked.string()?);
        let partitions = asked.array()?;
        reply.array(partitions);
        for _ in 0..partitions {
            partition(asked, reply)?;
            asked.tags()?;
            reply.tags();
        }
        asked.tags()?;
        reply.tags();
    }
    Some(())
}

fn find_coordinator(stage: &Stage, request: &mut Request<'_>, reply: &mut Writer) -> Option<()> {
    let version = request.version;
    if version >= 1 {
        reply.i32(0);
    }
    if version < 4 {
        reply.i16(0);
        if version >= 1 {
            reply.null_string();
        }
        node(stage, reply);
        return Some(());
    }
    request.body.i8()?;
    let keys = request.body.array()?;
    reply.array(keys);
    for _ in 0..keys {
        reply.string(request.body.string()?);
        node(stage, reply);
        reply.i16(0);
        reply.null_string();
        reply.tags();
    }
    Some(())
}

fn offset_commit(stage: &Stage, request: &mut Request<'_>, reply: &mut Writer) -> Option<()> {
    let version = request.version;
    let asked = &mut request.body;
    let group = asked.string()?;
    asked.i32()?;
    asked.string()?;
    if version >= 7 {
        asked.string()?;
    }
    if version <= 4 {
        asked.i64()?;
    }
    if version >= 3 {
        reply.i32(0);
    }
    each_topic(asked, reply, |asked, reply| {
        let (partition, position) = (asked.i32()?, asked.i64()?);
        if version >= 6 {
            asked.i32()?;
        }
        asked.string()?;
        stage.commit(group, partition, position);
        reply.i32(partition);
        reply.i16(error_of(stage, partition));
        Some(())
    })
}

fn offset_fetch(stage: &Stage, request: &mut Request<'_>, reply: &mut Writer) -> Option<()> {
    let version = request.version;
    if version >= 3 {
        reply.i32(0);
    }
    if version < 8 {
        let group = request.body.string()?;
        committed(stage, (group, version), &mut request.body, reply)?;
        if version >= 2 {
            reply.i16(0);
        }
        return Some(());
    }
    let groups = request.body.array()?;
    reply.array(groups);
    for _ in 0..groups {
        let group = request.body.string()?;
        reply.string(group);
        if version >= 9 {
            request.body.string()?;
            request.body.i32()?;
        }
        committed(stage, (group, version), &mut request.body, reply)?;
        reply.i16(0);
        request.body.tags()?;
        reply.tags();
    }
    Some(())
}

fn committed(
    stage: &Stage,
    (group, version): (&str, i16),
    asked: &mut Reader<'_>,
    reply: &mut Writer,
) -> Option<()> {
    let topics = asked.array()?;
    reply.array(topics);
    for _ in 0..topics {
        reply.string(asked.string()?);
        let partitions = asked.array()?;
        reply.array(partitions);
        for _ in 0..partitions {
            let partition = asked.i32()?;
            reply.i32(partition);
            reply.i64(stage.committed(group, partition));
            if version >= 5 {
                reply.i32(stage.options.leader_epoch);
            }
            reply.string("");
            reply.i16(0);
            reply.tags();
        }
        asked.tags()?;
        reply.tags();
    }
    Some(())
}
