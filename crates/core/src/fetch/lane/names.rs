//! Which slot does a response speak of?

use std::collections::BTreeMap;

use forebay_protocol::fetch_stream::Topic;
use forebay_protocol::types::{TopicName, Uuid};

use crate::fetch::cursor::Cursor;
use crate::slot::Slot;

/// Which slot a response speaks of.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: BTreeMap<TopicName, BTreeMap<i32, Slot>>,
    by_id: BTreeMap<Uuid, BTreeMap<i32, Slot>>,
}

impl Names {
    pub(super) fn insert(&mut self, cursor: &Cursor) {
        let (slot, partition) = (cursor.slot, cursor.tp.partition);
        self.by_name.entry(cursor.tp.topic.clone()).or_default().insert(partition, slot);
        if !cursor.topic_id.is_zero() {
            self.by_id.entry(cursor.topic_id).or_default().insert(partition, slot);
        }
    }

    pub(super) fn remove(&mut self, cursor: &Cursor) {
        let partition = cursor.tp.partition;
        if let Some(slots) = self.by_name.get_mut(&cursor.tp.topic) {
            slots.remove(&partition);
        }
        if let Some(slots) = self.by_id.get_mut(&cursor.topic_id) {
            slots.remove(&partition);
        }
    }

    pub(super) fn slot(&self, topic: &Topic, partition: i32) -> Option<Slot> {
        let slots = match topic {
            Topic::Name(name) => self.by_name.get(name),
            Topic::Id(id) => self.by_id.get(id),
        };
        slots?.get(&partition).copied()
    }
}
