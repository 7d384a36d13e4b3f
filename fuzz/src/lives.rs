//! A consumer lives with two nodes that lie, err, fall silent and fall over as the bytes say: it
//! does not panic, does not ask in a loop, says why where it stops, and one that starts anew when
//! the nodes are themselves again reads all there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use forebay::net::connector::{Connecting, Connector, Stream};
use forebay::runtime::Placement;
use forebay::{
    Address, BrokerId, ClientConfig, Consumer, ConsumerConfig, ConsumerHandle, Context,
    OffsetReset, Record, TopicPartition,
};
use forebay_broker::{ApiKey, BatchBuilder, Broker, Cluster, Effect, ErrorCode, Fault, Options};

const GROUP: &str = "lives";
const PARTITIONS: i32 = 2;
/// Longer lives show nothing new and make the fuzzer slow.
const DEEDS: usize = 48;
/// How many requests a second one connection may carry.
const MOST: usize = 50;
const APIS: [ApiKey; 8] = [
    ApiKey::ApiVersions,
    ApiKey::Metadata,
    ApiKey::FindCoordinator,
    ApiKey::OffsetFetch,
    ApiKey::ListOffsets,
    ApiKey::Fetch,
    ApiKey::Fetch,
    ApiKey::OffsetCommit,
];

/// A byte for the seed, and three for each deed: which, and how.
///
/// # Panics
/// When the client loops, stops in silence, or does not find its way back.
pub fn check(data: &[u8]) {
    let Some((&seed, deeds)) = data.split_first() else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(live(seed.into(), deeds));
}

async fn live(seed: u64, deeds: &[u8]) {
    let options = Options::default().nodes(2).seed(seed);
    let broker = Arc::new(Broker::builder().options(options).start_in_memory());
    broker.with(|cluster| cluster.create_topic("t", PARTITIONS)).expect("a new topic");
    let count = Arc::new(AtomicI64::new(0));
    let (handle, run) = reader(&broker, "first", seed, &count);
    for deed in deeds.chunks_exact(3).take(DEEDS) {
        let wait = broker.with(|cluster| act(cluster, [deed[0], deed[1], deed[2]]));
        tokio::time::sleep(wait).await;
    }
    broker.with(heal);
    broker.with(|cluster| (0..PARTITIONS).for_each(|partition| append(cluster, partition, 1)));
    settle(&broker, || run.is_finished()).await;
    let summary = handle.close(Duration::from_secs(20)).await;
    for partition in summary.partitions.iter().filter(|_| summary.cause.is_none()) {
        // A lie about what is committed is believed: then there may be nothing left to do.
        let end = broker.with(|cluster| cluster.high_watermark(&partition.tp));
        let is_done = partition.frontier.map(|frontier| frontier.0) >= end;
        let is_well = is_done || is_committed(&broker, &partition.tp);
        assert!(is_well || partition.error.is_some(), "stopped in silence: {summary:?}");
    }
    no_loop(&broker);
    start_anew(&broker, seed).await;
}

/// One that starts when all is well sees all there is, once.
async fn start_anew(broker: &Arc<Broker>, seed: u64) {
    broker.with(|cluster| {
        (0..PARTITIONS).map(tp).for_each(|tp| cluster.commit(GROUP, &tp, 0, -1));
    });
    let count = Arc::new(AtomicI64::new(0));
    let (handle, run) = reader(broker, "second", seed, &count);
    settle(broker, || run.is_finished()).await;
    let summary = handle.close(Duration::from_secs(20)).await;
    assert!(summary.is_clean(), "{summary:?}");
    let kept: i64 = broker.with(|cluster| {
        let batches = (0..PARTITIONS).flat_map(|partition| cluster.batches(&tp(partition), 0));
        let heads = batches.filter_map(|batch| forebay_broker::Head::read(&batch));
        heads.map(|head| i64::from(head.record_count)).sum()
    });
    let gone = broker.with(|cluster| {
        (0..PARTITIONS).map(|partition| cluster.log_start(&tp(partition)).unwrap_or(0)).sum::<i64>()
    });
    let seen = count.load(Ordering::Relaxed);
    // The first batch that is kept may begin before the log's start.
    assert!(
        seen == kept || (0 < gone && kept - 20 * i64::from(PARTITIONS) <= seen),
        "{seen} {kept}"
    );
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn append(cluster: &mut Cluster, partition: i32, records: u8) {
    let batch = (0..records).fold(BatchBuilder::at_time(0), |batch, record| {
        batch.record(Some(&[record % 4]), Some(b"value"))
    });
    cluster.append(&tp(partition), &batch.build()).expect("room");
}

/// Does one deed and says how long to wait then.
fn act(cluster: &mut Cluster, [deed, one, other]: [u8; 3]) -> Duration {
    let (tp, node) = (tp(i32::from(one) % PARTITIONS), BrokerId(1 + i32::from(other) % 2));
    let api = APIS[usize::from(one) % APIS.len()];
    let times = 1 + u32::from(other) % 5;
    match deed % 16 {
        0 => append(cluster, tp.partition, 1 + other % 20),
        // A node that is down leads nothing.
        1 => drop(cluster.move_leader(&tp, node)),
        2 => cluster.move_coordinator(GROUP, node),
        3 => cluster.stop_node(node),
        4 => cluster.start_node(node),
        5 => cluster.freeze_node(node),
        6 => cluster.thaw_node(node),
        7 => cluster.script(Fault::new(Effect::Lies(other.into())).times(u32::from(one))),
        8 => cluster.script(Fault::new(error(other)).api(api).times(times)),
        9 => cluster.script(Fault::new(error(other)).api(api).partition(tp).times(times)),
        10 => cluster.script(Fault::new(spoiling(other)).api(api).times(times)),
        11 => cluster.truncate(&tp, i64::from(other)).expect("a partition"),
        12 => cluster.delete_records(&tp, i64::from(other)).expect("a partition"),
        13 => cluster.compact(&tp).expect("batches that can be read"),
        14 => cluster.evict_fetch_sessions(node),
        _ => return Duration::from_millis(40 + 20 * u64::from(one)),
    }
    Duration::from_millis(40)
}

fn error(code: u8) -> Effect {
    Effect::Error(ErrorCode(i16::from(code) - 1))
}

fn spoiling(how: u8) -> Effect {
    match how % 8 {
        0 => Effect::DropAnswer,
        1 => Effect::DoAndClose,
        2 => Effect::Close,
        3 => Effect::Cut(usize::from(how)),
        4 => Effect::Twice,
        5 => Effect::WrongCorrelationId,
        6 => Effect::Throttle(Duration::from_millis(u64::from(how) * 10)),
        _ => Effect::Delay(Duration::from_millis(u64::from(how) * 20)),
    }
}

fn heal(cluster: &mut Cluster) {
    cluster.clear_script();
    for node in [1, 2].map(BrokerId) {
        cluster.thaw_node(node);
        cluster.start_node(node);
    }
}

fn reader(
    broker: &Arc<Broker>,
    name: &str,
    seed: u64,
    count: &Arc<AtomicI64>,
) -> (ConsumerHandle, tokio::task::JoinHandle<()>) {
    let mut client = ClientConfig::from_servers(broker.bootstrap_servers()).expect("addresses");
    (client.client_id, client.seed) = (name.into(), Some(seed));
    let consumer = Consumer::builder()
        .config(ConsumerConfig { client, ..ConsumerConfig::default() })
        .group_id(GROUP)
        .assign((0..PARTITIONS).map(tp))
        .auto_offset_reset(OffsetReset::Earliest)
        .connector(Arc::new(Pipes(Arc::clone(broker))))
        .placement(Placement::Caller)
        .budget_bytes(4 << 20)
        .workers(1)
        .build()
        .expect("good settings");
    let (handle, count) = (consumer.handle(), Arc::clone(count));
    let run = tokio::spawn(async move {
        let work = move |_: Record, _: Context| {
            count.fetch_add(1, Ordering::Relaxed);
            async {}
        };
        // How it ended is told by its summary.
        drop(consumer.run(work).await);
    });
    (handle, run)
}

fn is_committed(broker: &Broker, tp: &TopicPartition) -> bool {
    broker.with(|cluster| {
        let committed = cluster.committed(GROUP, tp).map_or(0, |committed| committed.offset);
        committed == cluster.high_watermark(tp).unwrap_or(0)
    })
}

/// Waits until all is committed or the consumer has ended, for ten minutes. A log that was cut and
/// has grown again may end where the last commit stands: what holds for half a minute counts.
async fn settle(broker: &Broker, has_ended: impl Fn() -> bool) {
    let mut calm = 0;
    for _ in 0..600 {
        let is_all = (0..PARTITIONS).all(|partition| is_committed(broker, &tp(partition)));
        calm = if is_all { calm + 1 } else { 0 };
        if has_ended() || 30 < calm {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn no_loop(broker: &Broker) {
    let mut times: BTreeMap<_, Vec<Duration>> = BTreeMap::new();
    broker.with(|cluster| {
        cluster.requests().for_each(|seen| times.entry(seen.connection).or_default().push(seen.at));
    });
    for times in times.values() {
        let is_loop = |pair: &[Duration]| pair[MOST] - pair[0] < Duration::from_secs(1);
        assert!(!times.windows(MOST + 1).any(is_loop), "more than {MOST} requests in a second");
    }
}

/// Dials the broker through memory.
struct Pipes(Arc<Broker>);

impl std::fmt::Debug for Pipes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipes")
    }
}

impl Connector for Pipes {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        let dialled = self.0.dial(&address.host, address.port);
        Box::pin(async move { dialled.map(|pipe| Stream::Other(Box::new(pipe))) })
    }
}
