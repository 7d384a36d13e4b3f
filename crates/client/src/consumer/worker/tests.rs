//! A worker alone: jobs in, progress out.

use std::sync::Mutex;

use forebay_core::fence::{Fence, Gain, Start};
use forebay_core::run::{BatchRun, BlockNumber, Done, Ended, Watermarks};
use forebay_protocol::records::batch::ProduceKind;
use forebay_protocol::records::builder::{BatchBuilder, NewRecord};
use forebay_protocol::records::codec::{Codec, Compressor};
use forebay_protocol::types::{LeaderEpoch, Position, TopicPartition};

use super::super::handler::Context;
use super::super::lease::Lease;
use super::super::record::Record;
use super::*;

const SLOT: Slot = Slot(2);

/// A batch of `records` records from `base` on.
fn batch(codec: Codec, base: i64, records: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 20);
    for offset in base..base + records {
        let value = offset.to_string();
        let value = Some(value.as_bytes());
        builder.append(&NewRecord { timestamp: 7, key: None, value, headers: &[] }).unwrap();
    }
    let sealed =
        builder.seal(codec, ProduceKind::Plain, &mut Compressor::default()).unwrap().unwrap();
    let mut bytes = sealed.bytes().to_vec();
    bytes[0..8].copy_from_slice(&base.to_be_bytes());
    bytes
}

fn job(block: u64, from: i64, batches: &[Vec<u8>], next: i64) -> Job {
    let run = BatchRun {
        slot: SLOT,
        fence: Fence { gain: Gain(1), start: Start(0) },
        from: Position(from),
        next: Position(next),
        epoch: LeaderEpoch(0),
        bytes: batches.concat().into(),
        watermarks: Watermarks::default(),
        count: None,
    };
    Job { run, block: BlockNumber(block) }
}

struct Bench {
    inbox: link::Sender<ToWorker>,
    progress: link::Receiver<Vec<Progress>>,
    lease: Lease,
}

/// A worker under test, and what it is told and tells.
fn start<H>(order: Order, policy: FailurePolicy, handler: H) -> Bench
where
    H: Handler<Record> + Send + Sync + 'static,
    H::Future: Send,
{
    start_by(Clock::virtual_time(), Validity::default(), (order, policy, handler))
}

/// The same by a clock and under a membership.
fn start_by<H>(
    clock: Clock,
    validity: Validity,
    (order, policy, handler): (Order, FailurePolicy, H),
) -> Bench
where
    H: Handler<Record> + Send + Sync + 'static,
    H::Future: Send,
{
    let (inbox, inbox_rx) = link::channel();
    let (progress_tx, progress) = link::channel();
    let setup = Setup {
        order,
        concurrency: 8,
        policy,
        budget: Budget::new(64 << 20),
        clock,
        validity,
        flush_every: Duration::from_millis(100),
        inbox: inbox_rx,
        progress: progress_tx,
    };
    tokio::spawn(Worker::<Record, H>::new(Arc::new(handler), setup));
    let partition = Arc::new(Partition::new(TopicPartition::new("t", 0)));
    inbox.send(ToWorker::Gained(SLOT, partition));
    Bench { inbox, progress, lease: Lease::grant(None) }
}

impl Bench {
    fn send(&self, jobs: Vec<Job>) {
        let leased = self.lease.leased();
        self.inbox.send(ToWorker::Jobs(jobs.into_iter().map(|job| (job, leased)).collect()));
    }

    /// The next words, up to and including the end of `block`.
    async fn until_end_of(&mut self, block: u64) -> Vec<Progress> {
        let mut words = Vec::new();
        loop {
            words.extend(self.progress.recv().await.unwrap());
            let is_end = |word: &Progress| {
                word.block == BlockNumber(block) && !matches!(word.done, Done::UpTo(_))
            };
            if words.iter().any(is_end) {
                return words;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_in_the_middle_of_a_batch_starts_no_further_record_of_it() {
    let (hands, clock) = crate::runtime::Hands::clock();
    let session = Duration::from_secs(45);
    let validity = Validity::default();
    validity.set(forebay_core::time::Instant::default().after(session));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let handler = move |record: Record, _: Context| {
        noted.lock().unwrap().push(record.offset().0);
        if record.offset().0 == 3 {
            hands.pass(2 * session);
            hands.run(Duration::from_millis(20));
        }
        async {}
    };
    let setting = (Order::Partition, FailurePolicy::default(), handler);
    let mut bench = start_by(clock, validity.clone(), setting);
    bench.send(vec![job(0, 0, &[batch(Codec::None, 0, 10)], 10)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3]);

    // The group still knows us: the rest of the batch follows.
    validity.set(forebay_core::time::Instant::default().after(4 * session));
    bench.until_end_of(0).await;
    assert_eq!(*seen.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn every_codec_is_unpacked_and_walked() {
    for codec in Codec::ALL {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let mut bench =
            start(Order::Partition, FailurePolicy::default(), move |record: Record, _: Context| {
                assert_eq!(record.value().unwrap(), record.offset().0.to_string().as_bytes());
                assert_eq!(record.timestamp(), 7);
                noted.lock().unwrap().push(record.offset().0);
                async {}
            });
        // The first batch begins before what is wanted.
        bench.send(vec![job(0, 3, &[batch(codec, 0, 10), batch(codec, 10, 5)], 15)]);
        let words = bench.until_end_of(0).await;
        assert_eq!(words.last().unwrap().done, Done::All, "{codec}");
        assert_eq!(*seen.lock().unwrap(), (3..15).collect::<Vec<_>>(), "{codec}");
    }
}

#[tokio::test(start_paused = true)]
async fn unfinished_work_is_told_up_to_the_oldest_record_that_runs() {
    let mut bench = start(
        Order::Unordered,
        FailurePolicy::default(),
        |record: Record, _: Context| async move {
            let wait = if record.offset().0 == 4 { 10 } else { 0 };
            tokio::time::sleep(Duration::from_secs(wait)).await;
        },
    );
    bench.send(vec![job(0, 0, &[batch(Codec::None, 0, 20)], 20)]);
    let words = bench.until_end_of(0).await;
    assert_eq!(words.first().unwrap().done, Done::UpTo(Position(4)));
    assert_eq!(words.last().unwrap().done, Done::All);
    assert_eq!(words.len(), 2, "it is told once: {words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_drained_lets_go_of_what_has_not_started() {
    let mut bench =
        start(Order::Partition, FailurePolicy::default(), |_: Record, _: Context| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
    bench.send(vec![
        job(0, 0, &[batch(Codec::None, 0, 10)], 10),
        job(1, 10, &[batch(Codec::None, 10, 10)], 20),
    ]);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    bench.lease.drain();
    bench.inbox.send(ToWorker::Look(SLOT));
    let words = bench.until_end_of(0).await;
    let ends: Vec<_> = words.iter().filter(|word| !matches!(word.done, Done::UpTo(_))).collect();
    assert_eq!(ends.len(), 2);
    let at = |word: &Progress| {
        let Done::Ended { at, why: Ended::Released } = &word.done else { panic!("{word:?}") };
        at.0
    };
    assert_eq!((at(ends[0]), at(ends[1])), (10, 3), "the third record was running and is done");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_gone_takes_its_handlers_with_it() {
    let guard = Arc::new(());
    let held = Arc::clone(&guard);
    let bench = start(Order::Partition, FailurePolicy::default(), move |_: Record, _: Context| {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    });
    bench.send(vec![job(0, 0, &[batch(Codec::None, 0, 10)], 10)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(Arc::strong_count(&guard), 3, "one in the handler, one in its run");
    bench.inbox.send(ToWorker::Gone(SLOT));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(Arc::strong_count(&guard), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_is_a_bad_batch_and_what_came_before_it_is_done() {
    let mut damaged = batch(Codec::None, 10, 10);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let mut bench =
        start(Order::Partition, FailurePolicy::default(), |_: Record, _: Context| async {});
    bench.send(vec![job(0, 0, &[batch(Codec::None, 0, 10), damaged], 20)]);
    let words = bench.until_end_of(0).await;
    let Done::Ended { at, why: Ended::BadBatch { base, last, .. } } = &words.last().unwrap().done
    else {
        panic!("{words:?}")
    };
    assert_eq!((at.0, base.0, last.0), (10, 10, 19));
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_records_do_not_unpack_stops_its_partition() {
    let mut bytes = batch(Codec::Lz4, 0, 50);
    // Damages the packed records and makes the checksum fit again.
    let middle = bytes.len() - 20;
    bytes[middle..].fill(0xff);
    let crc = crc_of(&bytes);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    let mut bench =
        start(Order::Partition, FailurePolicy::default(), |_: Record, _: Context| async {});
    bench.send(vec![job(0, 0, &[bytes], 50)]);
    let words = bench.until_end_of(0).await;
    let done = &words.last().unwrap().done;
    assert!(matches!(done, Done::Ended { why: Ended::Fault(_), .. }), "{done:?}");
}

/// CRC-32C bit by bit, too simple to be wrong.
fn crc_of(batch: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in &batch[21..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}
