//! Which topics does a member of a group want?

use std::collections::BTreeSet;

use forebay_core::ownership::member::Wish;
use forebay_protocol::types::TopicName;

use super::pattern::{Patterns, Side};
use crate::config::ConfigError;

/// Topics to share with the other members of a group: by name, by pattern, or both.
///
/// ```
/// use forebay::Subscription;
///
/// let named = Subscription::topics(["orders", "payments"]);
/// let matching = Subscription::default().pattern("orders-.*")?.pattern_except(".*-test")?;
/// # let _both = (named, matching);
/// # Ok::<_, forebay::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    topics: BTreeSet<TopicName>,
    patterns: Patterns,
}

impl Subscription {
    /// These topics. Those that do not exist yet are followed once they do.
    #[must_use]
    pub fn topics<T: Into<TopicName>>(topics: impl IntoIterator<Item = T>) -> Self {
        let mut subscription = Self::default();
        subscription.add_topics(topics);
        subscription
    }

    /// Adds all topics whose whole name matches this regular expression, as they come and go;
    /// Kafka's own topics are never among them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is no regular expression.
    pub fn pattern(mut self, pattern: impl AsRef<str>) -> Result<Self, ConfigError> {
        self.add(Side::Allowed, pattern.as_ref())?;
        Ok(self)
    }

    /// Leaves out topics whose whole name matches this, although a [`pattern`](Self::pattern) names
    /// them. Topics that are named one by one stay.
    ///
    /// # Errors
    ///
    /// As [`pattern`](Self::pattern).
    pub fn pattern_except(mut self, pattern: impl AsRef<str>) -> Result<Self, ConfigError> {
        self.add(Side::Blocked, pattern.as_ref())?;
        Ok(self)
    }

    pub(super) fn add_topics<T: Into<TopicName>>(&mut self, topics: impl IntoIterator<Item = T>) {
        self.topics.extend(topics.into_iter().map(Into::into));
    }

    pub(super) fn add(&mut self, side: Side, pattern: &str) -> Result<(), ConfigError> {
        self.patterns.add(side, pattern)
    }

    /// Whether it names nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.patterns.is_empty()
    }

    pub(super) fn wish(&self) -> Wish {
        if self.patterns.is_empty() {
            return Wish::Topics(self.topics.clone());
        }
        Wish::Matching(self.patterns.clone().with(self.topics.iter().cloned()))
    }
}
