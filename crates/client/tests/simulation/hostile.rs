//! A life among liars: no panic, no hot loop, and health returns when the broker does.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use forebay::{Producer, ProducerRecord};
use forebay_broker::{ApiKey, ConnectionId, Effect, Fault, Seen as Request};

use crate::faults::disturb;
use crate::world::{PARTITIONS, Reader, Seen, World, tp, until, virtual_time};

/// How many lives are lived by the test; `FOREBAY_LIVES=first..last` lives others.
const LIVES: Range<u64> = 0..200;
/// How many requests a second one connection may carry, whatever the broker says.
const MOST: usize = 50;

thread_local! {
    /// Panics of this thread: those of background tasks would be seen by nobody.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.set(PANICS.get() + 1);
        before(panic);
    }));
}

/// What became of a client that lived among liars.
#[derive(Debug, Default)]
struct Life {
    is_reader_well: bool,
    is_writer_well: bool,
    busiest: Busiest,
}

async fn live(seed: u64) -> Life {
    let (world, seen) = (World::new(seed), Seen::default());
    let lies = Fault::new(Effect::Lies(seed)).times(u32::MAX);
    world.broker.with(|cluster| cluster.script(lies));
    let reader = world.reader("reader", 0..PARTITIONS, &seen);
    let producer = world.producer();
    tokio::join!(write(&world, &producer, 300), disturb(&world, seed, 20));
    // The broker is honest again. A partition may have stopped for a reason that was named; then a
    // client that starts anew must find its way.
    let is_writer_well = is_writer_well(&producer).await;
    let is_reader_well = is_reader_well(&world, reader).await;
    drop(producer);
    well_again(&world).await;
    let busiest = world.broker.with(|cluster| busiest(cluster.requests()));
    Life { is_reader_well, is_writer_well, busiest }
}

/// Writes by hand and through the producer, whose records may be lost to errors.
async fn write(world: &World, producer: &Producer, records: i32) {
    for number in 0..records {
        let value = number.to_string();
        world.append(number % PARTITIONS, &value);
        if number % 7 == 0 {
            let record = ProducerRecord::new("t", value.as_bytes()).partition(number % PARTITIONS);
            // What a liar makes of it is checked by those who are well in the end.
            drop(tokio::time::timeout(Duration::from_millis(50), producer.send(record)).await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the producer delivers again, or says why not.
async fn is_writer_well(producer: &Producer) -> bool {
    let delivered = async {
        for _ in 0..100 {
            let record = ProducerRecord::new("t", b"after").partition(0);
            if let Ok(receipt) = producer.send(record).await
                && receipt.delivered().await.is_ok()
            {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    };
    let limit = Duration::from_mins(20);
    tokio::time::timeout(limit, delivered).await.expect("a producer that neither sends nor errs")
}

/// Whether the consumer goes on in every partition; one that does not must say why.
async fn is_reader_well(world: &World, reader: Reader) -> bool {
    (0..PARTITIONS).for_each(|partition| world.append(partition, "after"));
    for _ in 0..600 {
        if world.is_all_committed() || reader.has_ended() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let is_well = world.is_all_committed();
    let summary = reader.end().await;
    if summary.cause.is_none() && !is_well {
        for partition in &summary.partitions {
            let is_committed = world.is_committed(partition.tp.partition);
            assert!(is_committed || partition.error.is_some(), "stuck in silence: {summary:?}");
        }
    }
    is_well
}

/// A new consumer and a new producer work as if nothing had been.
async fn well_again(world: &World) {
    let seen = Seen::default();
    // What was committed among lies may be anything.
    world.forget_commits();
    let reader = world.reader("newcomer", 0..PARTITIONS, &seen);
    let producer = world.producer();
    for partition in 0..PARTITIONS {
        let record = ProducerRecord::new("t", b"newcomer").partition(partition);
        producer.send(record).await.unwrap().delivered().await.unwrap();
    }
    until("a newcomer is well", || world.is_all_committed()).await;
    reader.close().await;
    let seen = Arc::clone(&seen);
    let seen = seen.lock().unwrap();
    for partition in 0..PARTITIONS {
        let end = world.broker.with(|cluster| cluster.high_watermark(&tp(partition))).unwrap();
        assert_eq!(i64::try_from(seen[&partition].len()), Ok(end), "each record once");
    }
}

/// The second in which one connection carried the most requests: whose, how many, and which.
#[derive(Debug, Default)]
struct Busiest {
    count: usize,
    at: Duration,
    #[allow(dead_code, reason = "told when the test fails")]
    client: Option<String>,
    #[allow(dead_code, reason = "told when the test fails")]
    apis: BTreeMap<ApiKey, usize>,
}

fn busiest<'a>(requests: impl Iterator<Item = &'a Request>) -> Busiest {
    let mut by_connection: BTreeMap<ConnectionId, Vec<&Request>> = BTreeMap::new();
    for request in requests {
        by_connection.entry(request.connection).or_default().push(request);
    }
    let mut busiest = Busiest::default();
    for requests in by_connection.values() {
        for (first, request) in requests.iter().enumerate() {
            let end = request.at + Duration::from_secs(1);
            let within = &requests[first..];
            let within = &within[..within.partition_point(|later| later.at < end)];
            if within.len() > busiest.count {
                let mut apis = BTreeMap::new();
                within.iter().for_each(|request| *apis.entry(request.api).or_default() += 1);
                let client = request.client_id.clone();
                busiest = Busiest { count: within.len(), at: request.at, client, apis };
            }
        }
    }
    busiest
}

fn lives() -> Range<u64> {
    let asked = std::env::var("FOREBAY_LIVES").ok();
    let asked = asked.as_deref().and_then(|text| text.split_once(".."));
    asked.map_or(LIVES, |(first, last)| first.parse().unwrap()..last.parse().unwrap())
}

/// Lives one after another; how many consumers and producers went on without help.
fn live_all(seeds: impl Iterator<Item = u64>) -> (usize, usize) {
    let (mut readers, mut writers) = (0, 0);
    for seed in seeds {
        println!("life {seed}");
        let life = virtual_time(live(seed));
        assert_eq!(PANICS.get(), 0, "life {seed}");
        let most = &life.busiest;
        assert!(most.count <= MOST, "life {seed}: within a second from {:?} on, {most:?}", most.at);
        readers += usize::from(life.is_reader_well);
        writers += usize::from(life.is_writer_well);
    }
    (readers, writers)
}

#[test]
fn among_liars_no_client_panics_or_loops_and_health_returns_with_the_broker() {
    count_panics();
    let (even, odd) = (lives().step_by(2), lives().skip(1).step_by(2));
    let (here, there) = std::thread::scope(|scope| {
        let there = scope.spawn(|| live_all(odd));
        (live_all(even), there.join().unwrap())
    });
    let (readers, writers) = (here.0 + there.0, here.1 + there.1);
    println!("{readers} consumers and {writers} producers went on");
    // A lie may well be a reason to stop; that all stop would be too few lives worth the name.
    let count = lives().count();
    assert!(count < 100 || (count <= readers * 10 && count <= writers * 2));
}
