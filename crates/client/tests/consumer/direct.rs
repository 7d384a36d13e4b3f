//! Directives: partitions are held, drained, handed over and released at other times than the group
//! does it, and no record is lost, repeated or committed too early for that.

use std::time::Duration;

use forebay::assignor::CooperativeSticky;
use forebay::{ConsumerBuilder, Error, GroupProtocol, Parked};

use crate::group::{BOTH, Member, millis, start};
use crate::world::{Seen, World, close, tp, until};

const WITHIN: Duration = Duration::from_secs(5);

/// How partitions come to a consumer.
#[derive(Clone, Copy, Debug)]
enum By {
    Assignment,
    Group(GroupProtocol),
}

const ALL: [By; 3] =
    [By::Assignment, By::Group(GroupProtocol::Classic), By::Group(GroupProtocol::Consumer)];

fn consumer(world: &World, by: By, partitions: i32) -> ConsumerBuilder {
    match by {
        By::Assignment => world.consumer(partitions),
        By::Group(protocol) => world.member().group_protocol(protocol),
    }
}

fn at(parked: &[Parked]) -> Vec<(i32, Option<i64>, bool)> {
    let each = |it: &Parked| (it.tp.partition, it.position.map(|at| at.0), it.is_clean);
    parked.iter().map(each).collect()
}

#[tokio::test(start_paused = true)]
async fn a_drained_partition_stands_still_where_it_is_committed_and_goes_on_without_a_repetition() {
    for by in ALL {
        let world = World::new(2);
        (0..2).for_each(|partition| world.fill(partition, 40, 10));
        let all = Seen::default();
        let member = start(consumer(&world, by, 2).concurrency(8), millis(20), &all);
        until(|| 20 < all.of(0).len()).await;
        let ownership = member.handle.ownership();
        let parked = ownership.drain(vec![tp(0)], WITHIN).await.unwrap();
        let done = all.of(0).len();
        let stands = i64::try_from(done).unwrap();
        assert!(done < 400, "{by:?}: it was not over by itself");
        assert_eq!(at(&parked), [(0, Some(stands), true)], "{by:?}");
        assert_eq!(world.committed(0), Some(stands), "{by:?}");
        let other = all.of(1).len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!((all.of(0).len(), member.seen.of(0).len()), (done, done), "{by:?}: it is still");
        assert!(other < all.of(1).len(), "{by:?}: the other one flows");
        // Told again to who asks again.
        assert_eq!(ownership.drain(vec![tp(0)], WITHIN).await.unwrap(), parked);
        ownership.release(vec![tp(0)]).await.unwrap();
        world.all_committed(2).await;
        assert_eq!((all.count(), all.repeated()), (800, 0), "{by:?}");
        close(&member.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_over_is_worked_on_elsewhere_and_taken_back_from_there() {
    let world = World::new(2);
    (0..2).for_each(|partition| world.fill(partition, 40, 10));
    let all = Seen::default();
    // Two versions of a service, one group: the old one hands over to the new one, and back.
    let blue = start(world.consumer(2), millis(5), &all);
    until(|| 20 < all.of(0).len()).await;
    let parked = blue.handle.ownership().hand_over(vec![tp(0)], WITHIN).await.unwrap();
    assert!(parked[0].is_clean, "{parked:?}");
    let green = start(world.consumer(1), millis(5), &all);
    until(|| 50 < green.seen.of(0).len()).await;
    close(&green.handle).await;
    blue.handle.ownership().release(vec![tp(0)]).await.unwrap();
    world.all_committed(2).await;
    assert_eq!((all.count(), all.repeated()), (800, 0));
    let mut places = all.of(0);
    assert!(places.is_sorted(), "order was kept over both");
    places.dedup();
    assert_eq!(places.len(), 400);
    close(&blue.handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_held_partition_hands_nothing_more_out_and_a_pause_does_not_release_it() {
    for by in ALL {
        let world = World::new(1);
        world.fill(0, 100, 10);
        let all = Seen::default();
        let member = start(consumer(&world, by, 1), millis(1), &all);
        until(|| 20 < all.count()).await;
        let ownership = member.handle.ownership();
        ownership.hold(vec![tp(0)]).await.unwrap();
        member.handle.pause(vec![tp(0)]).await.unwrap();
        member.handle.resume(vec![tp(0)]).await.unwrap();
        // What its worker had goes on.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let done = all.count();
        world.fill(0, 20, 10);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(all.count(), done, "{by:?}");
        ownership.release(vec![tp(0)]).await.unwrap();
        world.all_committed(1).await;
        assert_eq!((all.count(), all.repeated()), (1_200, 0), "{by:?}");
        close(&member.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_by_its_deadline_and_says_that_records_had_not_ended() {
    let world = World::new(1);
    world.fill(0, 1, 3);
    let all = Seen::default();
    let member = start(world.consumer(1), Duration::from_secs(60), &all);
    until(|| member.seen.count() == 1).await;
    let begun = tokio::time::Instant::now();
    let parked = member.handle.ownership().drain(vec![tp(0)], WITHIN).await.unwrap();
    assert!(begun.elapsed() <= WITHIN, "{:?}", begun.elapsed());
    assert_eq!(at(&parked), [(0, Some(0), false)]);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((member.seen.count(), all.count()), (1, 0), "the one that ran was cancelled");
    member.handle.ownership().release(vec![tp(0)]).await.unwrap();
    world.all_committed(1).await;
    assert_eq!((all.count(), all.repeated(), member.seen.repeated()), (3, 0, 1));
    close(&member.handle).await;
}

#[tokio::test(start_paused = true)]
async fn who_directs_what_is_not_ours_is_told_so_and_nothing_is_changed() {
    let world = World::new(1);
    world.fill(0, 10, 10);
    let all = Seen::default();
    let member = start(world.consumer(1), Duration::ZERO, &all);
    let ownership = member.handle.ownership();
    let both = || vec![tp(0), tp(7)];
    for refused in [
        ownership.hold(both()).await,
        ownership.release(both()).await,
        ownership.drain(both(), WITHIN).await.map(drop),
        ownership.hand_over(both(), WITHIN).await.map(drop),
    ] {
        assert!(matches!(&refused, Err(Error::NotAssigned { tp: of }) if *of == tp(7)));
    }
    world.all_committed(1).await;
    close(&member.handle).await;
    assert!(matches!(ownership.hold(vec![tp(0)]).await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn the_group_takes_what_is_drained_or_parked_and_who_waited_is_told() {
    for protocol in BOTH {
        let world = World::new(4);
        (0..4).for_each(|partition| world.fill(partition, 20, 10));
        let all = Seen::default();
        let member = || {
            let builder = world.member().group_protocol(protocol).concurrency(4);
            if protocol == GroupProtocol::Consumer {
                return builder;
            }
            builder.assignors([std::sync::Arc::new(CooperativeSticky) as _])
        };
        let first = start(member(), millis(10), &all);
        until(|| (0..4).all(|partition| 5 < all.of(partition).len())).await;
        let ownership = first.handle.ownership();
        let parked = ownership.drain((0..4).map(tp).collect(), WITHIN).await.unwrap();
        assert!(parked.iter().all(|it| it.is_clean), "{parked:?}");
        // Half of them goes to another one, the rest stays parked.
        let second = start(member(), millis(10), &all);
        until(|| 0 < second.seen.count()).await;
        let before = all.count();
        until(|| before + 300 < all.count()).await;
        let is_ours = |partition: &i32| second.seen.of(*partition).is_empty();
        let (kept, gone): (Vec<i32>, Vec<i32>) = (0..4).partition(is_ours);
        assert_eq!((kept.len(), gone.len()), (2, 2), "{protocol:?}");
        let refused = ownership.release(vec![tp(gone[0])]).await;
        assert!(matches!(refused, Err(Error::NotAssigned { .. })), "{protocol:?}: {refused:?}");
        ownership.release(kept.into_iter().map(tp).collect()).await.unwrap();
        world.all_committed(4).await;
        assert_eq!((all.count(), all.repeated()), (800, 0), "{protocol:?}");
        close(&first.handle).await;
        close(&second.handle).await;
    }
}

/// A group whose members are told at random what to do with partitions.
struct Game {
    world: World,
    all: Seen,
    rng: fastrand::Rng,
    protocol: GroupProtocol,
    members: Vec<Member>,
    filled: usize,
}

const PARTITIONS: i32 = 4;

impl Game {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let protocol = BOTH[rng.usize(..2)];
        let (world, all) = (World::new(PARTITIONS), Seen::default());
        Self { world, all, rng, protocol, members: Vec::new(), filled: 0 }
    }

    fn join(&mut self) {
        let builder = self.world.member().group_protocol(self.protocol).concurrency(6);
        self.members.push(start(builder, millis(self.rng.u64(1..40)), &self.all));
    }

    fn fill(&mut self) {
        let partition = self.rng.i32(0..PARTITIONS);
        self.world.fill(partition, 3, 10);
        self.filled += 30;
    }

    /// Says something to somebody, or changes who is there.
    async fn turn(&mut self) {
        let tps = vec![tp(self.rng.i32(0..PARTITIONS))];
        let at = self.rng.usize(..self.members.len());
        let ownership = self.members[at].handle.ownership();
        match self.rng.u8(..9) {
            0 if self.members.len() < 3 => self.join(),
            1 if 1 < self.members.len() => close(&self.members.swap_remove(at).handle).await,
            2 => drop(ownership.hold(tps).await),
            3 | 4 => drop(ownership.release(tps).await),
            // Not waited for: the next word may come before it has ended.
            5 => drop(tokio::spawn(async move { ownership.drain(tps, WITHIN).await })),
            6 => drop(tokio::spawn(async move { ownership.hand_over(tps, WITHIN).await })),
            _ => self.fill(),
        }
        tokio::time::sleep(millis(self.rng.u64(..400))).await;
        self.judge();
    }

    /// No commit is ahead of what is done, nothing is repeated, and order is kept.
    fn judge(&self) {
        for partition in 0..PARTITIONS {
            let done = self.all.of(partition);
            let in_order: Vec<i64> = (0..).take(done.len()).collect();
            assert_eq!(done, in_order, "{partition}: each once, in its order");
            let committed = self.world.committed(partition).unwrap_or(0);
            assert!(usize::try_from(committed).unwrap() <= done.len(), "{partition}: {committed}");
        }
    }

    async fn play(mut self) {
        self.join();
        until(|| !self.members[0].run.is_finished()).await;
        for _ in 0..60 {
            self.turn().await;
        }
        // A drain of before may still begin.
        tokio::time::sleep(WITHIN * 2).await;
        for member in &self.members {
            for partition in 0..PARTITIONS {
                drop(member.handle.ownership().release(vec![tp(partition)]).await);
            }
        }
        for partition in 0..PARTITIONS {
            self.world.fill(partition, 1, 1);
            self.filled += 1;
        }
        self.world.all_committed(PARTITIONS).await;
        self.judge();
        assert_eq!(self.all.count(), self.filled);
        for member in &self.members {
            close(&member.handle).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_directed_while_members_come_and_go_nothing_is_lost_repeated_or_out_of_order() {
    for seed in 0..16 {
        let ended = tokio::spawn(Game::new(seed).play()).await;
        assert!(ended.is_ok(), "seed {seed}: {ended:?}");
    }
}
