//! Groups: members share partitions, and take them over without losing or repeating a record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::assignor::{Assignor, CooperativeSticky, Range, RoundRobin, Sticky};
use forebay::{
    ConsumerBuilder, ConsumerHandle, Context, Error, GroupProtocol, Ownership, OwnershipEvent,
    Position, Record, Summary, TopicPartition,
};
use forebay_broker::{ApiKey, Effect, ErrorCode, Fault, Options};
use tokio::task::JoinHandle;

use crate::world::{Cable, Seen, World, close, tp, until};

pub const BOTH: [GroupProtocol; 2] = [GroupProtocol::Classic, GroupProtocol::Consumer];

/// The protocol whose members ask this.
pub fn protocol_of(api: ApiKey) -> GroupProtocol {
    let is_modern = api == ApiKey::ConsumerGroupHeartbeat;
    if is_modern { GroupProtocol::Consumer } else { GroupProtocol::Classic }
}

/// A consumer at work: what it saw, and how to reach it.
pub struct Member {
    pub handle: ConsumerHandle,
    pub seen: Seen,
    pub run: JoinHandle<Result<Summary, Error>>,
}

/// Starts a member whose handlers take so long; `all` sees what every member sees.
pub fn start(builder: ConsumerBuilder, takes: Duration, all: &Seen) -> Member {
    let consumer = builder.build().unwrap();
    let handle = consumer.handle();
    let (seen, all) = (Seen::default(), all.clone());
    let own = seen.clone();
    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let (own, all) = (own.clone(), all.clone());
        async move {
            own.note(record.partition(), record.offset().0);
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            all.note(record.partition(), record.offset().0);
        }
    }));
    Member { handle, seen, run }
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn all_of(assignor: impl Assignor + 'static) -> [Arc<dyn Assignor>; 1] {
    [Arc::new(assignor)]
}

#[tokio::test(start_paused = true)]
async fn one_member_reads_all_partitions_and_leaves_an_empty_group() {
    for protocol in BOTH {
        let world = World::new(4);
        (0..4).for_each(|partition| world.fill(partition, 5, 10));
        let all = Seen::default();
        let member = start(world.member().group_protocol(protocol), Duration::ZERO, &all);
        world.all_committed(4).await;
        close(&member.handle).await;
        assert_eq!((all.count(), all.repeated()), (200, 0));
        member.run.await.unwrap().unwrap();
        // The group is empty at once: somebody from outside may commit.
        let outside = world.consumer(4).build().unwrap();
        close(&outside.handle()).await;
    }
}

/// Joins and leaves under load: every record is handled once.
async fn joins_and_leaves_lose_and_repeat_nothing(
    name: &str,
    choose: impl Fn(ConsumerBuilder) -> ConsumerBuilder,
) {
    let world = World::with_nodes(3, 6);
    (0..6).for_each(|partition| world.fill(partition, 30, 20));
    let all = Seen::default();
    let member = || choose(world.member()).concurrency(8);
    let first = start(member(), millis(20), &all);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = start(member(), millis(20), &all);
    let third = start(member(), millis(20), &all);
    until(|| 100 <= second.seen.count() && 100 <= third.seen.count()).await;
    close(&second.handle).await;
    (0..6).for_each(|partition| world.fill(partition, 3, 20));
    world.all_committed(6).await;
    close(&first.handle).await;
    close(&third.handle).await;
    assert_eq!((all.count(), all.repeated()), (6 * 33 * 20, 0), "{name}");
    let are_classic =
        world.broker.with(|cluster| cluster.requests().any(|seen| seen.api == ApiKey::JoinGroup));
    assert_eq!(are_classic, name != "consumer", "{name}: who has an assignor makes the plan");
}

#[tokio::test(start_paused = true)]
async fn with_range_joins_and_leaves_lose_and_repeat_nothing() {
    let choose = |builder: ConsumerBuilder| builder.assignors(all_of(Range));
    joins_and_leaves_lose_and_repeat_nothing("Range", choose).await;
}

#[tokio::test(start_paused = true)]
async fn with_round_robin_joins_and_leaves_lose_and_repeat_nothing() {
    let choose = |builder: ConsumerBuilder| builder.assignors(all_of(RoundRobin));
    joins_and_leaves_lose_and_repeat_nothing("RoundRobin", choose).await;
}

#[tokio::test(start_paused = true)]
async fn with_sticky_joins_and_leaves_lose_and_repeat_nothing() {
    let choose = |builder: ConsumerBuilder| builder.assignors(all_of(Sticky));
    joins_and_leaves_lose_and_repeat_nothing("Sticky", choose).await;
}

#[tokio::test(start_paused = true)]
async fn with_cooperative_sticky_joins_and_leaves_lose_and_repeat_nothing() {
    let choose = |builder: ConsumerBuilder| builder.assignors(all_of(CooperativeSticky));
    joins_and_leaves_lose_and_repeat_nothing("CooperativeSticky", choose).await;
}

#[tokio::test(start_paused = true)]
async fn with_the_coordinators_plan_joins_and_leaves_lose_and_repeat_nothing() {
    let choose = |builder: ConsumerBuilder| builder.group_protocol(GroupProtocol::Consumer);
    joins_and_leaves_lose_and_repeat_nothing("consumer", choose).await;
}

#[tokio::test(start_paused = true)]
async fn the_coordinator_is_told_how_to_make_the_plan() {
    for (remote, shares) in [(None, [1, 1]), (Some("uniform"), [1, 1]), (Some("range"), [0, 2])] {
        let world = World::new(1);
        world.broker.with(|cluster| cluster.create_topic("u", 1).unwrap());
        let gained: [Arc<Mutex<BTreeSet<TopicPartition>>>; 2] = Default::default();
        let members = gained.clone().map(|gained| {
            let builder = world.member().topics(["u"]).group_protocol(GroupProtocol::Consumer);
            let builder = match remote {
                Some(name) => builder.group_remote_assignor(name),
                None => builder,
            };
            let listen = move |event: &OwnershipEvent| {
                let mut has = gained.lock().unwrap();
                if let OwnershipEvent::Gained(tps) = event {
                    has.extend(tps.iter().cloned());
                }
                if let OwnershipEvent::Released { tp, .. } = event {
                    has.remove(tp);
                }
            };
            start(builder.on_ownership(listen), Duration::ZERO, &Seen::default())
        });
        tokio::time::sleep(Duration::from_secs(30)).await;
        let mut has = gained.map(|gained| gained.lock().unwrap().len());
        has.sort_unstable();
        assert_eq!(has, shares, "{remote:?}");
        for member in members {
            close(&member.handle).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_from_eager_to_cooperative_one_member_at_a_time() {
    let world = World::new(6);
    let all = Seen::default();
    let eager = || world.member().assignors(all_of(Range));
    let both = || {
        let both: [Arc<dyn Assignor>; 2] = [Arc::new(CooperativeSticky), Arc::new(Range)];
        world.member().assignors(both)
    };
    let cooperative = || world.member().assignors(all_of(CooperativeSticky));
    let mut members = [start(eager(), millis(1), &all), start(eager(), millis(1), &all)];
    let mut filled = 0;
    for round in [&both as &dyn Fn() -> ConsumerBuilder, &cooperative] {
        for place in &mut members {
            (0..6).for_each(|partition| world.fill(partition, 2, 10));
            filled += 6 * 20;
            world.all_committed(6).await;
            close(&place.handle).await;
            *place = start(round(), millis(1), &all);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    (0..6).for_each(|partition| world.fill(partition, 2, 10));
    world.all_committed(6).await;
    assert_eq!((all.count(), all.repeated()), (filled + 6 * 20, 0));
    assert!(members.iter().all(|member| 0 < member.seen.count()), "both have partitions");
}

#[tokio::test(start_paused = true)]
async fn with_cooperation_kept_partitions_flow_while_others_move() {
    let world = World::new(4);
    let all = Seen::default();
    let member = || world.member().assignors(all_of(CooperativeSticky));
    let first = start(member(), Duration::ZERO, &all);
    world.fill(0, 1, 1);
    until(|| all.count() == 1).await;
    // From now on a handler hangs on what moves: the drain takes its time.
    let second = start(member(), Duration::ZERO, &all);
    let mut longest = Duration::ZERO;
    for _ in 0..200 {
        let begun = tokio::time::Instant::now();
        let before = first.seen.of(0).len();
        world.fill(0, 1, 1);
        until(|| before < first.seen.of(0).len() || !second.seen.of(0).is_empty()).await;
        longest = longest.max(begun.elapsed());
        tokio::time::sleep(millis(50)).await;
    }
    (1..4).for_each(|partition| world.fill(partition, 1, 1));
    until(|| 0 < second.seen.count()).await;
    assert!(longest < millis(200), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_running_record_ends_and_is_committed_before_its_partition_moves() {
    for assignor in [Some(all_of(Range)), Some(all_of(CooperativeSticky)), None] {
        let world = World::new(2);
        (0..2).for_each(|partition| world.fill(partition, 1, 3));
        let all = Seen::default();
        let member = || match assignor.clone() {
            Some(assignor) => world.member().assignors(assignor),
            None => world.member().group_protocol(GroupProtocol::Consumer),
        };
        let first = start(member(), Duration::from_secs(9), &all);
        until(|| first.seen.count() == 2).await;
        let second = start(member(), Duration::from_secs(9), &all);
        world.all_committed(2).await;
        assert_eq!(all.repeated(), 0, "{assignor:?}");
        assert!(0 < second.seen.count(), "a partition moved");
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_end_in_time_is_given_up_and_repeated_elsewhere() {
    for protocol in BOTH {
        let world = World::new(2);
        (0..2).for_each(|partition| world.fill(partition, 1, 1));
        let all = Seen::default();
        let member =
            || world.member().group_protocol(protocol).drain_timeout(Duration::from_secs(4));
        let first = start(member(), Duration::from_secs(3600), &all);
        until(|| first.seen.count() == 2).await;
        let begun = tokio::time::Instant::now();
        let second = start(member(), Duration::ZERO, &all);
        until(|| 0 < second.seen.count()).await;
        let took = begun.elapsed();
        assert!((millis(3_000)..millis(16_000)).contains(&took), "{took:?}");
        first.handle.close(Duration::from_secs(1)).await;
        world.all_committed(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_cut_off_starts_nothing_after_its_session_and_others_take_over() {
    for protocol in BOTH {
        // By KIP-848 the cluster says how long a session is, here less than our setting.
        let session = Duration::from_secs(10);
        let options = Options::default().consumer_groups(session, Duration::from_secs(1));
        let world = World::of(options, 2);
        (0..2).for_each(|partition| world.fill(partition, 200, 10));
        let all = Seen::default();
        let cable = Cable::default();
        let is_classic = protocol == GroupProtocol::Classic;
        let slow = |builder: ConsumerBuilder| {
            let builder = builder.concurrency(2);
            if is_classic { builder.session_timeout(session) } else { builder }
        };
        let first = start(slow(world.member_on(&cable).group_protocol(protocol)), millis(50), &all);
        until(|| 50 < first.seen.count()).await;
        cable.pull();
        let second = start(slow(world.member().group_protocol(protocol)), millis(50), &all);
        // What it has buffered would last for minutes; its right to it does not.
        tokio::time::sleep(session).await;
        let stopped = first.seen.count();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(first.seen.count(), stopped, "nothing started after the session");
        assert!(0 < second.seen.count(), "the other took over");
        // When it is back it learns that it lost everything, and shares again.
        cable.plug();
        until(|| stopped < first.seen.count()).await;
        world.all_committed(2).await;
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_static_member_that_restarts_in_time_gets_its_partitions_back_without_a_rebalance() {
    let protocol = GroupProtocol::Classic;
    let world = World::new(4);
    let all = Seen::default();
    let member =
        |name: &'static str| world.member().group_protocol(protocol).group_instance_id(name);
    let first = start(member("a"), Duration::ZERO, &all);
    let second = start(member("b"), Duration::ZERO, &all);
    (0..4).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(4).await;
    until(|| 0 < first.seen.count() && 0 < second.seen.count()).await;
    let had: Vec<_> = (0..4).filter(|partition| !second.seen.of(*partition).is_empty()).collect();
    close(&second.handle).await;
    let joins = |world: &World| {
        let is_join = |seen: &&forebay_broker::Seen| seen.api == ApiKey::JoinGroup;
        world.broker.with(|cluster| cluster.requests().filter(is_join).count())
    };
    let before = joins(&world);
    let second = start(member("b"), Duration::ZERO, &all);
    (0..4).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(4).await;
    let now: Vec<_> = (0..4).filter(|partition| !second.seen.of(*partition).is_empty()).collect();
    assert_eq!(now, had);
    assert_eq!(joins(&world) - before, 1, "only the one that came back joined");
    assert_eq!(all.repeated(), 0);
    close(&first.handle).await;
    close(&second.handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_member_with_the_same_instance_fences_the_first_for_good() {
    let protocol = GroupProtocol::Classic;
    let world = World::new(2);
    let all = Seen::default();
    let member = || world.member().group_protocol(protocol).group_instance_id("a");
    let first = start(member(), Duration::ZERO, &all);
    (0..2).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(2).await;
    let second = start(member(), Duration::ZERO, &all);
    let ended = first.run.await.unwrap().unwrap_err();
    assert_eq!(ended.broker_error(), Some(ErrorCode::FENCED_INSTANCE_ID.0), "{ended}");
    (0..2).for_each(|partition| world.fill(partition, 1, 5));
    world.all_committed(2).await;
    assert_eq!((all.count(), all.repeated()), (20, 0));
    close(&second.handle).await;
}

#[tokio::test(start_paused = true)]
async fn partitions_that_are_added_and_topics_that_come_and_go_are_followed() {
    for protocol in BOTH {
        let world = World::new(2);
        let all = Seen::default();
        let age =
            |builder: ConsumerBuilder| builder.topics(["later"]).metadata_max_age(millis(5_000));
        let first = start(age(world.member().group_protocol(protocol)), Duration::ZERO, &all);
        let second = start(age(world.member().group_protocol(protocol)), Duration::ZERO, &all);
        (0..2).for_each(|partition| world.fill(partition, 1, 5));
        world.all_committed(2).await;
        world.broker.with(|cluster| cluster.add_partitions("t", 4).unwrap());
        (0..4).for_each(|partition| world.fill(partition, 1, 5));
        world.all_committed(4).await;
        assert_eq!(all.count(), 30);
        world.broker.with(|cluster| {
            cluster.create_topic("later", 1).unwrap();
            let batch = forebay_broker::BatchBuilder::at_time(0).record(None, Some(b"x")).build();
            cluster.append(&TopicPartition::new("later", 0), &batch).unwrap();
        });
        until(|| all.count() == 31).await;
        world.broker.with(|cluster| cluster.delete_topic("later").unwrap());
        tokio::time::sleep(Duration::from_secs(60)).await;
        (0..4).for_each(|partition| world.fill(partition, 1, 5));
        world.all_committed(4).await;
        assert_eq!(all.count(), 51);
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_listens_hears_of_gains_drains_releases_losses_and_resets_in_order() {
    let world = World::new(1);
    world.fill(0, 1, 3);
    let heard: Arc<Mutex<Vec<OwnershipEvent>>> = Arc::default();
    let keep = Arc::clone(&heard);
    let listen = move |event: &OwnershipEvent| keep.lock().unwrap().push(event.clone());
    let member = || world.member().assignors(all_of(Range));
    let first = start(member().on_ownership(listen), Duration::ZERO, &Seen::default());
    world.all_committed(1).await;
    // Another one comes and goes: everything is given up and comes back.
    let second = start(member(), Duration::ZERO, &Seen::default());
    until(|| 3 <= heard.lock().unwrap().len()).await;
    close(&second.handle).await;
    until(|| heard.lock().unwrap().last() == Some(&OwnershipEvent::Gained(vec![tp(0)]))).await;
    // The log loses its beginning under somebody who goes back, and the coordinator its memory of us.
    world.broker.with(|cluster| cluster.delete_records(&tp(0), 2).unwrap());
    first.handle.seek(tp(0), Position(0)).await.unwrap();
    let reset = OwnershipEvent::Reset { tp: tp(0), from: Position(0), to: Position(2) };
    until(|| heard.lock().unwrap().last() == Some(&reset)).await;
    let forget = Fault::new(Effect::Error(ErrorCode::UNKNOWN_MEMBER_ID)).api(ApiKey::Heartbeat);
    world.broker.with(|cluster| cluster.script(forget));
    until(|| heard.lock().unwrap().contains(&OwnershipEvent::Lost(vec![tp(0)]))).await;
    first.handle.close(Duration::from_secs(20)).await;
    let heard = heard.lock().unwrap();
    let beginning = [
        OwnershipEvent::Gained(vec![tp(0)]),
        OwnershipEvent::Draining(vec![tp(0)]),
        OwnershipEvent::Released { tp: tp(0), is_clean: true },
    ];
    assert_eq!(heard[..3], beginning, "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_that_its_partition_drains_and_then_that_it_is_lost() {
    let world = World::new(1);
    world.fill(0, 1, 1);
    let seen: Arc<Mutex<Vec<Ownership>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let consumer = world.member().drain_timeout(Duration::from_secs(10)).build().unwrap();
    let handle = consumer.handle();
    tokio::spawn(consumer.run(move |_: Record, context: Context| {
        let keep = Arc::clone(&keep);
        async move {
            // Outlives the record's own run: the partition is watched from outside.
            let watch = tokio::spawn(async move {
                loop {
                    let now = context.ownership();
                    {
                        let mut seen = keep.lock().unwrap();
                        if seen.last() != Some(&now) {
                            seen.push(now);
                        }
                    }
                    tokio::time::sleep(millis(10)).await;
                }
            });
            drop(watch.await);
        }
    }));
    until(|| !seen.lock().unwrap().is_empty()).await;
    handle.close(Duration::from_secs(10)).await;
    until(|| seen.lock().unwrap().len() == 3).await;
    let states = [Ownership::Held, Ownership::Draining, Ownership::Lost];
    assert_eq!(*seen.lock().unwrap(), states);
}

#[tokio::test(start_paused = true)]
async fn each_owner_of_a_partition_has_a_larger_token_than_the_one_before() {
    for (protocol, assignor) in [
        (GroupProtocol::Classic, Some(all_of(Range))),
        (GroupProtocol::Classic, Some(all_of(CooperativeSticky))),
        (GroupProtocol::Consumer, None),
    ] {
        let world = World::new(4);
        let tokens: Arc<Mutex<Vec<(i32, usize, u32)>>> = Arc::default();
        let join = |member: usize| {
            let builder = world.member().group_protocol(protocol);
            let builder = match assignor.clone() {
                Some(assignor) => builder.assignors(assignor),
                None => builder,
            };
            let consumer = builder.build().unwrap();
            let (handle, tokens) = (consumer.handle(), Arc::clone(&tokens));
            tokio::spawn(consumer.run(move |record: Record, context: Context| {
                let token = context.fencing_token().unwrap();
                tokens.lock().unwrap().push((record.partition(), member, token));
                async {}
            }));
            handle
        };
        let mut members = vec![join(0)];
        for next in 1..5 {
            (0..4).for_each(|partition| world.fill(partition, 2, 5));
            world.all_committed(4).await;
            members.push(join(next));
            tokio::time::sleep(Duration::from_secs(20)).await;
            if next == 3 {
                close(&members.remove(0)).await;
            }
        }
        (0..4).for_each(|partition| world.fill(partition, 2, 5));
        world.all_committed(4).await;
        for member in members {
            close(&member).await;
        }
        let mut last = std::collections::BTreeMap::new();
        let mut moves = 0;
        for (partition, member, token) in tokens.lock().unwrap().iter().copied() {
            let (owner, known) = last.insert(partition, (member, token)).unwrap_or((member, 0));
            moves += usize::from(owner != member);
            let is_larger = known < token || owner == member && known == token;
            assert!(is_larger, "{protocol:?} {partition}: {known} of {owner}, {token} of {member}");
        }
        assert!(2 < moves, "{protocol:?}: {moves} moves");
    }
}
