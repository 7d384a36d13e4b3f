//! Groups whose plan is made by an assignor of the user's own.

use std::sync::Arc;
use std::time::Duration;

use forebay::assignor::{AssignError, Assignor, Member, Plan, Topics};
use forebay::{ConsumerBuilder, TopicPartition};
use forebay_broker::ApiKey;

use crate::group::start;
use crate::world::{GROUP, Seen, World, close, tp, until};

const NAME: &str = "smallest-takes-all";

/// Gives everything to the member with the smallest id.
#[derive(Debug)]
struct SmallestTakesAll;

impl Assignor for SmallestTakesAll {
    fn name(&self) -> &str {
        NAME
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError> {
        let smallest = members.iter().map(|member| &member.id).min();
        let smallest = smallest.ok_or_else(|| AssignError::new(NAME, "nobody is there"))?;
        let of_topic = |(topic, count): (_, &i32)| {
            (0..*count).map(move |number| TopicPartition::new(Clone::clone(topic), number))
        };
        Ok(Plan::from([(Arc::clone(smallest), topics.iter().flat_map(of_topic).collect())]))
    }
}

#[tokio::test(start_paused = true)]
async fn an_assignor_of_the_users_own_makes_the_plan_that_takes_effect() {
    let world = World::new(4);
    let mine = |builder: ConsumerBuilder| {
        builder.assignors([Arc::new(SmallestTakesAll) as Arc<dyn Assignor>])
    };
    let all = Seen::default();
    let mut members = [(); 2].map(|()| start(mine(world.member()), Duration::ZERO, &all));
    tokio::time::sleep(Duration::from_secs(30)).await;

    let admin = world.admin();
    let described = admin.describe_group(GROUP).await.unwrap();
    assert_eq!((described.assignor.as_str(), described.is_consumer_protocol), (NAME, false));
    let mut plan: Vec<_> = described.members.iter().map(|it| (&it.id, &it.partitions)).collect();
    plan.sort_unstable();
    let everything = (0..4).map(tp).collect();
    assert_eq!(plan.len(), 2, "{plan:?}");
    assert_eq!((plan[0].1, plan[1].1.len()), (&everything, 0), "{plan:?}");
    let is_by_heartbeat = |cluster: &mut forebay_broker::Cluster| {
        cluster.requests().any(|seen| seen.api == ApiKey::ConsumerGroupHeartbeat)
    };
    assert!(!world.broker.with(is_by_heartbeat), "who has an assignor makes the plan");

    // Records go to the one, and to the other when the one has left.
    (0..4).for_each(|partition| world.fill(partition, 2, 10));
    world.all_committed(4).await;
    members.sort_by_key(|member| member.seen.count());
    let [other, owner] = members;
    assert_eq!((owner.seen.count(), other.seen.count()), (80, 0));
    close(&owner.handle).await;
    (0..4).for_each(|partition| world.fill(partition, 1, 10));
    until(|| other.seen.count() == 40).await;
    close(&other.handle).await;
    assert_eq!((all.count(), all.repeated()), (120, 0));
}
