//! Neighbouring partitions of each topic to each member, as Kafka's `RangeAssignor` without racks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_protocol::types::{TopicName, TopicPartition};

use super::{AssignError, Assignor, Member, Plan, Topics, empty_plan, in_order};

/// `range`: for each topic by itself, the first members get one more where it does not divide.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct Range;

impl Assignor for Range {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError> {
        let mut plan = empty_plan(members);
        for (topic, takers) in takers(members) {
            let count = topics.get(topic).copied().unwrap_or(0);
            let members = i32::try_from(takers.len()).unwrap_or(i32::MAX).max(1);
            let (each, more) = (count / members, count % members);
            let mut next = 0;
            for (index, taker) in (0..).zip(takers) {
                let end = next + each + i32::from(index < more);
                let share = (next..end).map(|number| TopicPartition::new(topic.clone(), number));
                plan.entry(Arc::clone(taker)).or_default().extend(share);
                next = end;
            }
        }
        Ok(plan)
    }
}

/// Who wants each topic, in the order of serving.
fn takers(members: &[Member]) -> BTreeMap<&TopicName, Vec<&Arc<str>>> {
    let mut takers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for member in in_order(members) {
        let wanted: BTreeSet<_> = member.subscription.topics.iter().collect();
        for topic in wanted {
            takers.entry(topic).or_default().push(&member.id);
        }
    }
    takers
}
