//! Which member of a classic group gets which partition? Asked of the member that leads the group.

mod range;
mod round_robin;
mod sticky;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use forebay_protocol::group::Subscription;
use forebay_protocol::types::{TopicName, TopicPartition};
use thiserror::Error;

pub use crate::cluster::metadata::Racks;
pub use range::Range;
pub use round_robin::RoundRobin;
pub use sticky::{CooperativeSticky, Sticky};

/// A member of the group, as its leader sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Member {
    /// The id that the coordinator gave it.
    pub id: Arc<str>,
    /// `group.instance.id` of a static member.
    pub instance: Option<Arc<str>>,
    /// What it wants and had.
    pub subscription: Subscription,
}

/// How many partitions each topic has; topics that do not exist are absent.
pub type Topics = BTreeMap<TopicName, i32>;

/// In which racks replicas of each partition stand; topics and partitions of which nothing is known
/// are absent.
pub type TopicRacks = BTreeMap<TopicName, BTreeMap<i32, Racks>>;

/// What each member gets, by member id. Members that are left out get nothing.
pub type Plan = BTreeMap<Arc<str>, Vec<TopicPartition>>;

/// What happens to a member's partitions while the group makes a new plan.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rebalance {
    /// All are given up before the plan is made.
    Eager,
    /// Only those are given up that the plan takes away.
    Cooperative,
}

/// Makes plans. All members of a group must name at least one assignor in common.
pub trait Assignor: fmt::Debug + Send + Sync {
    /// The name that members agree on, such as `range`.
    fn name(&self) -> &str;

    /// What it allows while a plan is made. Default: [`Rebalance::Eager`].
    fn rebalance(&self) -> Rebalance {
        Rebalance::Eager
    }

    /// What goes with a member's subscription, in a form of its own, when the member had `owned` in
    /// `generation` (-1 for never). Default: nothing.
    fn user_data(&self, _owned: &BTreeSet<TopicPartition>, _generation: i32) -> Option<Bytes> {
        None
    }

    /// The plan.
    ///
    /// # Errors
    ///
    /// When no plan can be made; the group tries again after a while.
    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError>;

    /// The plan, where members and brokers tell their racks (KIP-881): asked in place of
    /// [`assign`](Self::assign), which is the default.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    fn assign_in_racks(
        &self,
        topics: &Topics,
        _racks: &TopicRacks,
        members: &[Member],
    ) -> Result<Plan, AssignError> {
        self.assign(topics, members)
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("assignor {assignor} made no plan: {why}")]
#[non_exhaustive]
pub struct AssignError {
    /// Which assignor.
    pub assignor: Arc<str>,
    /// What was wrong, in its own words.
    pub why: Arc<str>,
}

impl AssignError {
    /// `assignor` cannot make a plan because of `why`.
    #[must_use]
    pub fn new(assignor: &str, why: &str) -> Self {
        Self { assignor: assignor.into(), why: why.into() }
    }
}

/// Checks that `plan` names members of the group and each partition once, and that it exists: an
/// assignor of somebody's own may not make two members own one partition.
///
/// # Errors
///
/// [`AssignError`] with the first partition that is wrong.
pub fn check(
    name: &str,
    plan: &Plan,
    topics: &Topics,
    members: &[Member],
) -> Result<(), AssignError> {
    let known: BTreeSet<&str> = members.iter().map(|member| &*member.id).collect();
    let mut given = BTreeSet::new();
    for (member, partitions) in plan {
        if !known.contains(&**member) {
            return Err(AssignError::new(name, &format!("{member} is no member")));
        }
        for tp in partitions {
            let count = topics.get(&tp.topic).copied().unwrap_or(0);
            if !(0..count).contains(&tp.partition) {
                return Err(AssignError::new(name, &format!("{tp} does not exist")));
            }
            if !given.insert(tp) {
                return Err(AssignError::new(name, &format!("{tp} is given twice")));
            }
        }
    }
    Ok(())
}

/// Members in the order in which Kafka's assignors serve them: static ones by their instance, then
/// the others by id.
fn in_order(members: &[Member]) -> Vec<&Member> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |it: &Member| (it.instance.is_none(), it.instance.clone());
        key(a).cmp(&key(b)).then_with(|| match a.instance {
            Some(_) => std::cmp::Ordering::Equal,
            None => a.id.cmp(&b.id),
        })
    });
    sorted
}

/// A plan that gives nobody anything, with every member in it.
fn empty_plan(members: &[Member]) -> Plan {
    members.iter().map(|member| (Arc::clone(&member.id), Vec::new())).collect()
}

#[cfg(test)]
mod tests;
