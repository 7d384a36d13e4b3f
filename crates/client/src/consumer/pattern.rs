//! Which topics do patterns mean?

use std::sync::Arc;

use forebay_core::ownership::member::{Followed, Matches};
use forebay_protocol::types::TopicName;
use regex_lite::Regex;

use crate::config::ConfigError;

/// Kafka's own topics, which no pattern means.
const KAFKAS_OWN: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Patterns of topics: those that any of the first match, and none of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    allowed: Vec<Regex>,
    /// The allowed ones as they were given.
    given: Vec<String>,
    blocked: Vec<Regex>,
    /// Topics by name, beside the patterns.
    named: Vec<TopicName>,
}

/// Whether a pattern lets topics in or keeps them out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Allowed,
    Blocked,
}

impl Patterns {
    pub(super) fn add(&mut self, side: Side, pattern: &str) -> Result<(), ConfigError> {
        const EXPECTED: &str = "a regular expression that matches whole topic names, as orders-.*";
        // By itself first: "a)(b" is none, though it is one between brackets. A pattern means the
        // whole name, as Java's does.
        let whole = Regex::new(pattern).and_then(|_| Regex::new(&format!("^(?:{pattern})$")));
        let whole = whole.map_err(|_| ConfigError::new("pattern", pattern, EXPECTED))?;
        match side {
            Side::Allowed => {
                self.allowed.push(whole);
                self.given.push(format!("(?:{pattern})"));
            }
            Side::Blocked => self.blocked.push(whole),
        }
        Ok(())
    }

    /// Whether they let nothing in.
    pub(super) const fn is_empty(&self) -> bool {
        self.allowed.is_empty()
    }

    /// With these topics too, whatever the patterns say.
    pub(super) fn with(mut self, named: impl IntoIterator<Item = TopicName>) -> Arc<Self> {
        self.named.extend(named);
        Arc::new(self)
    }
}

impl Matches for Patterns {
    fn wants(&self, topic: &str) -> bool {
        let any = |all: &[Regex]| all.iter().any(|it| it.is_match(topic));
        let is_named = self.named.iter().any(|it| it.as_str() == topic);
        is_named || (any(&self.allowed) && !any(&self.blocked))
    }

    fn followed(&self) -> Option<Followed> {
        // A coordinator takes patterns by the letter, and there is no way to tell it what to leave
        // out: neither what is blocked nor Kafka's own topics.
        let takes_own = KAFKAS_OWN.iter().any(|topic| self.wants(topic));
        let is_pure = self.blocked.is_empty() && !self.given.is_empty() && !takes_own;
        let named = || self.named.iter().cloned().collect();
        is_pure.then(|| Followed { regex: self.given.join("|").into(), named: named() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_whole_names_and_a_blocked_one_wins() {
        let mut patterns = Patterns::default();
        patterns.add(Side::Allowed, "orders|bills-.*").unwrap();
        patterns.add(Side::Blocked, ".*-test").unwrap();
        let patterns = patterns.with(["x-test".into()]);
        let wanted = ["orders", "bills-eu", "x-test"];
        let unwanted = ["orders-1", "my-orders", "bills-eu-test"];
        assert!(wanted.iter().all(|topic| patterns.wants(topic)));
        assert!(!unwanted.iter().any(|topic| patterns.wants(topic)));
    }

    #[test]
    fn only_a_pure_list_of_allowed_ones_is_one_expression() {
        let mut patterns = Patterns::default();
        patterns.add(Side::Allowed, "orders|bills").unwrap();
        patterns.add(Side::Allowed, "x-.*").unwrap();
        let followed = patterns.clone().with(["t".into()]).followed().unwrap();
        assert_eq!(&*followed.regex, "(?:orders|bills)|(?:x-.*)");
        assert_eq!(followed.named, ["t".into()].into());
        patterns.add(Side::Blocked, ".*-test").unwrap();
        assert_eq!(patterns.followed(), None, "there is no way to say not");
    }

    #[test]
    fn a_pattern_that_kafkas_own_topics_match_is_not_the_coordinators_to_follow() {
        for pattern in [".*", "__.*", ".*offsets"] {
            let mut patterns = Patterns::default();
            patterns.add(Side::Allowed, pattern).unwrap();
            assert_eq!(patterns.followed(), None, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for pattern in ["orders-(", "a)(b", "*", "[", "(?=a)b"] {
            let refused = Patterns::default().add(Side::Allowed, pattern).unwrap_err();
            assert!(refused.to_string().starts_with("pattern is"), "{refused}");
        }
    }
}
