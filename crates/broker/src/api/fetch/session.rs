//! Which fetch session does a request mean, and what does an answer change in it?

use std::time::Duration;

use forebay_protocol::messages::FetchRequest;
use forebay_protocol::types::BrokerId;

use super::read::Part;
use super::{Ask, Kind, SessionError};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::session::{Names, Session, SessionKey, Told, Wanted};
use crate::topic::TopicRef;

/// The epoch of a request that closes its session and opens none.
const FINAL_EPOCH: i32 = -1;
/// The epoch of a request that opens a session.
const INITIAL_EPOCH: i32 = 0;
/// From this version on, topics have ids in requests.
const IDS_FROM: i16 = 13;
/// A session that was not used for so long gives way to a new one.
const IDLE: Duration = Duration::from_mins(2);

/// Finds or makes the session of a request, and puts the request's partitions into it.
pub(super) fn open(
    cluster: &mut Cluster,
    call: &Call,
    request: &FetchRequest,
) -> Result<(SessionKey, Kind), SessionError> {
    let (id, epoch) = (request.session_id, request.session_epoch);
    if call.version < 7 || epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
        if id != 0 && own(cluster, call.node, id).is_some() {
            close(cluster, SessionKey::Kept(id));
        }
        let wants_session = call.version >= 7 && epoch == INITIAL_EPOCH;
        let kept = if wants_session { new_id(cluster, call.node) } else { None };
        let key = kept.map_or(SessionKey::Once(call.connection), SessionKey::Kept);
        let mut session = Session::new(call.node, names(call.version), cluster.now);
        wanted(request).for_each(|wanted| session.want(wanted));
        cluster.sessions.insert(key, session);
        return Ok((key, Kind::Full { id: kept.unwrap_or_default() }));
    }
    carry_on(cluster, call, request)
}

/// The next request of a session that is kept.
fn carry_on(
    cluster: &mut Cluster,
    call: &Call,
    request: &FetchRequest,
) -> Result<(SessionKey, Kind), SessionError> {
    let id = request.session_id;
    let key = SessionKey::Kept(id);
    let now = cluster.now;
    let session = own(cluster, call.node, id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
    if session.epoch != request.session_epoch {
        return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    }
    if session.names != names(call.version) {
        return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    }
    session.last_used = now;
    session.epoch = session.epoch.checked_add(1).unwrap_or(1);
    wanted(request).for_each(|wanted| session.want(wanted));
    for topic in &request.forgotten_topics_data {
        let place = TopicRef::of(&topic.topic, topic.topic_id);
        topic.partitions.iter().for_each(|partition| forget(cluster, key, &place, *partition));
    }
    if cluster.sessions.get(&key).is_none_or(|session| session.len() == 0) {
        // Kafka drops a session that wants nothing, and says so with id 0.
        close(cluster, key);
        let once = SessionKey::Once(call.connection);
        cluster.sessions.insert(once, Session::new(call.node, names(call.version), now));
        return Ok((once, Kind::Full { id: 0 }));
    }
    Ok((key, Kind::Incremental { id }))
}

fn own(cluster: &mut Cluster, node: BrokerId, id: i32) -> Option<&mut Session> {
    cluster.sessions.get_mut(&SessionKey::Kept(id)).filter(|session| session.node == node)
}

const fn names(version: i16) -> Names {
    if version >= IDS_FROM { Names::ById } else { Names::ByName }
}

fn wanted(request: &FetchRequest) -> impl Iterator<Item = Wanted> + '_ {
    request.topics.iter().flat_map(|topic| {
        let place = TopicRef::of(&topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |partition| Wanted {
            topic: place.clone(),
            partition: partition.partition,
            position: partition.fetch_offset,
            leader_epoch: partition.current_leader_epoch,
            last_fetched_epoch: partition.last_fetched_epoch,
            max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or_default(),
        })
    })
}

/// The id of a new session, when the node has room for one.
fn new_id(cluster: &mut Cluster, node: BrokerId) -> Option<i32> {
    let kept = cluster
        .sessions
        .iter()
        .filter(|(key, session)| session.node == node && matches!(key, SessionKey::Kept(_)));
    let mut ages: Vec<_> = kept.map(|(key, session)| (session.last_used, *key)).collect();
    ages.sort_unstable();
    if ages.len() >= cluster.options.fetch_sessions {
        let (last_used, oldest) = ages.first().copied()?;
        if cluster.now.saturating_sub(last_used) < IDLE {
            return None;
        }
        close(cluster, oldest);
    }
    let taken = |cluster: &Cluster, id| cluster.sessions.contains_key(&SessionKey::Kept(id));
    let mut id = cluster.rng.positive();
    while taken(cluster, id) {
        id = cluster.rng.positive();
    }
    Some(id)
}

/// Ends a session.
pub(super) fn close(cluster: &mut Cluster, key: SessionKey) {
    let Some(session) = cluster.sessions.remove(&key) else { return };
    for (slot, entry) in session.entries().filter(|(_, entry)| entry.watched) {
        unwatch(cluster, (key, slot), &entry.wanted.topic, entry.wanted.partition);
    }
    // A fetch that waits on it can answer now: that there is nothing.
    cluster.woken.extend(session.waiting);
}

fn forget(cluster: &mut Cluster, key: SessionKey, topic: &TopicRef, partition: i32) {
    let Some(session) = cluster.sessions.get_mut(&key) else { return };
    if let Some((slot, _)) = session.forget(topic, partition) {
        unwatch(cluster, (key, slot), topic, partition);
    }
}

fn unwatch(cluster: &mut Cluster, watcher: (SessionKey, u32), topic: &TopicRef, partition: i32) {
    let Some(name) = cluster.topics.name_of(topic).map(str::to_owned) else { return };
    cluster.topics.change(&name, partition, |partition| partition.watchers.remove(&watcher));
}

/// Notes in the session what this answer tells, and returns the parts that the answer carries.
pub(super) fn tell(cluster: &mut Cluster, ask: &Ask, parts: Vec<Part>) -> Vec<Part> {
    let Some(session) = cluster.sessions.get_mut(&ask.session) else { return Vec::new() };
    let mut told = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(entry) = session.entry_mut(part.slot) else { continue };
        let now = Told { high_watermark: part.high_watermark, log_start: part.log_start };
        let is_news = part.is_urgent() || part.slices.len > 0 || entry.told != now;
        // After an error the client is told all again.
        entry.told = if part.error == ErrorCode::NONE { now } else { Told::NOTHING };
        if !part.has_more {
            session.quiet(part.slot);
        }
        if part.slices.len > 0 {
            session.had_turn(part.slot);
        }
        if is_news || matches!(ask.kind, Kind::Full { .. }) {
            told.push(part);
        }
    }
    told
}
