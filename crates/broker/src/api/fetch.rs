//! Fetch v4-v18: records out, with sessions.
//!
//! v7 has sessions (KIP-227), v9 leader epochs, v12 the diverging epoch, v13 topic ids, v16 the
//! current leader (KIP-951). Nodes that do not lead a partition do not serve it, unless there are
//! racks: then v11 has leaders name replicas that are nearer to the client (KIP-392).

mod encode;
mod read;
mod session;

use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::messages::FetchRequest;

use super::Reply;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};
use crate::session::SessionKey;
use read::{Gathered, Isolation};

/// What a fetch asks for, beside its partitions.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Where its partitions are kept.
    pub(crate) session: SessionKey,
    kind: Kind,
    isolation: Isolation,
    min_bytes: usize,
    max_bytes: usize,
    /// Where the client stands; empty when it did not say.
    rack: String,
}

/// How much of the session the answer tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Everything, and the session's id: 0 when there is none.
    Full { id: i32 },
    /// Only what is new.
    Incremental { id: i32 },
}

impl Kind {
    const fn id(self) -> i32 {
        match self {
            Self::Full { id } | Self::Incremental { id } => id,
        }
    }
}

/// Answers a fetch, now or later.
pub(super) fn fetch(
    cluster: &mut Cluster,
    call: &Call,
    request: &FetchRequest,
) -> Result<Reply, BadRequest> {
    if let Some(code) = call.forced().filter(|_| call.version >= 7) {
        return Ok(Reply::Body(encode::failed(call, code)?));
    }
    let (session, kind) = match session::open(cluster, call, request) {
        Ok(opened) => opened,
        Err(code) => return Ok(Reply::Body(encode::failed(call, code)?)),
    };
    let size = |bytes: i32| usize::try_from(bytes).unwrap_or_default();
    let ask = Ask {
        session,
        kind,
        isolation: Isolation::of(request.isolation_level),
        min_bytes: size(request.min_bytes),
        max_bytes: size(request.max_bytes),
        rack: request.rack_id.as_str().to_owned(),
    };
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());
    if wait.is_zero() {
        return Ok(Reply::Body(cluster.fetch_now(call, &ask)?));
    }
    if let Some(body) = cluster.fetch_if_ready(call, &ask) {
        return Ok(Reply::Body(body?));
    }
    if let Some(session) = cluster.sessions.get_mut(&session) {
        session.waiting = Some(call.connection);
    }
    Ok(Reply::Wait { ask, until: cluster.now.saturating_add(wait) })
}

type Body = Result<Vec<Bytes>, BadRequest>;

impl Cluster {
    /// Answers a fetch with what there is.
    pub(crate) fn fetch_now(&mut self, call: &Call, ask: &Ask) -> Body {
        let gathered = read::gather(self, call, ask);
        self.conclude_fetch(call, ask, gathered)
    }

    /// Answers a fetch when there is enough, or something that should not wait.
    pub(crate) fn fetch_if_ready(&mut self, call: &Call, ask: &Ask) -> Option<Body> {
        let gathered = read::gather(self, call, ask);
        let ready = gathered.urgent || gathered.bytes >= ask.min_bytes;
        ready.then(|| self.conclude_fetch(call, ask, gathered))
    }

    fn conclude_fetch(&mut self, call: &Call, ask: &Ask, gathered: Gathered) -> Body {
        let told = session::tell(self, ask, gathered.parts);
        let body = encode::fetched(self, call, ask.kind.id(), &told);
        self.end_wait(ask.session);
        Ok(body?)
    }

    /// A fetch no longer waits; what was asked for it alone is forgotten.
    pub(crate) fn end_wait(&mut self, key: SessionKey) {
        match key {
            SessionKey::Kept(_) => {
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.waiting = None;
                }
            }
            SessionKey::Once(_) => session::close(self, key),
        }
    }

    /// Throws away the fetch sessions of a node, as if its cache were full. Clients learn it from
    /// `FETCH_SESSION_ID_NOT_FOUND`.
    pub fn evict_fetch_sessions(&mut self, node: forebay_protocol::types::BrokerId) {
        let of_node = |(key, session): (&SessionKey, &crate::session::Session)| {
            (session.node == node && matches!(key, SessionKey::Kept(_))).then_some(*key)
        };
        let keys: Vec<_> = self.sessions.iter().filter_map(of_node).collect();
        for key in keys {
            // A fetch that waits on it answers at its time, without partitions.
            session::close(self, key);
        }
    }

    /// What a kept fetch session asks for, as topic, partition and position, by its id. For tests
    /// that compare it with what the client believes. Topics asked for by id are looked up.
    #[must_use]
    pub fn fetch_session(&self, id: i32) -> Option<Vec<(String, i32, i64)>> {
        let session = self.sessions.get(&SessionKey::Kept(id))?;
        let row = |(_, entry): (u32, &crate::session::Entry)| {
            let name = self.topics.name_of(&entry.wanted.topic).unwrap_or_default();
            (name.to_owned(), entry.wanted.partition, entry.wanted.position)
        };
        let mut rows: Vec<_> = session.entries().map(row).collect();
        rows.sort();
        Some(rows)
    }

    /// The ids of the fetch sessions that a node keeps.
    #[must_use]
    pub fn fetch_sessions(&self, node: forebay_protocol::types::BrokerId) -> Vec<i32> {
        let kept = self.sessions.iter().filter(|(_, session)| session.node == node);
        kept.filter_map(|(key, _)| match key {
            SessionKey::Kept(id) => Some(*id),
            SessionKey::Once(_) => None,
        })
        .collect()
    }
}

/// The code for a session that a request names wrongly.
type SessionError = ErrorCode;
