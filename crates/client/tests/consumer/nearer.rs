//! Brokers in racks: who is fetched from, and what happens when the near one fails (KIP-392).

use std::collections::BTreeMap;
use std::time::Duration;

use forebay::{BrokerId, ConsumerHandle, Context, Error, Record, Summary};
use forebay_broker::{ApiKey, Effect, ErrorCode, Fault, Options};
use tokio::task::JoinHandle;

use crate::world::{Seen, World, close, tp, until};

const LEADER: BrokerId = BrokerId(1);
const NEAR: BrokerId = BrokerId(2);
/// How long a replica is asked until its leader is asked again.
const AGE: Duration = Duration::from_secs(60);

/// Three nodes in three racks, all with partition 0, and a consumer in the rack of the second.
struct Racks {
    world: World,
    handle: ConsumerHandle,
    seen: Seen,
    run: JoinHandle<Result<Summary, Error>>,
}

impl Racks {
    fn start() -> Self {
        let options = Options::default().nodes(3).racks(["a", "b", "c"]);
        let world = World::of(options, 1);
        world.broker.with(|cluster| {
            cluster.delete_topic("t").unwrap();
            cluster.create_replicated_topic("t", 1, 3).unwrap();
        });
        let builder = world.consumer(1).client_rack("b").metadata_max_age(AGE);
        let consumer = builder.build().unwrap();
        let (handle, seen) = (consumer.handle(), Seen::default());
        let noting = seen.clone();
        let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            noting.note(record.partition(), record.offset().0);
            async {}
        }));
        Self { world, handle, seen, run }
    }

    /// Writes ten batches in ten seconds and waits until all are handled.
    async fn flow(&self) {
        for _ in 0..10 {
            self.world.fill(0, 1, 10);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let end = usize::try_from(self.world.end(0)).unwrap();
        until(|| self.seen.count() == end).await;
    }

    /// How many fetches each node had since the last call.
    fn fetches(&self) -> BTreeMap<BrokerId, usize> {
        let mut counts = BTreeMap::new();
        self.world.broker.with(|cluster| {
            let all = cluster.requests().filter(|seen| seen.api == ApiKey::Fetch);
            all.for_each(|seen| *counts.entry(seen.node).or_default() += 1);
            cluster.clear_requests();
        });
        counts
    }

    async fn end(self) {
        close(&self.handle).await;
        self.run.await.unwrap().unwrap();
        let end = self.world.end(0);
        assert_eq!(self.seen.of(0), (0..end).collect::<Vec<_>>(), "in order, once each");
        assert_eq!(self.world.committed(0), Some(end));
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_reads_from_the_replica_in_its_rack_and_asks_the_leader_now_and_then() {
    let racks = Racks::start();
    racks.flow().await;
    let counts = racks.fetches();
    assert_eq!(counts.get(&LEADER), Some(&1), "it named the replica: {counts:?}");
    assert!(10 <= counts[&NEAR] && !counts.contains_key(&BrokerId(3)), "{counts:?}");
    tokio::time::sleep(AGE * 3).await;
    let counts = racks.fetches();
    assert!((2..=4).contains(&counts[&LEADER]), "once in each age: {counts:?}");
    assert_eq!(racks.handle.stats().await.unwrap().watchdog_heals, 0);
    racks.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_behind_or_no_longer_one_costs_a_question_to_the_leader_and_no_reset() {
    for code in [
        ErrorCode::OFFSET_OUT_OF_RANGE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
    ] {
        let racks = Racks::start();
        racks.flow().await;
        racks.fetches();
        let refused = Fault::new(Effect::Error(code)).api(ApiKey::Fetch).node(NEAR);
        let refused = refused.partition(tp(0)).times(3);
        racks.world.broker.with(|cluster| cluster.script(refused));
        racks.flow().await;
        let counts = racks.fetches();
        assert!((3..=10).contains(&counts[&LEADER]), "without a hot loop: {counts:?}");
        assert!(10 <= counts[&NEAR], "and back to the replica: {counts:?}");
        racks.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_stopped_is_left_and_work_goes_on_at_the_leader() {
    let racks = Racks::start();
    racks.flow().await;
    racks.world.broker.with(|cluster| cluster.stop_node(NEAR));
    racks.fetches();
    racks.flow().await;
    let counts = racks.fetches();
    assert!(10 <= counts[&LEADER], "{counts:?}");
    racks.world.broker.with(|cluster| cluster.start_node(NEAR));
    tokio::time::sleep(AGE).await;
    racks.flow().await;
    racks.fetches();
    racks.flow().await;
    assert!(10 <= racks.fetches()[&NEAR], "the leader named it again");
    racks.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moves_into_our_rack_is_read_itself() {
    let racks = Racks::start();
    racks.flow().await;
    racks.world.broker.with(|cluster| cluster.move_leader(&tp(0), NEAR)).unwrap();
    racks.flow().await;
    racks.fetches();
    racks.flow().await;
    let counts = racks.fetches();
    assert_eq!(counts.keys().collect::<Vec<_>>(), [&NEAR], "{counts:?}");
    racks.end().await;
}
