//! How long a session is, and what a member does within it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::{ConsumerBuilder, GroupProtocol, GroupTrouble, OwnershipEvent};
use forebay_broker::{ApiKey, Effect, ErrorCode, Fault, Options};

use crate::group::{millis, start};
use crate::world::{Cable, Seen, World, close, until};

/// As the cluster has it; our own setting stays at 45 s.
const SESSION: Duration = Duration::from_secs(6);

fn world() -> World {
    let options = Options::default().consumer_groups(SESSION, Duration::from_secs(1));
    World::of(options, 2)
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_whose_answer_is_lost_is_noticed_within_the_session_that_the_cluster_has() {
    let world = world();
    let heard: Arc<Mutex<Vec<OwnershipEvent>>> = Arc::default();
    let keep = Arc::clone(&heard);
    let builder = world.member().group_protocol(GroupProtocol::Consumer);
    let builder = builder.on_ownership(move |event| keep.lock().unwrap().push(event.clone()));
    let member = start(builder, Duration::ZERO, &Seen::default());
    until(|| !heard.lock().unwrap().is_empty()).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let lost = Fault::new(Effect::DropAnswer).api(ApiKey::ConsumerGroupHeartbeat);
    world.broker.with(|cluster| cluster.script(lost));
    tokio::time::sleep(Duration::from_secs(60)).await;
    {
        let heard = heard.lock().unwrap();
        let is_gain = |event: &OwnershipEvent| matches!(event, OwnershipEvent::Gained(_));
        assert!(heard.iter().all(is_gain), "one lost answer cost partitions: {heard:?}");
    }
    close(&member.handle).await;
}

#[tokio::test(start_paused = true)]
async fn how_long_a_session_is_says_the_group_else_a_broker_and_where_neither_did_it_is_asked_again()
 {
    for (refusals, known_after) in [(0, 5), (1, 5), (2, 65)] {
        let world = world();
        (0..2).for_each(|partition| world.fill(partition, 400, 10));
        let refused = Fault::new(Effect::Error(ErrorCode::GROUP_AUTHORIZATION_FAILED));
        let refused = refused.api(ApiKey::DescribeConfigs).times(refusals);
        world.broker.with(|cluster| cluster.script(refused));
        let cable = Cable::default();
        let builder = world.member_on(&cable).group_protocol(GroupProtocol::Consumer);
        let member = start(builder.concurrency(2), millis(50), &Seen::default());
        tokio::time::sleep(Duration::from_secs(known_after)).await;
        cable.pull();
        tokio::time::sleep(SESSION).await;
        let stopped = member.seen.count();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(member.seen.count(), stopped, "started after the session: {refusals} refusals");
        cable.plug();
        until(|| stopped < member.seen.count()).await;
        close(&member.handle).await;
    }
}

/// A static member by KIP-848.
fn named(world: &World, cable: &Cable) -> ConsumerBuilder {
    let builder = world.member_on(cable).group_protocol(GroupProtocol::Consumer);
    builder.session_timeout(SESSION).heartbeat_interval(millis(1_000)).group_instance_id("a")
}

#[tokio::test(start_paused = true)]
async fn a_static_member_that_died_comes_back_as_soon_as_its_session_is_over() {
    let world = world();
    let (all, cable) = (Seen::default(), Cable::default());
    let first = start(named(&world, &cable), Duration::ZERO, &all);
    world.fill(0, 1, 5);
    world.all_committed(1).await;
    cable.pull();
    first.run.abort();
    let second = start(named(&world, &Cable::default()), Duration::ZERO, &all);
    world.fill(0, 1, 5);
    let begun = tokio::time::Instant::now();
    world.all_committed(1).await;
    assert!(begun.elapsed() < SESSION + Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(all.count(), 10);
    close(&second.handle).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_static_members_with_one_name_the_second_waits_a_session_and_ends_saying_why() {
    let world = world();
    let all = Seen::default();
    let first = start(named(&world, &Cable::default()), Duration::ZERO, &all);
    world.fill(0, 1, 5);
    world.all_committed(1).await;
    let heard: Arc<Mutex<Vec<OwnershipEvent>>> = Arc::default();
    let keep = Arc::clone(&heard);
    let second = named(&world, &Cable::default());
    let second = second.on_ownership(move |event| keep.lock().unwrap().push(event.clone()));
    let ended = start(second, Duration::ZERO, &all).run.await.unwrap().unwrap_err();
    assert_eq!(ended.broker_error(), Some(ErrorCode::UNRELEASED_INSTANCE_ID.0), "{ended}");
    assert!(ended.to_string().contains("give each a name of its own"), "{ended}");
    let told = OwnershipEvent::Trouble(GroupTrouble::InstanceInUse { instance: "a".into() });
    assert_eq!(*heard.lock().unwrap(), [told]);
    world.fill(0, 1, 5);
    world.all_committed(1).await;
    assert_eq!((all.count(), all.repeated()), (10, 0));
    close(&first.handle).await;
}
