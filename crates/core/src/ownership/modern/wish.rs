//! Which topics does the coordinator hear of, and which may be ours?

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay_protocol::types::{TopicName, TopicPartition};

use super::super::member::{Output, Trouble, Wish};
use super::{Modern, State, code};
use crate::time::Instant;

impl Modern {
    /// Other topics are wanted from now on: the coordinator is told at once, and what is wanted no
    /// more is given up at once.
    pub fn handle_wish(&mut self, now: Instant, wish: Wish) {
        let followed = wish.followed();
        self.config.wish = wish;
        if followed != self.followed {
            self.unfollows |= self.followed.is_some();
            self.followed = followed;
            // An expression is told with everything else.
            self.told = None;
        }
        self.due = now;
        self.reconcile(now);
        self.advance(now);
    }

    /// Whether this is no member, and never again.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The expression to tell; an empty one where an earlier one is to be forgotten.
    pub(super) fn regex(&self) -> Option<Arc<str>> {
        let followed = self.followed.as_ref().map(|followed| Arc::clone(&followed.regex));
        followed.or_else(|| self.unfollows.then(|| "".into()))
    }

    /// The topics that are wanted, without those that we may not know of: for one of them the
    /// coordinator would refuse the whole heartbeat. With none left it is to say so itself.
    pub(super) fn topics(&self) -> BTreeSet<TopicName> {
        let named = self.followed.as_ref().map(|followed| followed.named.clone());
        let wanted = named.unwrap_or_else(|| self.config.wish.topics(&self.metadata));
        let is_denied = |name: &TopicName| {
            let topic = self.metadata.topics.get(name);
            topic.is_some_and(|topic| topic.error == code::TOPIC_AUTHORIZATION_FAILED)
        };
        if wanted.iter().all(is_denied) {
            return wanted;
        }
        wanted.into_iter().filter(|name| !is_denied(name)).collect()
    }

    /// Whether a topic may be ours. What the coordinator matches, it matches by its own rules.
    pub(super) fn wants(&self, name: &TopicName) -> bool {
        self.followed.is_some() || self.config.wish.wants(name)
    }

    /// Topics that we did not ask for: once for each target.
    pub(super) fn tell_unasked(&mut self) {
        for (name, topic) in &self.metadata.topics {
            // What it was told before, and we want no more, is nobody's mistake.
            let told = self.told.as_ref().is_some_and(|(topics, _)| topics.contains(name));
            let was_wanted = told || self.ids.contains_key(name) || self.unfollows;
            if topic.id.is_zero() || was_wanted || self.wants(name) {
                continue;
            }
            let given = self.target.iter().filter(|(id, _)| *id == topic.id);
            let first = given.filter_map(|(_, partitions)| partitions.first()).next();
            self.outputs.extend(first.map(|number| {
                let tp = TopicPartition::new(name.clone(), *number);
                Output::Trouble(Trouble::Unasked { tp })
            }));
        }
    }
}
