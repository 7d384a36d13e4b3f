//! Does the harm happen that is asked for, and do clients get over it?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use forebay::GroupProtocol;
use forebay_histcheck::What;
use forebay_proxy::{ApiKey, Effect, Fault};

use crate::clients::{World, values};

/// Writes, lets a member handle and commit, with this fault in the way; how long it took.
async fn through(fault: Fault, times: u64) -> (World, Duration) {
    let world = World::new().await;
    world.write(0, 60).await;
    world.proxy.add(fault);
    let began = Instant::now();
    let member = world.join("m1", GroupProtocol::Classic);
    world.committed(60).await;
    let took = began.elapsed();
    assert_eq!(member.handled(), values(60), "each record once");
    member.leave().await;
    assert_eq!(world.proxy.struck(), times);
    world.is_at_ease();
    (world, took)
}

#[tokio::test]
async fn an_answer_that_is_dropped_is_not_heard_and_asked_for_again() {
    let fault = Fault::new(Effect::DropAnswer).api(ApiKey::OffsetCommit).client("m1");
    let (world, _) = through(fault, 1).await;
    let mut open = 0;
    for what in world.history() {
        match what {
            What::CommitSent { .. } => open += 1,
            What::CommitAnswered { .. } => open -= 1,
            _ => {}
        }
    }
    assert!(0 < open, "one commit at least was never answered");
}

#[tokio::test]
async fn an_answer_that_is_delayed_comes_later() {
    let late = Duration::from_millis(900);
    let (_, took) = through(Fault::new(Effect::Delay(late)).api(ApiKey::JoinGroup), 1).await;
    assert!(late <= took, "{took:?}");
}

#[tokio::test]
async fn answers_in_pieces_are_put_together() {
    let fault = Fault::new(Effect::Slice(7, Duration::from_millis(1))).api(ApiKey::Fetch);
    through(fault.times(3), 3).await;
}

#[tokio::test]
async fn connections_that_end_at_any_point_are_made_again() {
    for effect in [Effect::Close, Effect::DoAndClose, Effect::Cut(3), Effect::Cut(40)] {
        for api in [ApiKey::Fetch, ApiKey::OffsetFetch, ApiKey::SyncGroup] {
            through(Fault::new(effect.clone()).api(api).times(2), 2).await;
        }
    }
}

#[tokio::test]
async fn records_that_came_with_a_wrong_bit_are_fetched_again() {
    through(Fault::new(Effect::CorruptRecords).api(ApiKey::Fetch).times(6), 6).await;
}

#[tokio::test]
async fn an_answer_that_ends_before_its_connection_is_cut_was_heard() {
    let cut = Fault::new(Effect::Cut(100_000)).api(ApiKey::SyncGroup);
    let (world, _) = through(cut, 1).await;
    let (mut held, mut gained) = (BTreeSet::new(), 0);
    for what in world.history() {
        match what {
            What::Gained { tp, .. } => gained += u64::from(held.insert(tp)),
            What::CommitSent { tp, .. } => assert!(held.contains(&tp), "{tp} was never gained"),
            _ => {}
        }
    }
    assert!(0 < gained);
}

#[tokio::test]
async fn a_wrong_bit_in_a_correlation_id_ends_the_connection_and_no_more() {
    through(Fault::new(Effect::Corrupt(2)).api(ApiKey::OffsetFetch), 1).await;
}

#[tokio::test]
async fn all_connections_of_one_client_can_be_cut() {
    let world = World::new().await;
    let member = world.join("m1", GroupProtocol::Consumer);
    for round in 0..5 {
        world.write(round * 30, 30).await;
        world.proxy.cut(Some("m1"), None);
        world.committed(i64::try_from(round * 30 + 30).unwrap()).await;
    }
    assert_eq!(member.handled(), values(150));
    member.leave().await;
    world.is_at_ease();
}
