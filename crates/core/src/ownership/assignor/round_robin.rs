//! All partitions of all topics dealt out one by one, as Kafka's `RoundRobinAssignor`.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay_protocol::types::{TopicName, TopicPartition};

use super::{AssignError, Assignor, Member, Plan, Topics, empty_plan, in_order};

/// `roundrobin`: the next partition goes to the next member that wants its topic.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct RoundRobin;

impl Assignor for RoundRobin {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError> {
        let mut plan = empty_plan(members);
        let circle: Vec<(&Arc<str>, BTreeSet<&TopicName>)> = in_order(members)
            .into_iter()
            .map(|member| (&member.id, member.subscription.topics.iter().collect()))
            .collect();
        let wanted: BTreeSet<&TopicName> =
            circle.iter().flat_map(|(_, topics)| topics.iter().copied()).collect();
        let mut place = 0;
        for topic in wanted {
            for number in 0..topics.get(topic).copied().unwrap_or(0) {
                let around = (0..circle.len()).map(|step| (place + step) % circle.len());
                let next = around
                    .filter_map(|at| Some((at, circle.get(at)?)))
                    .find(|(_, (_, topics))| topics.contains(topic));
                let Some((at, (member, _))) = next else { break };
                place = at + 1;
                let tp = TopicPartition::new(topic.clone(), number);
                plan.entry(Arc::clone(member)).or_default().push(tp);
            }
        }
        Ok(plan)
    }
}
