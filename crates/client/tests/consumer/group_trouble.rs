//! Groups in trouble: coordinators that err, move or lie, brokers that are old, settings that clash.

use std::sync::Arc;
use std::time::Duration;

use forebay::assignor::{Assignor, Range};
use forebay::{ConsumerBuilder, GroupProtocol};
use forebay_broker::{
    ApiKey, BatchBuilder, BrokerId, Effect, ErrorCode, Fault, Release, TopicPartition,
};

use crate::group::{BOTH, Member, millis, protocol_of, start};
use crate::world::{GROUP, Seen, World, close, until};

/// Errors that coordinators tell for a while.
const PASSING: [ErrorCode; 9] = [
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::UNKNOWN_MEMBER_ID,
    ErrorCode::ILLEGAL_GENERATION,
    ErrorCode::REBALANCE_IN_PROGRESS,
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::FENCED_MEMBER_EPOCH,
    ErrorCode::STALE_MEMBER_EPOCH,
];

#[tokio::test(start_paused = true)]
async fn errors_that_pass_at_every_step_lose_nothing() {
    let effects = PASSING.map(Effect::Error).into_iter().chain([
        Effect::Close,
        Effect::DoAndClose,
        Effect::DropAnswer,
        Effect::Cut(9),
        Effect::Delay(Duration::from_secs(4)),
    ]);
    let steps = [
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::Heartbeat,
        ApiKey::OffsetCommit,
        ApiKey::ConsumerGroupHeartbeat,
    ];
    for effect in effects {
        for api in steps {
            loses_nothing(api, effect.clone()).await;
        }
    }
}

/// A second member joins while the coordinator answers one API so, twice.
async fn loses_nothing(api: ApiKey, effect: Effect) {
    let world = World::new(2);
    let all = Seen::default();
    let member = || world.member().group_protocol(protocol_of(api));
    let first = start(member(), millis(1), &all);
    (0..2).for_each(|partition| world.fill(partition, 2, 10));
    until(|| 4 < all.count()).await;
    let script = Fault::new(effect.clone()).api(api).times(2);
    world.broker.with(|cluster| cluster.script(script));
    let second = start(member(), millis(1), &all);
    tokio::time::sleep(Duration::from_secs(20)).await;
    (0..2).for_each(|partition| world.fill(partition, 2, 10));
    world.all_committed(2).await;
    let distinct = all.count() - all.repeated();
    assert_eq!(distinct, 80, "{api} {effect:?}");
    first.handle.close(Duration::from_secs(20)).await;
    second.handle.close(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_lies_for_a_while_costs_no_record_once_it_is_honest() {
    let steps = [
        ApiKey::FindCoordinator,
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::Heartbeat,
        ApiKey::OffsetCommit,
        ApiKey::OffsetFetch,
        ApiKey::ConsumerGroupHeartbeat,
    ];
    for (api, seed) in steps.into_iter().flat_map(|api| (0..12).map(move |seed| (api, seed))) {
        let world = World::new(2);
        let all = Seen::default();
        let member = || world.member().group_protocol(protocol_of(api));
        let first = start(member(), millis(1), &all);
        (0..2).for_each(|partition| world.fill(partition, 2, 10));
        until(|| 4 < all.count()).await;
        let script = Fault::new(Effect::Lies(seed)).api(api).times(6);
        world.broker.with(|cluster| cluster.script(script));
        let second = start(member(), millis(1), &all);
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.broker.with(|cluster| cluster.clear_script());
        (0..2).for_each(|partition| world.fill(partition, 2, 10));
        // A lie may be an error that ends a membership; another member takes over then.
        let third = start(member(), millis(1), &all);
        world.all_committed(2).await;
        for member in [first, second, third] {
            let summary = member.handle.close(Duration::from_secs(20)).await;
            let code = summary.cause.as_ref().and_then(forebay::Error::broker_error);
            assert!(code.is_none_or(|code| code != 0), "{api} {seed}: {summary:?}");
        }
        let distinct = all.count() - all.repeated();
        assert_eq!(distinct, 80, "{api} {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_moves_or_dies_costs_no_record() {
    for protocol in BOTH {
        let world = World::with_nodes(3, 4);
        let all = Seen::default();
        let first = start(world.member().group_protocol(protocol), millis(5), &all);
        let second = start(world.member().group_protocol(protocol), millis(5), &all);
        let mut filled = 0;
        for step in ["", "move", "stop", "start", "cut"] {
            world.broker.with(|cluster| {
                let at = cluster.coordinator(GROUP).unwrap();
                let other = BrokerId(at.0 % 3 + 1);
                match step {
                    "move" => cluster.move_coordinator(GROUP, other),
                    "stop" => cluster.stop_node(at),
                    "start" => (1..=3).for_each(|node| cluster.start_node(BrokerId(node))),
                    "cut" => cluster.close_connections(),
                    _ => {}
                }
            });
            if step != "stop" {
                (0..4).for_each(|partition| world.fill(partition, 5, 10));
                filled += 200;
                world.all_committed(4).await;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        assert_eq!((all.count(), all.repeated()), (filled, 0));
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_may_not_be_joined_ends_the_consumer_and_says_why() {
    for code in [ErrorCode::GROUP_AUTHORIZATION_FAILED, ErrorCode::INCONSISTENT_GROUP_PROTOCOL] {
        let world = World::new(1);
        let denied = Fault::new(Effect::Error(code)).api(ApiKey::JoinGroup).times(u32::MAX);
        world.broker.with(|cluster| cluster.script(denied));
        let classic = world.member().group_protocol(GroupProtocol::Classic);
        let member = start(classic, Duration::ZERO, &Seen::default());
        let ended = member.run.await.unwrap().unwrap_err();
        assert_eq!(ended.broker_error(), Some(code.0), "{ended}");
    }
    let world = World::new(1);
    let code = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    let denied = Fault::new(Effect::Error(code)).api(ApiKey::ConsumerGroupHeartbeat);
    world.broker.with(|cluster| cluster.script(denied.times(u32::MAX)));
    let modern = world.member().group_protocol(GroupProtocol::Consumer);
    let member = start(modern, Duration::ZERO, &Seen::default());
    let ended = member.run.await.unwrap().unwrap_err();
    assert_eq!(ended.broker_error(), Some(code.0), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn close_returns_by_its_deadline_in_the_middle_of_a_rebalance() {
    let limit = Duration::from_secs(2);
    let apis = [
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::LeaveGroup,
        ApiKey::OffsetCommit,
        ApiKey::ConsumerGroupHeartbeat,
    ];
    for api in apis {
        let world = World::new(2);
        (0..2).for_each(|partition| world.fill(partition, 2, 10));
        let silent = Fault::new(Effect::DropAnswer).api(api).times(u32::MAX);
        world.broker.with(|cluster| cluster.script(silent));
        let builder = world.member().group_protocol(protocol_of(api));
        let member = start(builder, Duration::ZERO, &Seen::default());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let begun = tokio::time::Instant::now();
        member.handle.close(limit).await;
        assert!(begun.elapsed() <= limit + millis(100), "{api}: {:?}", begun.elapsed());
    }
}

/// What a consumer is at when it is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    Starting,
    Joining,
    Syncing,
    Working,
    Hanging,
    Draining,
}

impl At {
    /// Brings a member of a group there.
    async fn member(self, world: &World, protocol: GroupProtocol) -> Member {
        let silence = |api: ApiKey| {
            let silent = Fault::new(Effect::DropAnswer).api(api).times(u32::MAX);
            world.broker.with(|cluster| cluster.script(silent));
        };
        let takes = match self {
            Self::Hanging | Self::Draining => Duration::from_secs(3_600),
            Self::Starting | Self::Joining | Self::Syncing | Self::Working => millis(5),
        };
        match (self, protocol) {
            (Self::Joining, GroupProtocol::Classic) => silence(ApiKey::JoinGroup),
            (Self::Syncing, GroupProtocol::Classic) => silence(ApiKey::SyncGroup),
            (Self::Joining | Self::Syncing, _) => silence(ApiKey::ConsumerGroupHeartbeat),
            _ => {}
        }
        let builder = || world.member().group_protocol(protocol);
        let member = start(builder(), takes, &Seen::default());
        if self != Self::Starting {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        if self == Self::Draining {
            let other = start(builder(), takes, &Seen::default());
            tokio::time::sleep(Duration::from_secs(8)).await;
            drop(other);
        }
        member
    }
}

#[tokio::test(start_paused = true)]
async fn close_returns_by_its_deadline_in_every_state_with_brokers_well_or_frozen() {
    let states = [At::Starting, At::Joining, At::Syncing, At::Working, At::Hanging, At::Draining];
    for (protocol, at) in BOTH.into_iter().flat_map(|it| states.map(|at| (it, at))) {
        for (limit, is_frozen) in
            [0, 1, 100, 3_000].into_iter().flat_map(|it| [(it, false), (it, true)])
        {
            let world = World::with_nodes(3, 4);
            (0..4).for_each(|partition| world.fill(partition, 20, 20));
            let member = at.member(&world, protocol).await;
            if is_frozen {
                let silent = Fault::new(Effect::DropAnswer).times(u32::MAX);
                world.broker.with(|cluster| cluster.script(silent));
            }
            let begun = tokio::time::Instant::now();
            member.handle.close(millis(limit)).await;
            let took = begun.elapsed();
            let told = format!("{protocol:?} {at:?} {limit} ms, frozen: {is_frozen}, {took:?}");
            assert!(took <= millis(limit + 100), "{told}");
            member.run.await.unwrap().ok();
            assert!(begun.elapsed() <= millis(limit + 100), "the run: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_brokers_make_no_plans_members_do() {
    for release in [Release::V0_11, Release::V2_8, Release::V3_9, Release::V4_4] {
        let world = World::posing(release, 1, 2);
        (0..2).for_each(|partition| world.fill(partition, 2, 10));
        let all = Seen::default();
        let first = start(world.member(), millis(1), &all);
        let second = start(world.member(), millis(1), &all);
        world.all_committed(2).await;
        close(&first.handle).await;
        close(&second.handle).await;
        assert_eq!((all.count(), all.repeated()), (40, 0), "{release:?}");
        let joined = world
            .broker
            .with(|cluster| cluster.requests().any(|seen| seen.api == ApiKey::JoinGroup));
        assert_eq!(joined, release != Release::V4_4, "{release:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_static_member_of_the_coordinators_plan_gets_its_partitions_back() {
    let world = World::new(4);
    let all = Seen::default();
    let member = |name: &'static str| {
        world.member().group_instance_id(name).group_protocol(GroupProtocol::Consumer)
    };
    let first = start(member("a"), Duration::ZERO, &all);
    let second = start(member("b"), Duration::ZERO, &all);
    (0..4).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(4).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    (0..4).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(4).await;
    let had: Vec<_> = (0..4).filter(|it| second.seen.of(*it).contains(&9)).collect();
    assert_eq!(had.len(), 2);
    close(&second.handle).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let second = start(member("b"), Duration::ZERO, &all);
    (0..4).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(4).await;
    let now: Vec<_> = (0..4).filter(|it| !second.seen.of(*it).is_empty()).collect();
    assert_eq!((now, all.repeated()), (had, 0));
    close(&first.handle).await;
    close(&second.handle).await;
}

#[test]
fn what_cannot_be_shared_is_refused_by_name() {
    let refused = |builder: ConsumerBuilder| {
        let error = builder.bootstrap_servers("b:1").build().unwrap_err();
        error.to_string()
    };
    let builder = || forebay::Consumer::builder().group_id("g");
    let no_group = forebay::Consumer::builder().topics(["t"]);
    assert!(refused(no_group).starts_with("group.id"));
    assert!(refused(builder()).starts_with("topics"));
    let both = builder().topics(["t"]).assign([("t", 0)]);
    assert!(refused(both).starts_with("assign"));
    let none: [Arc<dyn Assignor>; 0] = [];
    let no_assignor = builder().topics(["t"]).assignors(none);
    assert!(refused(no_assignor).starts_with("partition.assignment.strategy"));
    let hasty = builder().topics(["t"]).session_timeout(Duration::from_secs(6));
    assert!(refused(hasty.heartbeat_interval(millis(2_001))).starts_with("heartbeat.interval.ms"));
    let patient = builder().topics(["t"]).drain_timeout(Duration::from_secs(300));
    assert!(refused(patient).starts_with("drain timeout"));
    let except = builder().pattern_except("t");
    assert!(refused(except).starts_with("topics"), "nothing is left of nothing");
    let mine: [Arc<dyn Assignor>; 1] = [Arc::new(Range)];
    let twice = builder().topics(["t"]).group_protocol(GroupProtocol::Consumer).assignors(mine);
    assert!(refused(twice).starts_with(r#"partition.assignment.strategy is "range""#));
    let remote = builder().topics(["t"]).group_protocol(GroupProtocol::Classic);
    let remote = remote.group_remote_assignor("uniform");
    assert!(refused(remote).starts_with("group.remote.assignor"));
}

fn create_with_a_record(world: &World, name: &str) {
    world.broker.with(|cluster| {
        cluster.create_topic(name, 1).unwrap();
        let batch = BatchBuilder::at_time(0).record(None, Some(b"x")).build();
        cluster.append(&TopicPartition::new(name, 0), &batch).unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn topics_that_match_are_followed_as_they_come_and_go() {
    for protocol in BOTH {
        let world = World::new(1);
        let create = |name: &str| create_with_a_record(&world, name);
        create("orders-eu");
        create("bills");
        let all = Seen::default();
        let patterns = |builder: ConsumerBuilder| {
            let builder = builder.pattern("orders-.*").pattern_except(".*-test");
            builder.metadata_max_age(millis(5_000)).group_protocol(protocol)
        };
        let first = start(patterns(world.member()), Duration::ZERO, &all);
        let second = start(patterns(world.member()), Duration::ZERO, &all);
        until(|| all.count() == 1).await;
        create("orders-us");
        create("orders-test");
        until(|| all.count() == 2).await;
        world.broker.with(|cluster| cluster.delete_topic("orders-eu").unwrap());
        tokio::time::sleep(Duration::from_secs(60)).await;
        create("orders-eu");
        until(|| all.count() == 3).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(all.count(), 3, "{protocol:?}");
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pure_pattern_is_followed_by_the_coordinator_however_old_our_metadata_is() {
    let world = World::new(1);
    let create = |name: &str| create_with_a_record(&world, name);
    create("orders-eu");
    create("my-orders-eu");
    let all = Seen::default();
    let member = || {
        let builder = world.member().pattern("orders-.*").pattern("bills");
        let builder = builder.metadata_max_age(Duration::from_secs(86_400));
        start(builder.group_protocol(GroupProtocol::Consumer), Duration::ZERO, &all)
    };
    let (first, second) = (member(), member());
    until(|| all.count() == 1).await;
    create("orders-us");
    create("bills");
    until(|| all.count() == 3).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(all.count(), 3);
    close(&first.handle).await;
    close(&second.handle).await;
}
