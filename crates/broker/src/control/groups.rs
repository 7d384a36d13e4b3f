//! What tests do to groups: what they committed, and who pretends to be a member.

use forebay_protocol::types::TopicPartition;

use crate::cluster::Cluster;
use crate::group::Committed;
#[cfg(doc)]
use crate::options::Options;

impl Cluster {
    /// What a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &str, of: &TopicPartition) -> Option<Committed> {
        let key = (of.topic.as_str().to_owned(), of.partition);
        self.groups.get(group)?.offsets.get(&key).cloned()
    }

    /// Commits for a group, as another client would.
    pub fn commit(&mut self, group: &str, of: &TopicPartition, offset: i64, leader_epoch: i32) {
        let at = self.wall_clock();
        let committed = Committed { offset, leader_epoch, metadata: String::new(), at };
        let key = (of.topic.as_str().to_owned(), of.partition);
        self.groups.entry(group.to_owned()).or_default().offsets.insert(key, committed);
    }

    /// Lets a member live in a group, so that commits without membership are refused with
    /// `UNKNOWN_MEMBER_ID`.
    pub fn join_member(&mut self, group: &str, member: &str, generation: i32) {
        self.groups.entry(group.to_owned()).or_default().join(member, generation);
    }

    /// The member leaves.
    pub fn leave_member(&mut self, group: &str, member: &str) {
        if let Some(group) = self.groups.get_mut(group) {
            group.leave(member);
        }
    }

    /// Forgets now what groups committed too long ago, and says how many offsets that were. By
    /// itself nothing is forgotten.
    ///
    /// As Kafka since KIP-211: a group with members keeps what it has of the topics they read; of one
    /// whose members have left, all goes together when [`Options::offsets_retention`] has passed
    /// since the last one; of one that never had any, each offset counts from its commit. Releases
    /// before that counted from the commit always. A group without members and offsets is gone.
    pub fn expire_offsets(&mut self) -> usize {
        let age = i64::try_from(self.options.offsets_retention.as_millis()).unwrap_or(i64::MAX);
        let before = self.wall_clock().saturating_sub(age);
        let release = self.options.release;
        let mut expired = 0;
        self.groups.retain(|_, group| {
            let count = group.expire(before, release);
            expired += count;
            count == 0 || group.has_members() || !group.is_forgotten()
        });
        expired
    }
}
