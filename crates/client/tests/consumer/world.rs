//! A broker in memory, a topic with records, and consumers that reach it through pipes.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use forebay::config::parse_addresses;
use forebay::net::connector::{Connecting, Connector, Stream};
use forebay::runtime::{Clock, Placement};
use forebay::{
    Address, Admin, ClientConfig, Consumer, ConsumerBuilder, ConsumerHandle, OffsetReset,
    TopicPartition,
};
use forebay_broker::{BatchBuilder, Broker, Release};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The group all consumers of these tests commit under.
pub const GROUP: &str = "tests";

pub struct World {
    pub broker: Arc<Broker>,
}

/// Dials the broker through memory.
struct Pipes(Arc<Broker>, Cable);

/// The way to the brokers, which can be pulled: nothing comes through then, in either direction.
#[derive(Clone, Debug, Default)]
pub struct Cable(Arc<std::sync::atomic::AtomicBool>);

impl Cable {
    pub fn pull(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    pub fn plug(&self) {
        self.0.store(false, std::sync::atomic::Ordering::Relaxed);
    }

    fn is_pulled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A pipe that a pulled cable cuts.
struct Cut<T>(T, Cable);

impl<T: AsyncRead + Unpin> AsyncRead for Cut<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.1.is_pulled() {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cut<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.1.is_pulled() {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl std::fmt::Debug for Pipes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipes")
    }
}

impl Connector for Pipes {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        let dialled = self.0.dial(&address.host, address.port);
        let cable = self.1.clone();
        Box::pin(async move {
            if cable.is_pulled() {
                return Err(std::io::ErrorKind::ConnectionRefused.into());
            }
            dialled.map(|pipe| Stream::Other(Box::new(Cut(pipe, cable))))
        })
    }
}

impl World {
    /// One node, and topic `t` with so many partitions.
    pub fn new(partitions: i32) -> Self {
        Self::with_nodes(1, partitions)
    }

    pub fn with_nodes(nodes: u16, partitions: i32) -> Self {
        Self::posing(Release::V4_4, nodes, partitions)
    }

    /// One node with these options, and topic `t`.
    pub fn of(options: forebay_broker::Options, partitions: i32) -> Self {
        let broker = Arc::new(Broker::builder().options(options).start_in_memory());
        broker.with(|cluster| cluster.create_topic("t", partitions).unwrap());
        Self { broker }
    }

    /// As an older release.
    pub fn posing(release: Release, nodes: u16, partitions: i32) -> Self {
        let broker = Broker::builder().nodes(nodes).pose_as(release).start_in_memory();
        let broker = Arc::new(broker);
        broker.with(|cluster| cluster.create_topic("t", partitions).unwrap());
        Self { broker }
    }

    /// Appends `batches` batches of `records` records to a partition; values are their offsets.
    pub fn fill(&self, partition: i32, batches: i64, records: i64) {
        let mut offset = self.end(partition);
        for _ in 0..batches {
            let mut batch = BatchBuilder::at_time(1_700_000_000_000);
            for _ in 0..records {
                batch = batch.record(Some(b"key"), Some(offset.to_string().as_bytes()));
                offset += 1;
            }
            self.append(partition, &batch.build());
        }
    }

    pub fn append(&self, partition: i32, batch: &bytes::Bytes) {
        self.broker.with(|cluster| cluster.append(&tp(partition), batch).unwrap());
    }

    /// A consumer of all partitions, from the beginning, under [`GROUP`].
    pub fn consumer(&self, partitions: i32) -> ConsumerBuilder {
        Consumer::builder()
            .bootstrap_servers(self.broker.bootstrap_servers())
            .group_id(GROUP)
            .assign((0..partitions).map(tp))
            .auto_offset_reset(OffsetReset::Earliest)
            .connector(Arc::new(Pipes(Arc::clone(&self.broker), Cable::default())))
            .placement(Placement::Caller)
            .budget_bytes(64 << 20)
            .workers(1)
    }

    /// A member of [`GROUP`] that shares topic `t`.
    pub fn member(&self) -> ConsumerBuilder {
        self.member_on(&Cable::default())
    }

    /// A member whose way to the brokers can be cut.
    pub fn member_on(&self, cable: &Cable) -> ConsumerBuilder {
        Consumer::builder()
            .bootstrap_servers(self.broker.bootstrap_servers())
            .group_id(GROUP)
            .topics(["t"])
            .auto_offset_reset(OffsetReset::Earliest)
            .connector(Arc::new(Pipes(Arc::clone(&self.broker), cable.clone())))
            .placement(Placement::Caller)
            .budget_bytes(64 << 20)
            .workers(1)
    }

    /// An admin client of the same broker.
    pub fn admin(&self) -> Admin {
        let bootstrap_servers = parse_addresses(self.broker.bootstrap_servers()).unwrap();
        let config = ClientConfig { bootstrap_servers, ..ClientConfig::default() };
        let pipes = Pipes(Arc::clone(&self.broker), Cable::default());
        Admin::with_connector(&config, Arc::new(pipes), Clock::virtual_time()).unwrap()
    }

    pub fn end(&self, partition: i32) -> i64 {
        self.broker.with(|cluster| cluster.high_watermark(&tp(partition))).unwrap_or(0)
    }

    pub fn committed(&self, partition: i32) -> Option<i64> {
        self.broker.with(|cluster| {
            cluster.committed(GROUP, &tp(partition)).map(|committed| committed.offset)
        })
    }

    /// Waits until everything of all partitions is committed.
    pub async fn all_committed(&self, partitions: i32) {
        let is_done = || {
            (0..partitions).all(|partition| self.committed(partition) == Some(self.end(partition)))
        };
        if tokio::time::timeout(Duration::from_secs(280), until(is_done)).await.is_err() {
            let committed: Vec<_> =
                (0..partitions).map(|it| (self.committed(it), self.end(it))).collect();
            panic!("not all is committed: {committed:?}");
        }
    }
}

pub fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

/// Waits, up to five virtual minutes, until something is so.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen in five minutes");
}

/// What handlers saw, in the order in which they saw it.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<BTreeMap<i32, Vec<i64>>>>);

impl Seen {
    pub fn note(&self, partition: i32, offset: i64) {
        self.0.lock().unwrap().entry(partition).or_default().push(offset);
    }

    pub fn of(&self, partition: i32) -> Vec<i64> {
        self.0.lock().unwrap().get(&partition).cloned().unwrap_or_default()
    }

    /// How many records were seen more than once.
    pub fn repeated(&self) -> usize {
        let all = self.0.lock().unwrap();
        let repeated = |offsets: &Vec<i64>| {
            offsets.len() - offsets.iter().collect::<std::collections::BTreeSet<_>>().len()
        };
        all.values().map(repeated).sum()
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().values().map(Vec::len).sum()
    }
}

/// Shuts down and expects a clean end.
pub async fn close(handle: &ConsumerHandle) {
    let summary = handle.close(Duration::from_secs(20)).await;
    assert!(summary.is_clean(), "{summary:?}");
}
