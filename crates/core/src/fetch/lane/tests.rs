//! A lane's talk with a broker, answer by answer.

use bytes::Bytes;
use forebay_protocol::fetch_stream::{
    AbortedTransaction, BatchHead, CutBatches, DivergingEpoch, Format, LeaderHint as Hint,
    NodeEndpoint, PartialBatch, PartitionHead, PartitionTail, ResponseEnd, ResponseHead, Topic,
};
use forebay_protocol::records::batch::{BatchHeader, ProduceKind};
use forebay_protocol::records::builder::{BatchBuilder, NewRecord};
use forebay_protocol::records::codec::{Codec, Compressor};
use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, Position};

use super::*;
use crate::fence::{Fence, Gain, Start};
use crate::fetch::cursor::Via;
use crate::orders::ResetCause;
use crate::run::Watermarks;

const NOW: Instant = Instant::from_nanos(0);
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

fn cursor(slot: u32, position: i64) -> Cursor {
    Cursor {
        slot: Slot(slot),
        tp: TopicPartition::new("t", i32::try_from(slot).unwrap()),
        topic_id: Uuid([7; 16]),
        fence: Fence { gain: Gain(slot + 1), start: Start(0) },
        position: Position(position),
        position_epoch: LeaderEpoch::UNKNOWN,
        leader: Leader { broker: BrokerId(1), epoch: LeaderEpoch(3) },
        via: Via::Leader,
        watermarks: Watermarks::default(),
        rests_until: None,
    }
}

fn lane(slots: u32) -> Lane {
    let mut lane = Lane::new(Config::default());
    lane.handle_connected(18);
    (0..slots).for_each(|slot| lane.lend(cursor(slot, 0)));
    lane
}

fn head(partition: i32) -> PartitionHead {
    PartitionHead {
        topic: Topic::Id(Uuid([7; 16])),
        partition,
        error_code: 0,
        high_watermark: Position(1000),
        last_stable_offset: Position(900),
        log_start_offset: Offset(0),
        aborted_transactions: Vec::new(),
        preferred_read_replica: BrokerId(-1),
        records_len: 0,
    }
}

/// A batch as a broker stores it: base offset, records, and flags set behind the producer's back.
fn batch(base: i64, records: i64, flags: i16, producer_id: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..records.max(1) {
        let record = NewRecord { timestamp: 0, key: None, value: Some(b"value"), headers: &[] };
        builder.append(&record).unwrap();
    }
    let sealed =
        builder.seal(Codec::None, ProduceKind::Plain, &mut Compressor::default()).unwrap().unwrap();
    let mut bytes = sealed.bytes().to_vec();
    bytes[0..8].copy_from_slice(&base.to_be_bytes());
    bytes[12..16].copy_from_slice(&5_i32.to_be_bytes());
    bytes[21..23].copy_from_slice(&flags.to_be_bytes());
    bytes[43..51].copy_from_slice(&producer_id.to_be_bytes());
    if records == 0 {
        bytes[57..61].copy_from_slice(&0_i32.to_be_bytes());
    }
    bytes
}

/// Hands batches to the lane as a driver does.
fn arrive(lane: &mut Lane, batches: &[Vec<u8>]) {
    let mut heads = Vec::new();
    let mut start = 0;
    for batch in batches {
        let header = BatchHeader::read(batch).unwrap();
        let next = header.next_position();
        heads.push(BatchHead { start, size: batch.len(), next, format: Format::Batch(header) });
        start += batch.len();
    }
    let bytes: Bytes = batches.concat().into();
    let cut = CutBatches {
        base_offset: heads[0].base_offset(),
        next: heads[heads.len() - 1].next,
        count: heads.iter().map(|head| head.count().map(u64::from)).sum(),
        bytes: bytes.clone(),
    };
    lane.handle_batches(&cut, &bytes, &heads);
}

/// One whole response with batches for one partition.
fn respond(lane: &mut Lane, partition: i32, batches: &[Vec<u8>]) {
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    assert_eq!(lane.handle_partition(NOW, head(partition)), Records::Read);
    arrive(lane, batches);
    lane.handle_tail(&PartitionTail::default());
    lane.handle_response_end(&ResponseEnd::default());
}

fn refuse(lane: &mut Lane, partition: i32, code: i16, tail: &PartitionTail, end: &ResponseEnd) {
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    let head = PartitionHead { error_code: code, ..head(partition) };
    assert_eq!(lane.handle_partition(NOW, head), Records::Skip);
    lane.handle_tail(tail);
    lane.handle_response_end(end);
}

fn asked(plan: &FetchPlan) -> Vec<(i32, i64)> {
    let partitions = plan.topics.iter().flat_map(|topic| &topic.partitions);
    let mut asked: Vec<_> = partitions.map(|(p, asked)| (*p, asked.position.0)).collect();
    asked.sort_unstable();
    asked
}

#[test]
fn the_first_request_names_everything_and_later_ones_what_changed() {
    let mut lane = lane(3);
    let plan = lane.poll_request().unwrap();
    assert_eq!((plan.session_id, plan.session_epoch), (0, 0));
    assert_eq!(asked(&plan), [(0, 0), (1, 0), (2, 0)]);
    assert!(lane.poll_request().is_none(), "one request at a time");

    respond(&mut lane, 1, &[batch(0, 10, 0, -1)]);

    let plan = lane.poll_request().unwrap();
    assert_eq!((plan.session_id, plan.session_epoch), (9, 1));
    assert_eq!(asked(&plan), [(1, 10)]);
}

#[test]
fn a_run_carries_what_its_worker_and_its_shard_need() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 10, 0, -1), batch(10, 5, 0, -1)]);

    let runs = lane.take_runs();

    assert_eq!(runs.len(), 1, "neighbours travel as one");
    let run = &runs[0];
    assert_eq!((run.from, run.next, run.count), (Position(0), Position(15), Some(15)));
    assert_eq!((run.epoch, run.watermarks.high), (LeaderEpoch(5), Offset(1000)));
    assert_eq!(run.fence, cursor(0, 0).fence);
}

#[test]
fn held_slots_are_forgotten_and_asked_for_again_when_released() {
    let mut lane = lane(2);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 10, 0, -1)]);
    lane.flow(Slot(0), Flow::Hold);
    let plan = lane.poll_request().unwrap();
    assert_eq!((asked(&plan), plan.forgotten[0].partitions.clone()), (vec![], vec![0]));
    assert!(plan.max_wait < Duration::from_millis(500), "the held one may come back soon");
    respond(&mut lane, 1, &[batch(0, 1, 0, -1)]);

    lane.flow(Slot(0), Flow::Release);

    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 10), (1, 1)]);
}

#[test]
fn with_nothing_to_ask_for_nothing_is_asked() {
    let mut lane = lane(1);
    lane.flow(Slot(0), Flow::Hold);
    assert!(lane.poll_request().is_none());
    lane.flow(Slot(0), Flow::Release);
    assert!(lane.poll_request().is_some());
}

#[test]
fn control_aborted_and_empty_batches_are_left_out_and_covered() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    let aborted = vec![AbortedTransaction { producer_id: 7, first_offset: Offset(10) }];
    let head = PartitionHead { aborted_transactions: aborted, ..head(0) };
    assert_eq!(lane.handle_partition(NOW, head), Records::Read);
    arrive(
        &mut lane,
        &[
            batch(0, 10, TRANSACTIONAL, 7),
            batch(10, 5, TRANSACTIONAL, 7),
            batch(15, 2, TRANSACTIONAL, 8),
            batch(17, 1, TRANSACTIONAL | CONTROL, 7),
            batch(18, 3, 0, -1),
            batch(21, 0, 0, -1),
        ],
    );

    let runs = lane.take_runs();

    let spans: Vec<_> = runs.iter().map(|run| (run.from.0, run.next.0, run.count)).collect();
    assert_eq!(spans, [(0, 15, Some(10)), (15, 18, Some(2)), (18, 22, Some(3))]);
    assert!(runs.iter().all(|run| !run.is_empty()));
}

#[test]
fn a_response_of_nothing_but_markers_still_moves_the_position() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 1, CONTROL, 7), batch(1, 1, CONTROL, 8)]);

    let runs = lane.take_runs();

    assert_eq!(runs.len(), 1);
    assert!(runs[0].is_empty());
    assert_eq!((runs[0].from, runs[0].next), (Position(0), Position(2)));
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 2)]);
}

#[test]
fn batches_below_the_position_are_left_out() {
    let mut lane = lane(0);
    lane.lend(cursor(0, 12));
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 10, 0, -1), batch(10, 10, 0, -1)]);

    let runs = lane.take_runs();

    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].from, runs[0].next, runs[0].count), (Position(12), Position(20), Some(10)));
}

#[test]
fn what_arrives_for_a_recalled_slot_is_skipped() {
    let mut lane = lane(2);
    lane.poll_request().unwrap();
    assert_eq!(lane.recall(Slot(0)).unwrap().position, Position(0));
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    assert_eq!(lane.handle_partition(NOW, head(0)), Records::Skip);
    lane.handle_tail(&PartitionTail::default());
    lane.handle_response_end(&ResponseEnd::default());
    assert_eq!(lane.poll_request().unwrap().forgotten[0].partitions, [0]);
}

#[test]
fn what_was_asked_before_a_seek_does_not_count_after_it() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    drop(lane.recall(Slot(0)));
    lane.lend(cursor(0, 500));
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    assert_eq!(lane.handle_partition(NOW, head(0)), Records::Skip);
    lane.handle_tail(&PartitionTail::default());
    lane.handle_response_end(&ResponseEnd::default());
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 500)]);
}

#[test]
fn a_slot_that_stands_for_another_partition_makes_the_session_forget_the_first() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 1, 0, -1)]);
    drop(lane.recall(Slot(0)));
    let other = Cursor { tp: TopicPartition::new("t", 5), ..cursor(0, 1) };
    lane.lend(other);

    let plan = lane.poll_request().unwrap();

    assert_eq!((asked(&plan), plan.forgotten[0].partitions.clone()), (vec![(5, 1)], vec![0]));
}

#[test]
fn a_partition_that_comes_back_under_another_slot_is_asked_for_and_not_forgotten() {
    let mut lane = lane(2);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 1, 0, -1)]);
    // Both were given up and came back the other way round, one of them further on.
    drop((lane.recall(Slot(0)), lane.recall(Slot(1))));
    for (slot, partition) in [(0, 1), (1, 0)] {
        lane.lend(Cursor { slot: Slot(slot), ..cursor(partition, 7) });
    }
    let plan = lane.poll_request().unwrap();
    assert_eq!(asked(&plan), [(0, 7), (1, 7)]);
    assert!(plan.forgotten.is_empty(), "{:?}", plan.forgotten);
}

#[test]
fn a_cursor_that_is_to_rest_is_asked_for_when_it_has() {
    let mut lane = lane(1);
    let until = NOW.after(Duration::from_millis(50));
    lane.lend(Cursor { rests_until: Some(until), ..cursor(1, 7) });
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 0)]);
    respond(&mut lane, 0, &[batch(0, 1, 0, -1)]);
    assert_eq!(lane.poll_timeout(), Some(until));
    lane.handle_timeout(until);
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 1), (1, 7)]);
    // One that is called back in its rest leaves no timer behind.
    lane.lend(Cursor { rests_until: Some(until), ..cursor(2, 7) });
    let back = lane.recall(Slot(2)).unwrap();
    assert_eq!((back.rests_until, lane.poll_timeout()), (None, None));
}

#[test]
fn another_leader_is_told_with_its_address() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    let leader = Hint { leader: BrokerId(2), epoch: LeaderEpoch(4) };
    let tail = PartitionTail { current_leader: Some(leader), ..PartitionTail::default() };
    let node = NodeEndpoint { broker: BrokerId(2), host: "b2".to_owned(), port: 9092, rack: None };
    refuse(&mut lane, 0, 6, &tail, &ResponseEnd { node_endpoints: vec![node] });

    let (cursor, why) = lane.poll_returned().unwrap();

    assert_eq!(cursor.position, Position(0));
    let Returned::LeaderStale(Some(hint)) = why else { panic!("{why:?}") };
    assert_eq!(hint.leader.broker, BrokerId(2));
    assert_eq!(hint.address.unwrap().port, 9092);
    assert!(lane.is_empty());
}

#[test]
fn a_leader_that_is_told_is_not_forgotten_when_the_answer_breaks_behind_it() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    lane.handle_partition(NOW, PartitionHead { error_code: 6, ..head(0) });
    let leader = Hint { leader: BrokerId(2), epoch: LeaderEpoch(4) };
    lane.handle_tail(&PartitionTail { current_leader: Some(leader), ..PartitionTail::default() });
    assert!(lane.poll_returned().is_none(), "its address would stand at the end");

    lane.handle_disconnected();

    let (_, why) = lane.poll_returned().unwrap();
    let Returned::LeaderStale(Some(hint)) = why else { panic!("{why:?}") };
    assert_eq!((hint.leader.broker, hint.address), (BrokerId(2), None));
}

#[test]
fn a_position_outside_the_log_goes_back_for_a_reset() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    refuse(&mut lane, 0, 1, &PartitionTail::default(), &ResponseEnd::default());
    let (_, why) = lane.poll_returned().unwrap();
    assert!(matches!(why, Returned::NeedsReset(ResetCause::OutOfRange { .. })), "{why:?}");
}

#[test]
fn a_log_that_was_cut_behind_us_goes_back_for_a_reset() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    lane.handle_partition(NOW, head(0));
    let diverging = DivergingEpoch { epoch: LeaderEpoch(2), end_offset: Position(40) };
    lane.handle_tail(&PartitionTail {
        diverging_epoch: Some(diverging),
        ..PartitionTail::default()
    });
    let (_, why) = lane.poll_returned().unwrap();
    let expected = ResetCause::Truncated { end: Position(40), epoch: LeaderEpoch(2) };
    assert!(matches!(why, Returned::NeedsReset(cause) if cause == expected), "{why:?}");
}

#[test]
fn a_log_that_is_said_to_part_before_its_start_is_asked_for_again() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    lane.handle_partition(NOW, head(0));
    let diverging = DivergingEpoch { epoch: LeaderEpoch(2), end_offset: Position(-1) };
    lane.handle_tail(&PartitionTail {
        diverging_epoch: Some(diverging),
        ..PartitionTail::default()
    });
    lane.handle_response_end(&ResponseEnd::default());
    assert!(lane.poll_returned().is_none());
    assert!(lane.poll_request().is_some(), "and it goes on");
}

#[test]
fn an_error_that_passes_is_waited_for() {
    let mut lane = lane(2);
    lane.poll_request().unwrap();
    refuse(&mut lane, 0, -1, &PartitionTail::default(), &ResponseEnd::default());
    assert!(lane.poll_returned().is_none());
    let plan = lane.poll_request().unwrap();
    assert_eq!((asked(&plan), plan.forgotten[0].partitions.clone()), (vec![], vec![0]));
    respond(&mut lane, 1, &[batch(0, 1, 0, -1)]);
    let until = lane.poll_timeout().unwrap();
    lane.handle_timeout(until);
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 0), (1, 1)]);
}

#[test]
fn a_broken_session_starts_again_with_everything() {
    let mut lane = lane(2);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 1, 0, -1)]);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { error_code: 70, ..ResponseHead::default() });
    lane.handle_response_end(&ResponseEnd::default());

    let plan = lane.poll_request().unwrap();

    assert_eq!((plan.session_id, plan.session_epoch), (9, 0));
    assert_eq!(asked(&plan), [(0, 1), (1, 0)]);
}

#[test]
fn a_lost_connection_starts_again_with_everything_at_the_positions_reached() {
    let mut lane = lane(2);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 10, 0, -1)]);
    lane.poll_request().unwrap();
    lane.handle_disconnected();
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 10), (1, 0)]);
}

#[test]
fn a_batch_that_came_only_in_part_is_asked_for_whole() {
    let mut lane = lane(1);
    lane.set_share(1000);
    lane.flow(Slot(0), Flow::Release);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { session_id: 9, ..ResponseHead::default() });
    lane.handle_partition(NOW, PartitionHead { records_len: 1000, ..head(0) });
    let partial = PartialBatch { base_offset: Some(Offset(0)), size: Some(5_000_000) };
    lane.handle_tail(&PartitionTail { partial: Some(partial), ..PartitionTail::default() });
    lane.handle_response_end(&ResponseEnd::default());
    let plan = lane.poll_request().unwrap();
    assert!(5_000_000 <= plan.topics[0].partitions[0].1.max_bytes);
}

#[test]
fn old_versions_name_topics_and_open_no_session() {
    let mut lane = Lane::new(Config::default());
    lane.handle_connected(5);
    lane.lend(cursor(0, 3));
    let plan = lane.poll_request().unwrap();
    let message = plan.to_message(lane.config(), 5);
    assert_eq!((message.session_id, message.session_epoch), (0, -1));
    assert_eq!(&*message.topics[0].topic, "t");
    assert!(message.topics[0].topic_id.is_zero());
    assert_eq!(message.topics[0].partitions[0].current_leader_epoch, -1);
}

/// A lane to a broker whose Fetch cannot say where logs part, with one cursor at 20.
fn old_lane(epoch: i32) -> Lane {
    let mut lane = Lane::new(Config::default());
    lane.set_epochs(Epochs::Ask);
    lane.handle_connected(11);
    lane.lend(Cursor { position_epoch: LeaderEpoch(epoch), ..cursor(0, 20) });
    lane
}

fn end(code: i16, end: i64) -> Option<EpochEnd> {
    Some(EpochEnd { code, epoch: LeaderEpoch(1), end: Offset(end) })
}

#[test]
fn an_old_leader_is_asked_where_the_last_epoch_ended_before_anything_is_fetched() {
    let mut lane = old_lane(2);
    assert!(!lane.is_ready());
    let asks = lane.epoch_asks();
    assert_eq!((asks.len(), asks[0].position, asks[0].epoch), (1, Position(20), LeaderEpoch(2)));
    lane.handle_epoch(&asks[0], end(0, 20));
    assert!(lane.is_ready() && !lane.has_unchecked());
    assert!(lane.poll_request().is_some());

    lane.handle_connected(11);
    assert!(!lane.is_ready() && lane.has_unchecked(), "behind a new connection may be another log");
    lane.handle_connected(12);
    assert!(lane.is_ready(), "from version 12 on Fetch itself says where logs part");
}

#[test]
fn a_log_cut_behind_the_position_is_found_before_anything_of_it_is_fetched() {
    let mut lane = old_lane(2);
    let asks = lane.epoch_asks();
    lane.handle_epoch(&asks[0], end(0, 15));
    let (cursor, why) = lane.poll_returned().unwrap();
    assert_eq!(cursor.position, Position(20));
    let Returned::NeedsReset(ResetCause::Truncated { end, epoch }) = why else { panic!("{why:?}") };
    assert_eq!((end, epoch), (Position(15), LeaderEpoch(1)));
    assert!(!lane.is_ready() && !lane.has_unchecked());
}

#[test]
fn a_leader_that_cannot_tell_the_end_of_an_epoch_stops_nothing() {
    for answer in [end(0, -1), end(31, -1), end(35, -1), end(-1, -1), None] {
        let mut lane = old_lane(2);
        let asks = lane.epoch_asks();
        lane.handle_epoch(&asks[0], answer);
        assert!(lane.is_ready(), "{answer:?}");
        assert!(lane.poll_returned().is_none());
    }
    assert!(old_lane(-1).is_ready(), "and without an epoch there is nothing to ask");
    let mut lane = old_lane(2);
    let asks = lane.epoch_asks();
    lane.handle_epoch(&asks[0], end(6, -1));
    assert!(matches!(lane.poll_returned(), Some((_, Returned::LeaderStale(None)))));
}

#[test]
fn a_broker_that_keeps_telling_what_was_not_asked_for_gets_a_new_session_and_pauses() {
    let mut lane = lane(1);
    let mut pauses = Vec::new();
    let mut sessions = Vec::new();
    for _ in 0..9 {
        sessions.push(lane.poll_request().unwrap().session_epoch);
        lane.handle_response_head(&ResponseHead { throttle_ms: 0, error_code: 0, session_id: 5 });
        assert_eq!(lane.handle_partition(NOW, head(77)), Records::Skip);
        lane.handle_tail(&PartitionTail::default());
        lane.handle_response_end(&ResponseEnd::default());
        pauses.push(lane.take_throttle().as_millis());
    }
    assert_eq!(pauses, [0, 0, 50, 100, 200, 400, 800, 800, 800]);
    assert_eq!(sessions, [0, 1, 2, 0, 0, 0, 0, 0, 0]);
    lane.poll_request().unwrap();
    respond(&mut lane, 0, &[batch(0, 3, 0, -1)]);
    assert_eq!(lane.take_throttle(), Duration::ZERO, "what is of use ends the doubt");
}

#[test]
fn a_connection_lost_within_a_partition_goes_on_behind_the_batches_that_came() {
    let mut lane = lane(1);
    lane.poll_request().unwrap();
    lane.handle_response_head(&ResponseHead { throttle_ms: 0, error_code: 0, session_id: 5 });
    assert_eq!(lane.handle_partition(NOW, head(0)), Records::Read);
    arrive(&mut lane, &[batch(0, 3, 0, -1)]);
    lane.handle_disconnected();
    lane.handle_connected(18);
    assert_eq!(asked(&lane.poll_request().unwrap()), [(0, 3)]);
}

mod nearer;
