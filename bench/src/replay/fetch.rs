//! Which canned bytes answer a Fetch, and how do they leave without being copied?

use std::collections::{HashMap, HashSet};
use std::io::IoSlice;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::Stage;
use super::answers::TOPIC_ID;
use super::connection::{Request, send};
use super::wire::{Reader, Writer};
use crate::canned::{Canned, HEAD};
use crate::error::Error;

/// Kafka's error codes used here.
const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
const INVALID_FETCH_SESSION_EPOCH: i16 = 71;
/// The one session a connection can have.
const SESSION: i32 = 7_001;

/// What the broker remembers of a connection's partitions between two Fetches (KIP-227).
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The epoch the next Fetch must carry; 0 while there is no session.
    epoch: i32,
    /// In the order they are served; who got records moves to the end.
    wanted: Vec<Want>,
}

/// One partition of a Fetch.
#[derive(Clone, Copy, Debug)]
struct Want {
    partition: i32,
    offset: i64,
    max_bytes: usize,
}

/// A Fetch, as far as this broker cares.
#[derive(Debug)]
struct Asked {
    max_wait: Duration,
    max_bytes: usize,
    session: (i32, i32),
    wants: Vec<Want>,
    forgotten: Vec<i32>,
}

/// What one partition gets: whole batches from `base`, `cut` bytes of them all.
#[derive(Debug)]
struct Share {
    partition: i32,
    base: i64,
    bytes: usize,
}

/// Bytes of a response: from the response's own fields, or the tail of a canned batch.
#[derive(Debug)]
enum Piece {
    Own { start: usize, end: usize },
    Tail { base: i64, len: usize },
}

/// Reads the request, waits where there is nothing, sends the response; `None` for a request that
/// cannot be read.
pub(super) fn answer(
    stage: &Stage,
    session: &mut Session,
    request: Request<'_>,
    mut reply: Writer,
    socket: &TcpStream,
) -> Result<Option<()>, Error> {
    let version = request.version;
    let Some(asked) = read(version, request.body) else {
        return Ok(None);
    };
    let outcome = session.enter(stage, &asked);
    let shares = match outcome {
        Ok(id) => {
            top(version, 0, id, &mut reply);
            session.serve(stage, &asked)
        }
        Err(code) => {
            top(version, code, 0, &mut reply);
            Vec::new()
        }
    };
    if outcome.is_ok() && shares.iter().all(|share| share.bytes == 0) {
        thread::sleep(asked.max_wait);
    }
    let pieces = write(stage, version, &shares, &mut reply);
    let beyond = pieces.iter().map(Piece::beyond).sum();
    let own = reply.finish(beyond);
    let mut slices: Vec<_> =
        pieces.iter().map(|piece| IoSlice::new(piece.bytes(&own, &stage.canned))).collect();
    send(socket, &mut slices).map(Some)
}

fn read(version: i16, mut body: Reader<'_>) -> Option<Asked> {
    if version <= 14 {
        body.i32()?;
    }
    let max_wait = Duration::from_millis(u64::try_from(body.i32()?).unwrap_or(0));
    body.i32()?;
    let max_bytes = usize::try_from(body.i32()?).unwrap_or(0);
    body.i8()?;
    let session = if version >= 7 { (body.i32()?, body.i32()?) } else { (0, -1) };
    let mut wants = Vec::new();
    for _ in 0..body.array()? {
        topic(version, &mut body)?;
        for _ in 0..body.array()? {
            wants.push(want(version, &mut body)?);
        }
        body.tags()?;
    }
    let mut forgotten = Vec::new();
    if version >= 7 {
        for _ in 0..body.array()? {
            topic(version, &mut body)?;
            for _ in 0..body.array()? {
                forgotten.push(body.i32()?);
            }
            body.tags()?;
        }
    }
    Some(Asked { max_wait, max_bytes, session, wants, forgotten })
}

/// There is one topic; its name or id is passed over.
fn topic(version: i16, body: &mut Reader<'_>) -> Option<()> {
    if version >= 13 { body.uuid().map(|_| ()) } else { body.string().map(|_| ()) }
}

fn want(version: i16, body: &mut Reader<'_>) -> Option<Want> {
    let partition = body.i32()?;
    if version >= 9 {
        body.i32()?;
    }
    let offset = body.i64()?;
    if version >= 12 {
        body.i32()?;
    }
    if version >= 5 {
        body.i64()?;
    }
    let max_bytes = usize::try_from(body.i32()?).unwrap_or(0);
    body.tags()?;
    Some(Want { partition, offset, max_bytes })
}

impl Session {
    /// Takes over what the request says of the session; its id for the answer, or Kafka's error.
    fn enter(&mut self, stage: &Stage, asked: &Asked) -> Result<i32, i16> {
        let (id, epoch) = asked.session;
        if epoch <= 0 {
            self.wanted.clone_from(&asked.wants);
            let opens = epoch == 0 && !stage.options.no_sessions;
            self.epoch = i32::from(opens);
            return Ok(if opens { SESSION } else { 0 });
        }
        if self.epoch == 0 || id != SESSION {
            return Err(FETCH_SESSION_ID_NOT_FOUND);
        }
        if epoch != self.epoch {
            return Err(INVALID_FETCH_SESSION_EPOCH);
        }
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        self.merge(asked);
        Ok(SESSION)
    }

    fn merge(&mut self, asked: &Asked) {
        let mut changed: HashMap<i32, Want> =
            asked.wants.iter().map(|want| (want.partition, *want)).collect();
        for want in &mut self.wanted {
            if let Some(new) = changed.remove(&want.partition) {
                *want = new;
            }
        }
        self.wanted.extend(asked.wants.iter().filter(|want| changed.contains_key(&want.partition)));
        if !asked.forgotten.is_empty() {
            self.wanted.retain(|want| !asked.forgotten.contains(&want.partition));
        }
    }

    /// What each partition gets; in an incremental Fetch only those that get something.
    fn serve(&mut self, stage: &Stage, asked: &Asked) -> Vec<Share> {
        let incremental = asked.session.1 > 0;
        let mut left = asked.max_bytes;
        let mut shares = Vec::new();
        for want in &self.wanted {
            let granted = usize::from(left == asked.max_bytes);
            let share = share(stage, want, left, granted);
            left = left.saturating_sub(share.bytes);
            if share.bytes > 0 || !incremental {
                shares.push(share);
            }
        }
        if incremental {
            let served: HashSet<i32> = shares.iter().map(|share| share.partition).collect();
            self.wanted.sort_by_key(|want| served.contains(&want.partition));
        }
        shares
    }
}

/// As much of the log as the limits allow, and `granted` batches whatever their size: one for the
/// first partition with records. Everywhere else the limit cuts where it falls.
fn share(stage: &Stage, want: &Want, left: usize, mut granted: usize) -> Share {
    let canned = &stage.canned;
    let limit = want.max_bytes.min(left);
    let start = canned.base_of(want.offset);
    let (mut base, mut bytes) = (start, 0);
    while let Some(batch) = canned.at(base) {
        if bytes + batch.len() > limit && granted == 0 {
            break;
        }
        granted = granted.saturating_sub(1);
        bytes += batch.len();
        base = canned.after(base);
    }
    if bytes > 0 && !stage.options.whole_batches && canned.at(base).is_some() {
        bytes = bytes.max(limit);
    }
    Share { partition: want.partition, base: start, bytes }
}

fn top(version: i16, code: i16, session: i32, reply: &mut Writer) {
    reply.i32(0);
    if version >= 7 {
        reply.i16(code);
        reply.i32(session);
    }
}

fn write(stage: &Stage, version: i16, shares: &[Share], reply: &mut Writer) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    reply.array(usize::from(!shares.is_empty()));
    if !shares.is_empty() {
        if version >= 13 {
            reply.raw(&TOPIC_ID);
        } else {
            reply.string(&stage.options.topic);
        }
        reply.array(shares.len());
        for share in shares {
            partition(stage, version, share, reply);
            let mut base = share.base;
            let mut left = share.bytes;
            while let Some(batch) = stage.canned.at(base).filter(|_| left > 0) {
                let len = batch.len().min(left);
                let head = reply.len();
                reply.i64(base);
                reply.i32(length_of(batch));
                reply.i32(stage.options.leader_epoch);
                reply.truncate(head + len);
                pieces.push(Piece::Own { start, end: reply.len() });
                start = reply.len();
                pieces.push(Piece::Tail { base, len: len.saturating_sub(HEAD) });
                left -= len;
                base = stage.canned.after(base);
            }
            reply.tags();
        }
        reply.tags();
    }
    reply.tags();
    pieces.push(Piece::Own { start, end: reply.len() });
    pieces
}

/// The length field of a batch: what follows it.
fn length_of(batch: &[u8]) -> i32 {
    i32::try_from(batch.len().saturating_sub(12)).unwrap_or(i32::MAX)
}

fn partition(stage: &Stage, version: i16, share: &Share, reply: &mut Writer) {
    reply.i32(share.partition);
    reply.i16(0);
    reply.i64(stage.canned.end());
    reply.i64(stage.canned.end());
    if version >= 5 {
        reply.i64(0);
    }
    reply.null_array();
    if version >= 11 {
        reply.i32(-1);
    }
    reply.array(share.bytes);
}

impl Piece {
    /// Bytes that do not come from the response's own fields.
    fn beyond(&self) -> usize {
        match self {
            Self::Own { .. } => 0,
            Self::Tail { len, .. } => *len,
        }
    }

    fn bytes<'a>(&self, own: &'a [u8], canned: &'a Canned) -> &'a [u8] {
        match *self {
            Self::Own { start, end } => own.get(start..end),
            Self::Tail { base, len } => canned.at(base).and_then(|b| b.get(HEAD..HEAD + len)),
        }
        .unwrap_or_default()
    }
}
