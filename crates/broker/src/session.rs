//! The fetch sessions of all nodes (KIP-227): what each session asks for and what it was told.
//!
//! A session knows which of its partitions may have news, so that an idle fetch over ten thousand
//! partitions costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_protocol::types::BrokerId;

use crate::connection::ConnectionId;
use crate::topic::TopicRef;

/// Which session: one that is kept under an id, or that of a single request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum SessionKey {
    Kept(i32),
    Once(ConnectionId),
}

/// One partition as a request asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) topic: TopicRef,
    pub(crate) partition: i32,
    pub(crate) position: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) last_fetched_epoch: i32,
    pub(crate) max_bytes: usize,
}

/// A partition of a session.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) wanted: Wanted,
    /// What the client was told last; -1 makes the next answer tell it again.
    pub(crate) told: Told,
    /// Whether the partition knows that this session looks at it.
    pub(crate) watched: bool,
    order: u64,
}

/// What an incremental answer leaves out when it has not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start: i64,
}

impl Told {
    pub(crate) const NOTHING: Self = Self { high_watermark: -1, log_start: -1 };
}

/// A fetch session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) node: BrokerId,
    /// The epoch that the next request must carry.
    pub(crate) epoch: i32,
    pub(crate) names: Names,
    pub(crate) last_used: Duration,
    /// The connection whose fetch waits for news.
    pub(crate) waiting: Option<ConnectionId>,
    entries: BTreeMap<u32, Entry>,
    slots: BTreeMap<(TopicRef, i32), u32>,
    /// Where news may be, in the order in which partitions take their turn.
    news: BTreeSet<(u64, u32)>,
    next_slot: u32,
    next_order: u64,
}

/// How the requests of a session name topics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Names {
    ByName,
    ById,
}

impl Session {
    pub(crate) const fn new(node: BrokerId, names: Names, now: Duration) -> Self {
        Self {
            node,
            epoch: 1,
            names,
            last_used: now,
            waiting: None,
            entries: BTreeMap::new(),
            slots: BTreeMap::new(),
            news: BTreeSet::new(),
            next_slot: 0,
            next_order: 0,
        }
    }

    /// How many partitions it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a partition, or changes where it is wanted from.
    pub(crate) fn want(&mut self, wanted: Wanted) {
        let place = (wanted.topic.clone(), wanted.partition);
        if let Some(slot) = self.slots.get(&place).copied() {
            if let Some(entry) = self.entries.get_mut(&slot) {
                entry.wanted = wanted;
            }
            return self.mark(slot);
        }
        let (slot, order) = (self.next_slot, self.next_order);
        self.next_slot = self.next_slot.wrapping_add(1);
        self.next_order += 1;
        self.slots.insert(place, slot);
        self.entries.insert(slot, Entry { wanted, told: Told::NOTHING, watched: false, order });
        self.mark(slot);
    }

    /// Takes a partition out; its watcher, if one is set, is to be removed by the caller.
    pub(crate) fn forget(&mut self, topic: &TopicRef, partition: i32) -> Option<(u32, Entry)> {
        let slot = self.slots.remove(&(topic.clone(), partition))?;
        let entry = self.entries.remove(&slot)?;
        self.news.remove(&(entry.order, slot));
        Some((slot, entry))
    }

    /// There may be news of a partition.
    pub(crate) fn mark(&mut self, slot: u32) {
        if let Some(entry) = self.entries.get(&slot) {
            self.news.insert((entry.order, slot));
        }
    }

    /// The partition's topic is gone or is another one now: look it up again.
    pub(crate) fn unwatch(&mut self, slot: u32) {
        if let Some(entry) = self.entries.get_mut(&slot) {
            entry.watched = false;
        }
        self.mark(slot);
    }

    /// The slots with news, in order.
    pub(crate) fn news(&self) -> impl Iterator<Item = u32> + '_ {
        self.news.iter().map(|(_, slot)| *slot)
    }

    pub(crate) fn entry(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(&slot)
    }

    pub(crate) fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(&slot)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter().map(|(slot, entry)| (*slot, entry))
    }

    /// All was said about a partition, until it changes.
    pub(crate) fn quiet(&mut self, slot: u32) {
        if let Some(entry) = self.entries.get(&slot) {
            self.news.remove(&(entry.order, slot));
        }
    }

    /// A partition had its turn: the others come first next time.
    pub(crate) fn had_turn(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        let had_news = self.news.remove(&(entry.order, slot));
        entry.order = self.next_order;
        self.next_order += 1;
        if had_news {
            self.news.insert((entry.order, slot));
        }
    }
}
