//! The next Fetch request of a lane.

use forebay_protocol::types::{TopicName, Uuid};

use super::{Lane, fetching};
use crate::fetch::session::{Asked, Change};

/// A Fetch request, before it becomes bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchPlan {
    /// The fetch session; 0 for none.
    pub session_id: i32,
    /// Which request of the session this is.
    pub session_epoch: i32,
    /// Most bytes of the response, its first batch aside.
    pub max_bytes: u32,
    /// What is asked for, neighbours of one topic together.
    pub topics: Vec<TopicPlan<(i32, Asked)>>,
    /// What the session is to forget.
    pub forgotten: Vec<TopicPlan<i32>>,
}

/// The partitions of one topic in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicPlan<T> {
    /// The topic's name, for versions up to 12.
    pub topic: TopicName,
    /// Its id, for versions from 13 on.
    pub topic_id: Uuid,
    /// Its partitions.
    pub partitions: Vec<T>,
}

impl Lane {
    /// The next request, when there is something to ask for and nothing on the wire. The caller
    /// sends it: from now on it counts as sent.
    pub fn poll_request(&mut self) -> Option<FetchPlan> {
        if !self.is_ready() {
            return None;
        }
        let (session_id, session_epoch) = self.session.header();
        let changes = if self.session.is_incremental() {
            self.table.changes()
        } else {
            self.turn = self.turn.wrapping_add(1);
            self.table.everything(self.turn)
        };
        let mut plan = FetchPlan {
            session_id,
            session_epoch,
            max_bytes: self.size.bytes(),
            topics: Vec::new(),
            forgotten: Vec::new(),
        };
        let gone = std::mem::take(&mut self.gone);
        for (tp, id) in gone.into_iter().filter(|_| self.session.is_incremental()) {
            push(&mut plan.forgotten, &tp.topic, id, tp.partition);
        }
        for change in changes {
            self.add(&mut plan, change);
        }
        self.in_flight = true;
        Some(plan)
    }

    fn add(&mut self, plan: &mut FetchPlan, change: Change) {
        match change {
            Change::Ask(slot, asked) => {
                let Some(fetching) = fetching(&mut self.slots, slot) else { return };
                let (tp, id) = (&fetching.cursor.tp, fetching.cursor.topic_id);
                push(&mut plan.topics, &tp.topic, id, (tp.partition, asked));
                self.known.insert(slot, (tp.clone(), id));
            }
            Change::Forget(slot) => {
                if let Some((tp, id)) = self.known.remove(&slot) {
                    push(&mut plan.forgotten, &tp.topic, id, tp.partition);
                }
            }
        }
    }
}

/// Adds to the last topic, or to a new one when the last is another.
fn push<T>(topics: &mut Vec<TopicPlan<T>>, name: &TopicName, id: Uuid, partition: T) {
    match topics.last_mut().filter(|last| last.topic == *name && last.topic_id == id) {
        Some(last) => last.partitions.push(partition),
        None => topics.push(TopicPlan {
            topic: name.clone(),
            topic_id: id,
            partitions: vec![partition],
        }),
    }
}
