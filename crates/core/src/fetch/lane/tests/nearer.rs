//! Leaders that name a replica in our rack.

use super::*;

fn name(lane: &mut Lane, now: Instant, replica: i32) {
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    let head = PartitionHead { preferred_read_replica: BrokerId(replica), ..head(0) };
    lane.handle_partition(now, head);
    lane.handle_tail(&PartitionTail::default());
    lane.handle_response_end(&ResponseEnd::default());
}

#[test]
fn a_cursor_goes_where_its_leader_says_for_as_long_as_metadata_is_believed() {
    let mut lane = lane(1);
    name(&mut lane, NOW, 2);
    let (cursor, why) = lane.poll_returned().unwrap();
    let expected = NOW.after(lane.config().nearer_for);
    assert!(
        matches!(why, Returned::Nearer { broker: BrokerId(2), until } if until == expected),
        "{why:?}"
    );
    assert_eq!(cursor.position, Position(0));
    assert_eq!(cursor.watermarks.high, Offset(1000), "what the leader told is kept");
}

#[test]
fn a_leader_that_names_a_replica_of_no_use_again_is_asked_again_after_a_rest() {
    let mut lane = lane(0);
    lane.lend(Cursor { via: Via::LeaderAgain, ..cursor(0, 0) });
    name(&mut lane, NOW, 2);
    assert!(lane.poll_returned().is_none() && !lane.is_ready());
    let over = lane.poll_timeout().unwrap();
    lane.handle_timeout(over);
    name(&mut lane, over, 2);
    assert!(matches!(lane.poll_returned(), Some((_, Returned::Nearer { .. }))));
}

#[test]
fn a_replica_that_names_another_and_a_leader_that_names_itself_are_read() {
    let mut lane = lane(0);
    lane.lend(Cursor { via: Via::Replica, ..cursor(0, 0) });
    name(&mut lane, NOW, 3);
    lane.lend(cursor(0, 0));
    name(&mut lane, NOW, 1);
    assert!(lane.poll_returned().is_none());
}

#[test]
fn a_replica_is_not_asked_where_an_epoch_ended_which_only_leaders_know() {
    let mut lane = Lane::new(Config::default());
    lane.set_epochs(Epochs::Ask);
    lane.handle_connected(11);
    let known = Cursor { position_epoch: LeaderEpoch(2), ..cursor(0, 5) };
    lane.lend(Cursor { via: Via::Replica, ..known.clone() });
    assert!(!lane.has_unchecked() && lane.is_ready());
    lane.lend(known);
    assert!(lane.has_unchecked());
}
