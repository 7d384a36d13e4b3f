//! A replica that the leader named: who is asked, for how long, and what its word counts.

use super::*;
use crate::fetch::cursor::Via;

const REPLICA: BrokerId = BrokerId(2);
const UNTIL: Instant = Instant::from_nanos(1_000_000_000);

fn named() -> Returned {
    Returned::Nearer { broker: REPLICA, until: UNTIL }
}

/// Whose lanes got a cursor.
fn lent_to(outputs: &[Output]) -> Vec<(BrokerId, Cursor)> {
    let lent = |output: &Output| match output {
        Output::Lane(broker, LaneOrder::Lend(cursor)) => Some((*broker, cursor.clone())),
        _ => None,
    };
    outputs.iter().filter_map(lent).collect()
}

/// The cursor of a partition whose leader named a replica.
fn near() -> (Shard, Cursor) {
    let (mut shard, cursor) = with_one();
    shard.handle_returned(NOW, cursor, named());
    let (broker, cursor) = lent_to(&outputs(&mut shard)).remove(0);
    assert_eq!((broker, cursor.via), (REPLICA, Via::Replica));
    assert_eq!(cursor.leader, leader(BROKER), "whose epoch the replica is told");
    (shard, cursor)
}

#[test]
fn the_leader_is_asked_again_when_the_time_of_a_replica_is_over() {
    let (mut shard, cursor) = near();
    assert!(shard.poll_timeout().is_some_and(|at| at <= UNTIL));
    shard.handle_timeout(UNTIL);
    let said = outputs(&mut shard);
    let recalled = |it: &Output| matches!(it, Output::Lane(REPLICA, LaneOrder::Recall(_)));
    assert!(said.iter().any(recalled), "{said:?}");
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    let (broker, cursor) = lent_to(&outputs(&mut shard)).remove(0);
    assert_eq!((broker, cursor.via), (BROKER, Via::Leader));
}

#[test]
fn what_a_replica_lacks_is_asked_of_the_leader_and_nothing_is_reported() {
    let out_of_range = ResetCause::OutOfRange { log_start: Offset(-1), high_watermark: Offset(-1) };
    for why in [Returned::NeedsReset(out_of_range), Returned::LeaderStale(None)] {
        let (mut shard, cursor) = near();
        shard.handle_returned(NOW, cursor, why);
        let said = outputs(&mut shard);
        let (broker, cursor) = lent_to(&said).remove(0);
        assert_eq!((broker, cursor.via), (BROKER, Via::LeaderAgain));
        assert_eq!(reports(said).len(), 0);
        // The leader's own word counts.
        shard.handle_returned(NOW, cursor, Returned::NeedsReset(out_of_range));
        let said = reports(outputs(&mut shard));
        assert!(matches!(said.as_slice(), [Report::NeedsReset { .. }]), "{said:?}");
    }
}

#[test]
fn what_a_replica_forbids_or_breaks_counts_as_from_a_leader() {
    let (mut shard, cursor) = near();
    shard.handle_returned(NOW, cursor, Returned::Denied);
    let said = reports(outputs(&mut shard));
    assert!(matches!(said.as_slice(), [Report::Denied { .. }]), "{said:?}");
    let (mut shard, cursor) = near();
    let fault = Fault::Broker { code: 35 };
    shard.handle_returned(NOW, cursor, Returned::Fault(fault));
    let said = reports(outputs(&mut shard));
    assert!(matches!(said.as_slice(), [Report::Stopped { .. }]), "{said:?}");
}

#[test]
fn a_replica_whose_lane_is_down_is_left_and_no_leader_is_doubted() {
    let (mut shard, cursor) = near();
    shard.handle_lane_down(REPLICA);
    let said = outputs(&mut shard);
    assert!(said.iter().any(|it| matches!(it, Output::Lane(REPLICA, LaneOrder::Recall(_)))));
    assert_eq!(reports(said).len(), 0);
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    let (broker, cursor) = lent_to(&outputs(&mut shard)).remove(0);
    assert_eq!((broker, cursor.via), (BROKER, Via::LeaderAgain));
}

#[test]
fn a_new_leader_is_asked_itself() {
    let (mut shard, cursor) = near();
    let order = Order::Leader { tp: tp(0), gain: Gain(1), leader: Some(leader(BrokerId(3))) };
    shard.handle_order(NOW, order);
    outputs(&mut shard);
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    let (broker, cursor) = lent_to(&outputs(&mut shard)).remove(0);
    assert_eq!((broker, cursor.via), (BrokerId(3), Via::Leader));
}

#[test]
fn a_seek_goes_on_at_the_replica() {
    let (mut shard, cursor) = near();
    let (tp, position_epoch) = (tp(0), LeaderEpoch::UNKNOWN);
    let seek = Order::Seek { tp, gain: Gain(1), seeks: 1, position: Position(7), position_epoch };
    shard.handle_order(NOW, seek);
    outputs(&mut shard);
    shard.handle_returned(NOW, cursor, Returned::Recalled);
    let (broker, cursor) = lent_to(&outputs(&mut shard)).remove(0);
    assert_eq!((broker, cursor.position), (REPLICA, Position(7)));
}
