//! What a group has committed, and whether it has members.

pub(crate) mod classic;
mod kinds;
pub(crate) mod modern;
mod parked;

use std::collections::BTreeMap;

use std::time::Duration;

use crate::batch::Marker;
use crate::code::ErrorCode;
use crate::connection::TimerKey;
use crate::group::classic::Classic;
use crate::group::modern::Modern;
use crate::versions::Release;

/// The kind of classic groups whose members say which topics they read.
pub(crate) const CONSUMER: &str = "consumer";

/// A group: its committed offsets and, for tests, members that live.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) offsets: BTreeMap<(String, i32), Committed>,
    /// Offsets of transactions that have not ended, by producer id.
    pending: BTreeMap<i64, BTreeMap<(String, i32), Committed>>,
    /// Members that tests pretend; each has its generation.
    members: BTreeMap<String, i32>,
    /// Members that joined.
    pub(crate) classic: Classic,
    /// Members by KIP-848.
    pub(crate) modern: Modern,
    /// When the last of its members was gone, in milliseconds since 1970; 0 while it has some, and
    /// `None` before it had any.
    emptied: Option<i64>,
    /// The next deadline among them.
    timer: Option<TimerKey>,
}

/// What was committed for one partition.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Committed {
    /// The position: the next offset to consume.
    pub offset: i64,
    /// The leader epoch of the record before it; -1 when the client did not say.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Group {
    /// Offsets that count when the producer's transaction commits.
    pub(crate) fn pend(&mut self, producer: i64, place: (String, i32), committed: Committed) {
        self.pending.entry(producer).or_default().insert(place, committed);
    }

    /// Whether a transaction that has not ended commits offsets of this partition.
    pub(crate) fn is_pending(&self, place: &(String, i32)) -> bool {
        self.pending.values().any(|offsets| offsets.contains_key(place))
    }

    /// The producer's transaction ended.
    pub(crate) fn end_pending(&mut self, producer: i64, marker: Marker) {
        let offsets = self.pending.remove(&producer).unwrap_or_default();
        if marker == Marker::Commit {
            self.offsets.extend(offsets);
        }
    }

    /// Takes note of whether it has members now.
    pub(crate) fn note_members(&mut self, now: i64) {
        if self.has_members() {
            self.emptied = Some(0);
        } else if self.emptied == Some(0) {
            self.emptied = Some(now);
        }
    }

    /// Forgets what is from before this time, in milliseconds since 1970, and may go.
    pub(crate) fn expire(&mut self, before: i64, release: Release) -> usize {
        let had = self.offsets.len();
        let has_members = self.has_members();
        let by_commit = release <= Release::V1_1 || self.emptied.is_none();
        let emptied = self.emptied.unwrap_or_default();
        let mut offsets = std::mem::take(&mut self.offsets);
        offsets.retain(|place, committed| {
            let is_old = committed.at < before;
            let is_expired = if by_commit {
                is_old
            } else if has_members {
                is_old && !self.reads_unknown() && !self.reads(&place.0)
            } else {
                emptied < before
            };
            !is_expired || self.is_pending(place)
        });
        self.offsets = offsets;
        had - self.offsets.len()
    }

    /// Whether nothing is left of what it committed.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.offsets.is_empty() && self.pending.values().all(BTreeMap::is_empty)
    }

    pub(crate) fn has_members(&self) -> bool {
        !(self.members.is_empty() && self.classic.is_empty() && self.modern.is_empty())
    }

    /// Whether it is, or was when it had members, one by KIP-848.
    pub(crate) fn is_modern(&self) -> bool {
        self.modern.epoch() > 0
    }

    /// Whether a member reads this topic.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.modern.reads(topic) || self.classic.reads(topic)
    }

    /// Whether it has members whose topics cannot be known.
    pub(crate) fn reads_unknown(&self) -> bool {
        !self.classic.is_empty() && self.classic.protocol_type() != CONSUMER
    }

    /// A member that lives, in this generation or member epoch.
    pub(crate) fn join(&mut self, member: &str, generation: i32) {
        self.members.insert(member.to_owned(), generation);
    }

    pub(crate) fn leave(&mut self, member: &str) {
        self.members.remove(member);
    }

    /// Whether this member may commit, in this generation; a client that assigns by hand says ""
    /// and -1, and may when the group has no members.
    pub(crate) fn may_commit(
        &mut self,
        time: (Duration, Release),
        (member, instance): (&str, Option<&str>),
        generation: i32,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && !self.has_members() {
            return Ok(());
        }
        match self.members.get(member) {
            None if !self.modern.is_empty() => self.modern.may_commit(member, generation),
            None => self.classic.may_commit(time, member, instance, generation),
            Some(current) if *current != generation => Err(ErrorCode::ILLEGAL_GENERATION),
            Some(_) => Ok(()),
        }
    }
}
