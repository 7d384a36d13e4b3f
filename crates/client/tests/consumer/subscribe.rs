//! Subscriptions that change while members work: what goes is finished and committed, what stays is
//! kept, and no record is lost or repeated for that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::assignor::{Assignor, CooperativeSticky, Range};
use forebay::{
    ConsumerBuilder, ConsumerHandle, Context, Error, GroupProtocol, OwnershipEvent, Record,
    Subscription, TopicPartition,
};
use forebay_broker::BatchBuilder;

use crate::group::millis;
use crate::world::{GROUP, Seen, World, close, until};

const PARTITIONS: i32 = 2;
/// What handlers note for partitions of `u`, beside the partition.
const OF_U: i32 = 100;

/// How partitions are shared.
#[derive(Clone, Copy, Debug)]
enum Way {
    Eager,
    Cooperative,
    Coordinator,
}

const WAYS: [Way; 3] = [Way::Eager, Way::Cooperative, Way::Coordinator];

impl Way {
    fn member(self, world: &World) -> ConsumerBuilder {
        let builder = world.member().concurrency(8);
        let assignor: Arc<dyn Assignor> = match self {
            Self::Eager => Arc::new(Range),
            Self::Cooperative => Arc::new(CooperativeSticky),
            Self::Coordinator => return builder.group_protocol(GroupProtocol::Consumer),
        };
        builder.group_protocol(GroupProtocol::Classic).assignors([assignor])
    }
}

/// Topics `t` and `u`, each with so many batches of ten in each partition.
fn world(batches: i64) -> World {
    let world = World::new(PARTITIONS);
    world.broker.with(|cluster| cluster.create_topic("u", PARTITIONS).unwrap());
    fill(&world, batches);
    world
}

fn fill(world: &World, batches: i64) {
    for topic in ["t", "u"] {
        for partition in 0..PARTITIONS {
            (0..batches).for_each(|_| append(world, topic, partition));
        }
    }
}

fn append(world: &World, topic: &str, partition: i32) {
    let batch = (0..10).fold(BatchBuilder::at_time(0), |batch, _| batch.record(None, Some(b"x")));
    let tp = TopicPartition::new(topic, partition);
    world.broker.with(|cluster| cluster.append(&tp, &batch.build()).unwrap());
}

/// Where a partition's commit and its end stand.
fn stands(world: &World, topic: &str, partition: i32) -> (i64, i64) {
    let tp = TopicPartition::new(topic, partition);
    world.broker.with(|cluster| {
        let committed = cluster.committed(GROUP, &tp).map_or(0, |committed| committed.offset);
        (committed, cluster.high_watermark(&tp).unwrap_or(0))
    })
}

async fn all_committed(world: &World, topics: &[&str]) {
    let is_done = |topic: &&str| {
        (0..PARTITIONS).map(|it| stands(world, topic, it)).all(|(committed, end)| committed == end)
    };
    until(|| topics.iter().all(is_done)).await;
}

#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<OwnershipEvent>>>);

impl Heard {
    fn troubles(&self) -> Vec<OwnershipEvent> {
        let heard = self.0.lock().unwrap();
        let is_trouble = |it: &&OwnershipEvent| matches!(it, OwnershipEvent::Trouble(_));
        heard.iter().filter(is_trouble).cloned().collect()
    }
}

struct Member {
    handle: ConsumerHandle,
    seen: Seen,
    heard: Heard,
}

fn start(builder: ConsumerBuilder, takes: Duration, all: &Seen) -> Member {
    let (seen, heard) = (Seen::default(), Heard::default());
    let keep = heard.clone();
    let listen = move |event: &OwnershipEvent| keep.0.lock().unwrap().push(event.clone());
    let consumer = builder.on_ownership(listen).build().unwrap();
    let handle = consumer.handle();
    let (own, all) = (seen.clone(), all.clone());
    drop(tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let (own, all) = (own.clone(), all.clone());
        async move {
            let of = if record.topic() == "u" { OF_U } else { 0 };
            own.note(of + record.partition(), record.offset().0);
            tokio::time::sleep(takes).await;
            all.note(of + record.partition(), record.offset().0);
        }
    })));
    Member { handle, seen, heard }
}

fn both() -> Subscription {
    Subscription::topics(["t", "u"])
}

#[tokio::test(start_paused = true)]
async fn a_member_that_wants_more_topics_gets_them_and_repeats_nothing() {
    for way in WAYS {
        let world = world(20);
        let all = Seen::default();
        let member = start(way.member(&world), millis(5), &all);
        until(|| 20 < all.of(0).len()).await;
        member.handle.subscribe(both()).await.unwrap();
        all_committed(&world, &["t", "u"]).await;
        assert_eq!((all.count(), all.repeated()), (800, 0), "{way:?}");
        assert_eq!(member.heard.troubles(), [], "{way:?}");
        close(&member.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_member_wants_no_more_is_finished_committed_and_goes_to_who_does() {
    for way in WAYS {
        let world = world(100);
        let all = Seen::default();
        let first = start(way.member(&world), millis(20), &all);
        until(|| (0..2).all(|it| 20 < all.of(it).len())).await;
        let second = start(way.member(&world), millis(20), &all);
        until(|| 0 < second.seen.count()).await;
        first.handle.subscribe(Subscription::topics(["u"])).await.unwrap();
        all_committed(&world, &["t", "u"]).await;
        assert_eq!((all.count(), all.repeated()), (4_000, 0), "{way:?}");
        assert!(second.seen.of(OF_U).is_empty() && !first.seen.of(OF_U).is_empty(), "{way:?}");
        (0..PARTITIONS).for_each(|partition| append(&world, "t", partition));
        let before = first.seen.of(0).len() + first.seen.of(1).len();
        all_committed(&world, &["t"]).await;
        assert_eq!(first.seen.of(0).len() + first.seen.of(1).len(), before, "{way:?}");
        assert_eq!([first.heard.troubles(), second.heard.troubles()], [[], []], "{way:?}");
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn names_and_patterns_follow_each_other() {
    for way in WAYS {
        let world = world(1);
        let all = Seen::default();
        let member = start(way.member(&world), millis(1), &all);
        let pattern = || Subscription::default().pattern("[tu]").unwrap();
        let wanted: [(Subscription, &[&str]); 5] = [
            (pattern(), &["t", "u"]),
            (Subscription::topics(["u"]), &["u"]),
            (pattern(), &["t", "u"]),
            (pattern().pattern_except("t").unwrap(), &["u"]),
            (Subscription::topics(["t"]), &["t"]),
        ];
        let mut written = 4 * 10;
        for (subscription, topics) in wanted {
            member.handle.subscribe(subscription).await.unwrap();
            tokio::time::sleep(Duration::from_secs(20)).await;
            fill(&world, 1);
            written += 4 * 10;
            all_committed(&world, topics).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
            for topic in ["t", "u"] {
                let (committed, end) = stands(&world, topic, 0);
                assert_eq!(committed == end, topics.contains(&topic), "{way:?}: {topics:?}");
            }
        }
        member.handle.subscribe(both()).await.unwrap();
        all_committed(&world, &["t", "u"]).await;
        assert_eq!((all.count(), all.repeated()), (written, 0), "{way:?}");
        assert_eq!(member.heard.troubles(), [], "{way:?}");
        close(&member.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_unsubscribes_leaves_the_group_in_good_order_and_may_come_back() {
    for way in WAYS {
        let world = world(40);
        let all = Seen::default();
        let member = start(way.member(&world), millis(5), &all);
        until(|| 20 < all.of(0).len()).await;
        member.handle.unsubscribe().await.unwrap();
        let done = all.count();
        assert!(done < 800, "{way:?}: not all of it was done");
        let committed: i64 = (0..PARTITIONS).map(|it| stands(&world, "t", it).0).sum();
        assert_eq!(usize::try_from(committed).unwrap(), done, "{way:?}");
        member.handle.unsubscribe().await.unwrap();
        // The group is empty: somebody from outside may commit.
        let outside = world.consumer(PARTITIONS).build().unwrap();
        close(&outside.handle()).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(all.count(), done, "{way:?}: nothing is done meanwhile");
        member.handle.subscribe(both()).await.unwrap();
        all_committed(&world, &["t", "u"]).await;
        assert_eq!((all.count(), all.repeated()), (1_600, 0), "{way:?}");
        close(&member.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_closed_while_unsubscribed_or_while_leaving_ends_at_once() {
    for way in WAYS {
        for is_left in [true, false] {
            let world = world(40);
            let all = Seen::default();
            let member = start(way.member(&world), millis(50), &all);
            until(|| 2 < all.of(0).len()).await;
            let handle = member.handle.clone();
            let leaving = tokio::spawn(async move { handle.unsubscribe().await });
            if is_left {
                leaving.await.unwrap().unwrap();
            } else {
                tokio::time::sleep(millis(1)).await;
            }
            let begun = tokio::time::Instant::now();
            close(&member.handle).await;
            assert!(begun.elapsed() < Duration::from_secs(2), "{way:?}: {:?}", begun.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_to_nothing_and_one_beside_fixed_partitions_are_refused() {
    let world = world(1);
    let member = start(Way::Eager.member(&world), millis(1), &Seen::default());
    let refused = member.handle.subscribe(Subscription::default()).await.unwrap_err();
    assert!(matches!(&refused, Error::Config(_)), "{refused}");
    assert!(refused.to_string().contains("unsubscribe()"), "{refused}");
    close(&member.handle).await;
    let fixed = start(world.consumer(PARTITIONS), millis(1), &Seen::default());
    for refused in [fixed.handle.subscribe(both()).await, fixed.handle.unsubscribe().await] {
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("fixed partitions"), "{refused}");
    }
    close(&fixed.handle).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_members_want_while_they_come_and_go_nothing_is_lost_repeated_or_out_of_order() {
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let way = WAYS[rng.usize(..3)];
        let (world, all) = (world(1), Seen::default());
        let mut members = vec![start(way.member(&world), millis(3), &all)];
        let mut written = 40;
        for _ in 0..40 {
            let at = rng.usize(..members.len());
            let handle = members[at].handle.clone();
            match rng.u8(..8) {
                0 if members.len() < 3 => {
                    let takes = millis(rng.u64(1..30));
                    members.push(start(way.member(&world), takes, &all));
                }
                1 if 1 < members.len() => close(&members.swap_remove(at).handle).await,
                2 => drop(tokio::spawn(async move { handle.unsubscribe().await })),
                3 => handle.subscribe(Subscription::topics(["t"])).await.unwrap(),
                4 => handle.subscribe(Subscription::topics(["u"])).await.unwrap(),
                5 => handle.subscribe(both()).await.unwrap(),
                _ => {
                    append(&world, ["t", "u"][rng.usize(..2)], rng.i32(0..PARTITIONS));
                    written += 10;
                }
            }
            // Now and then while partitions still move.
            tokio::time::sleep(millis(rng.u64(..1_500))).await;
        }
        for member in &members {
            member.handle.subscribe(both()).await.unwrap();
        }
        all_committed(&world, &["t", "u"]).await;
        let place = |of: i32| (0..PARTITIONS).map(move |partition| of + partition);
        for done in place(0).chain(place(OF_U)).map(|at| all.of(at)) {
            let in_order: Vec<i64> = (0..).take(done.len()).collect();
            assert_eq!(done, in_order, "seed {seed}, {way:?}: each once, in its order");
        }
        assert_eq!(all.count(), written, "seed {seed}, {way:?}");
        for member in &members {
            close(&member.handle).await;
        }
    }
}
