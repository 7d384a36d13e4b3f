//! Topics by regular expression: what does a member's pattern stand for?
//!
//! Kafka's syntax is RE2's, which knows neither looking around nor back references; so is this one.

use std::collections::{BTreeMap, BTreeSet};

use forebay_protocol::messages::ConsumerGroupHeartbeatRequest;
use regex::Regex;

use super::{Modern, Topics};
use crate::code::ErrorCode;

/// The patterns of a group's members, by their text.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    known: BTreeMap<String, Known>,
    /// The topics that there were when all of them were looked at last.
    looked_at: BTreeSet<String>,
}

#[derive(Debug)]
struct Known {
    regex: Regex,
    /// `None` until somebody has looked.
    topics: Option<BTreeSet<String>>,
}

impl Patterns {
    /// Whether this pattern stands for the topic, as far as is known.
    pub(super) fn have(&self, pattern: &str, topic: &str) -> bool {
        let known = self.known.get(pattern).and_then(|known| known.topics.as_ref());
        known.is_some_and(|topics| topics.contains(topic))
    }

    /// Whether somebody has looked at this pattern.
    pub(super) fn know(&self, pattern: &str) -> bool {
        self.known.get(pattern).is_some_and(|known| known.topics.is_some())
    }

    fn add(&mut self, text: &str) -> Result<(), ErrorCode> {
        if self.known.contains_key(text) {
            return Ok(());
        }
        // By itself first: a pattern like "a)(b" is none, though it is one between brackets. A
        // topic is meant when the pattern matches the whole name.
        let whole = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
        let regex = whole.map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)?;
        self.known.insert(text.to_owned(), Known { regex, topics: None });
        Ok(())
    }
}

impl Modern {
    /// Takes up the pattern of a request, unless it is none; an empty one wants nothing.
    pub(super) fn take_pattern(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        match request.subscribed_topic_regex.as_deref() {
            None | Some("") => Ok(()),
            Some(text) => self.patterns.add(text),
        }
    }

    /// Whether a member wants this topic, by its name or by its pattern.
    pub(super) fn wants(&self, id: &str, topic: &str) -> bool {
        self.members.get(id).is_some_and(|member| {
            let by_pattern = |pattern: &String| self.patterns.have(pattern, topic);
            member.topics.contains(topic) || member.pattern.as_ref().is_some_and(by_pattern)
        })
    }

    /// Looks up what patterns stand for, those that are new or all when topics came or went; says
    /// whether one stands for something else now.
    pub(super) fn look_up(&mut self, topics: &Topics) -> bool {
        let used = self.members.values().filter_map(|member| member.pattern.as_ref());
        let used: BTreeSet<&String> = used.collect();
        let Patterns { known, looked_at } = &mut self.patterns;
        known.retain(|text, _| used.contains(text));
        let are_new = !topics.keys().eq(looked_at.iter());
        if are_new && !known.is_empty() {
            *looked_at = topics.keys().cloned().collect();
        }
        let mut is_changed = false;
        for pattern in known.values_mut().filter(|it| are_new || it.topics.is_none()) {
            let matched = topics.keys().filter(|name| pattern.regex.is_match(name));
            let matched: BTreeSet<String> = matched.cloned().collect();
            is_changed |= pattern.topics.as_ref().map_or(!matched.is_empty(), |it| *it != matched);
            pattern.topics = Some(matched);
        }
        is_changed
    }
}
