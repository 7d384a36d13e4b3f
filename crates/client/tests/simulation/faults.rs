//! Faults that a seed draws: which, where, when, for how long.

use std::time::Duration;

use forebay::BrokerId;
use forebay_broker::{ApiKey, Cluster, Effect, ErrorCode, Fault};

use crate::world::{GROUP, PARTITIONS, World, tp};

const APIS: [ApiKey; 9] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::InitProducerId,
];

/// Disturbs the world for so many rounds of up to two seconds, then heals it.
pub async fn disturb(world: &World, seed: u64, rounds: u32) {
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..rounds {
        world.broker.with(|cluster| strike(&mut rng, cluster));
        tokio::time::sleep(Duration::from_millis(rng.u64(1..2_000))).await;
        if rng.bool() {
            world.broker.with(restore);
        }
    }
    world.broker.with(restore);
    world.broker.with(Cluster::clear_script);
}

/// All nodes serve and metadata tells the truth.
fn restore(cluster: &mut Cluster) {
    for node in (1..=3).map(BrokerId) {
        cluster.thaw_node(node);
        cluster.start_node(node);
    }
    cluster.fresh_metadata();
}

fn strike(rng: &mut fastrand::Rng, cluster: &mut Cluster) {
    let (node, tp) = (BrokerId(rng.i32(1..=3)), tp(rng.i32(0..PARTITIONS)));
    match rng.u8(..10) {
        // A node that is down leads nothing.
        0 => drop(cluster.move_leader(&tp, node)),
        1 => cluster.move_coordinator(GROUP, node),
        2 => cluster.stop_node(node),
        3 => cluster.freeze_node(node),
        4 => cluster.stale_metadata(&tp),
        5 => cluster.close_connections(),
        6 => cluster.evict_fetch_sessions(node),
        _ => {
            let effect = effect(rng);
            let fault = Fault::new(effect).api(APIS[rng.usize(..APIS.len())]);
            cluster.script(fault.after(rng.u32(..3)).times(rng.u32(1..4)));
        }
    }
}

fn effect(rng: &mut fastrand::Rng) -> Effect {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::KAFKA_STORAGE_ERROR,
    ];
    match rng.u8(..9) {
        0 => Effect::Delay(Duration::from_millis(rng.u64(1..5_000))),
        1 => Effect::DropAnswer,
        2 => Effect::DoAndClose,
        3 => Effect::Close,
        4 => Effect::Cut(rng.usize(..200)),
        5 => Effect::Twice,
        6 => Effect::WrongCorrelationId,
        7 => Effect::Throttle(Duration::from_millis(rng.u64(1..3_000))),
        _ => Effect::Error(codes[rng.usize(..codes.len())]),
    }
}
