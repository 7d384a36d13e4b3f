//! What happens to the partitions of a consumer, told to who wants to know.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use forebay_core::consumer::Event;
pub use forebay_core::consumer::Right;
pub use forebay_core::ownership::member::Trouble as GroupTrouble;
use forebay_protocol::types::{Position, TopicName, TopicPartition};

use crate::link;

/// Something that happened to partitions.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OwnershipEvent {
    /// The group gave us these; their records follow.
    Gained(Vec<TopicPartition>),
    /// These are to be given up or parked: none of their records starts any more, running ones are
    /// awaited.
    Draining(Vec<TopicPartition>),
    /// A partition was drained because [`OwnershipHandle`](super::OwnershipHandle) was told to: it is
    /// still ours, and nothing is done with it until it is released.
    Parked {
        /// The partition.
        tp: TopicPartition,
        /// All before it is done; `None` when it had not started.
        position: Option<Position>,
        /// Whether all of its running records had ended and were committed; if not, some are done
        /// again when it goes on.
        is_clean: bool,
    },
    /// A partition was given up.
    Released {
        /// The partition.
        tp: TopicPartition,
        /// Whether all of its running records had ended and were committed; if not, its next owner
        /// repeats some.
        is_clean: bool,
    },
    /// These were taken away at once: their running records were cancelled, and their next owners
    /// repeat what was not committed.
    Lost(Vec<TopicPartition>),
    /// A partition goes on elsewhere, because its position no longer existed.
    Reset {
        /// The partition.
        tp: TopicPartition,
        /// Where it stood.
        from: Position,
        /// Where it goes on.
        to: Position,
    },
    /// Something is wrong in the group, with another member or with its coordinator; we go on.
    Trouble(GroupTrouble),
    /// We lack a right on a topic: told once. The other topics go on, and this one is tried again
    /// after 5 seconds, then ever more slowly, at least once a minute.
    Denied {
        /// The topic.
        topic: TopicName,
        /// The operation that an ACL has to allow.
        right: Right,
    },
    /// What was [`Denied`](Self::Denied) works now.
    Granted {
        /// The topic.
        topic: TopicName,
        /// The operation that is allowed.
        right: Right,
    },
}

impl OwnershipEvent {
    /// What of the router's events is one.
    pub(super) fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Gained(tps) => Self::Gained(tps.clone()),
            Event::Draining(tps) if !tps.is_empty() => Self::Draining(tps.clone()),
            Event::Parked { tp, position, is_clean } => {
                Self::Parked { tp: tp.clone(), position: *position, is_clean: *is_clean }
            }
            Event::Released { tp, is_clean } => {
                Self::Released { tp: tp.clone(), is_clean: *is_clean }
            }
            Event::Lost { tps, .. } => Self::Lost(tps.clone()),
            Event::OffsetReset { tp, from, to } => {
                Self::Reset { tp: tp.clone(), from: *from, to: *to }
            }
            Event::Group(trouble) => Self::Trouble(trouble.clone()),
            Event::Denied { topic, right } => Self::Denied { topic: topic.clone(), right: *right },
            Event::Granted { topic, right } => {
                Self::Granted { topic: topic.clone(), right: *right }
            }
            Event::Draining(_)
            | Event::Unsubscribed
            | Event::Started { .. }
            | Event::PartitionFailed { .. }
            | Event::Committed { .. } => return None,
        })
    }
}

/// Hears of every event, in order.
#[derive(Clone)]
pub(super) struct Listener(pub(super) Arc<dyn Fn(&OwnershipEvent) + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// A listener and what it is to hear. It is called on the data plane: one that takes its time holds
/// up records, never heartbeats.
#[derive(Debug)]
pub(super) struct Hearing {
    pub(super) listener: Option<Listener>,
    pub(super) events: link::Receiver<OwnershipEvent>,
}

impl Hearing {
    /// Tells what has happened since the last call.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(event)) = self.events.poll_recv(cx) {
            if let Some(Listener(tell)) = &self.listener {
                tell(&event);
            }
        }
    }
}
