//! What does a fetch get now, partition by partition?

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::cluster::leaders::{is_of_epoch, led_by};
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::log::{EndOffset, FirstBatch, Limit, Log, Slices};
use crate::session::{Entry, Names, Session};
use crate::topic::{Partition, TopicRef};
use crate::versions::Release;
use forebay_protocol::types::BrokerId;

use super::Ask;

/// Which records a consumer wants to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Isolation {
    Uncommitted,
    Committed,
}

impl Isolation {
    pub(super) const fn of(level: i8) -> Self {
        if level == 1 { Self::Committed } else { Self::Uncommitted }
    }
}

/// All that a fetch gets.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) parts: Vec<Part>,
    pub(super) bytes: usize,
    /// Whether the answer should not wait for more.
    pub(super) urgent: bool,
}

/// What one partition gives.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) slot: u32,
    pub(super) topic: TopicRef,
    pub(super) partition: i32,
    pub(super) error: ErrorCode,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
    pub(super) log_start: i64,
    pub(super) diverging: Option<EndOffset>,
    /// Who leads, when that is news.
    pub(super) leader: Option<(Option<BrokerId>, i32)>,
    /// Whom the client should rather ask.
    pub(super) nearer: Option<BrokerId>,
    /// Producer and first offset of aborted transactions; `None` when all records are wanted.
    pub(super) aborted: Option<Vec<(i64, i64)>>,
    pub(super) slices: Slices,
    /// Whether the next fetch should look here again even if nothing happens.
    pub(super) has_more: bool,
}

impl Part {
    fn failed(slot: u32, entry: &Entry, error: ErrorCode) -> Self {
        Self {
            slot,
            topic: entry.wanted.topic.clone(),
            partition: entry.wanted.partition,
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start: -1,
            diverging: None,
            leader: None,
            nearer: None,
            // Kafka says null for errors of the log and an empty list for what it does not know.
            aborted: is_unknown(error).then(Vec::new),
            slices: Slices::default(),
            has_more: true,
        }
    }

    /// Releases up to 1.1 tell the last stable offset only to those who are bound by it, and the
    /// first one has no aborted transactions beside an error.
    fn told_by(mut self, release: Release, isolation: Isolation) -> Self {
        if release <= Release::V1_1 && isolation == Isolation::Uncommitted {
            self.last_stable_offset = -1;
        }
        if release == Release::V0_11 && self.error != ErrorCode::NONE {
            self.aborted = None;
        }
        self
    }

    /// Whether a client should hear of it at once.
    pub(super) fn is_urgent(&self) -> bool {
        self.error != ErrorCode::NONE || self.diverging.is_some() || self.nearer.is_some()
    }
}

const fn is_unknown(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID)
}

/// How much is left for the partitions that come.
struct Room {
    bytes: usize,
    first: FirstBatch,
}

/// Looks at every partition of the session that may have news.
pub(super) fn gather(cluster: &mut Cluster, call: &Call, ask: &Ask) -> Gathered {
    let Some(session) = cluster.sessions.remove(&ask.session) else {
        return Gathered { urgent: true, ..Gathered::default() };
    };
    let mut session = session;
    let mut gathered = Gathered { urgent: session.len() == 0, ..Gathered::default() };
    let mut room = Room { bytes: ask.max_bytes, first: FirstBatch::Whole };
    let slots: Vec<u32> = session.news().collect();
    for slot in slots {
        watch(cluster, ask, &mut session, slot);
        let Some(entry) = session.entry(slot) else { continue };
        let part = one(cluster, call, (ask, session.names), (slot, entry), &room);
        let part = part.told_by(cluster.options.release, ask.isolation);
        room.bytes = room.bytes.saturating_sub(part.slices.len);
        if part.slices.len > 0 {
            room.first = FirstBatch::Limited;
        }
        gathered.bytes += part.slices.len;
        gathered.urgent |= part.is_urgent();
        gathered.parts.push(part);
    }
    cluster.sessions.insert(ask.session, session);
    // As Kafka does, what is not known comes last.
    gathered.parts.sort_by_key(|part| is_unknown(part.error));
    gathered
}

/// Lets the partition know who looks at it, once.
fn watch(cluster: &mut Cluster, ask: &Ask, session: &mut Session, slot: u32) {
    let Some(entry) = session.entry_mut(slot).filter(|entry| !entry.watched) else { return };
    let Some(name) = cluster.topics.name_of(&entry.wanted.topic).map(str::to_owned) else {
        return;
    };
    let watching = cluster.topics.change(&name, entry.wanted.partition, |partition| {
        partition.watchers.insert((ask.session, slot));
    });
    entry.watched = watching.is_some();
}

fn one(
    cluster: &mut Cluster,
    call: &Call,
    (ask, names): (&Ask, Names),
    (slot, entry): (u32, &Entry),
    room: &Room,
) -> Part {
    let wanted = &entry.wanted;
    let name = cluster.topics.name_of(&wanted.topic).map(str::to_owned);
    let Some(name) = name else {
        let code = match names {
            Names::ById => ErrorCode::UNKNOWN_TOPIC_ID,
            Names::ByName => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        };
        return Part::failed(slot, entry, code);
    };
    if let Some(code) = cluster.forced(call, &name, wanted.partition) {
        return Part::failed(slot, entry, code);
    }
    let Some(partition) = cluster.topics.partition(&name, wanted.partition) else {
        return Part::failed(slot, entry, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    };
    if let Err(refusal) = served_by(cluster, call, partition, wanted.leader_epoch) {
        let mut part = Part::failed(slot, entry, refusal.code);
        part.leader = Some((partition.leader, partition.epoch));
        return part;
    }
    let is_leader = partition.leader == Some(call.node);
    let nearer = cluster.nearer(partition, &ask.rack).filter(|_| is_leader);
    let Some(nearer) = nearer else { return read(partition, ask, (slot, entry), room) };
    let nothing = Room { bytes: 0, first: FirstBatch::Limited };
    let part = read(partition, ask, (slot, entry), &nothing);
    // As Kafka does, it is told with each answer.
    Part { nearer: Some(nearer), has_more: true, ..part }
}

/// Whether the node serves the partition: as its leader, or where there are racks as a replica.
fn served_by(
    cluster: &Cluster,
    call: &Call,
    partition: &Partition,
    epoch: i32,
) -> Result<(), Refusal> {
    let is_replica = partition.replicas.contains(&call.node);
    if is_replica && 11 <= call.version && !cluster.options.racks.is_empty() {
        return is_of_epoch(partition, epoch);
    }
    led_by(partition, call.node, epoch)
}

fn read(partition: &Partition, ask: &Ask, (slot, entry): (u32, &Entry), room: &Room) -> Part {
    let log = &partition.log;
    let position = entry.wanted.position;
    let mut part = Part {
        high_watermark: log.high_watermark(),
        last_stable_offset: log.last_stable_offset(),
        log_start: log.start(),
        ..Part::failed(slot, entry, ErrorCode::NONE)
    };
    match divergence(log, entry) {
        Ok(diverging @ Some(_)) => {
            part.diverging = diverging;
            return part;
        }
        Ok(None) if (log.start()..=log.end()).contains(&position) => {}
        Ok(None) | Err(()) => return Part::failed(slot, entry, ErrorCode::OFFSET_OUT_OF_RANGE),
    }
    let bound = match ask.isolation {
        Isolation::Uncommitted => part.high_watermark,
        Isolation::Committed => part.last_stable_offset,
    };
    let limit = Limit { bytes: room.bytes.min(entry.wanted.max_bytes), first: room.first };
    part.slices = log.read(position, bound, limit);
    part.has_more = position < bound;
    if ask.isolation == Isolation::Committed {
        let aborted = log.transactions().aborted(position, bound);
        part.aborted = Some(aborted.map(|one| (one.producer_id, one.first_offset)).collect());
    }
    part
}

/// Where the client's log and this one part, when they do (KIP-320). `Err` when the epoch that the
/// client names is not known at all.
fn divergence(log: &Log, entry: &Entry) -> Result<Option<EndOffset>, ()> {
    let (epoch, position) = (entry.wanted.last_fetched_epoch, entry.wanted.position);
    if epoch < 0 {
        return Ok(None);
    }
    let found = log.epochs().end_of(epoch, log.end());
    if found == EndOffset::UNDEFINED {
        return Err(());
    }
    Ok((found.epoch < epoch || found.end < position).then_some(found))
}
