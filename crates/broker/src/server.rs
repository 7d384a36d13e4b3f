//! Runs a cluster for real: one task per connection, one for the clock. It decides nothing.

mod connection;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::cluster::{Cluster, Output};
use crate::connection::ConnectionId;
use crate::options::Options;
use crate::versions::Release;
use forebay_protocol::types::BrokerId;

pub(crate) use connection::serve;

/// A running cluster. Dropping it ends it at once; [`Broker::shutdown`] waits until it has ended.
pub struct Broker {
    shared: Arc<Shared>,
    bootstrap: String,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

/// How a [`Broker`] is started.
#[derive(Clone, Debug)]
pub struct Builder {
    options: Options,
    port: u16,
    has_wall_clock: bool,
}

impl Builder {
    /// How many nodes there are. Default 1.
    #[must_use]
    pub fn nodes(mut self, nodes: u16) -> Self {
        self.options = self.options.nodes(nodes);
        self
    }

    /// On which port the first node listens; the others follow. Default 0: any free ports.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How many bytes of records are kept, in bytes. Default 1 GiB. See [`Options::memory`].
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.options = self.options.memory(bytes);
        self
    }

    /// Which Kafka it behaves as. Default: the newest.
    #[must_use]
    pub fn pose_as(mut self, release: Release) -> Self {
        self.options = self.options.pose_as(release);
        self
    }

    /// Lets clients create topics by asking for them. Default: no. See [`Options::auto_create`].
    #[must_use]
    pub fn auto_create(mut self, partitions: i32) -> Self {
        self.options = self.options.auto_create(partitions);
        self
    }

    /// All that can be chosen, in place of what was chosen so far; also the wall clock, which is
    /// today's else.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self.has_wall_clock = true;
        self
    }

    /// Starts to listen on loopback, on the current Tokio runtime.
    ///
    /// Not cancel safe: a start that is dropped half-way may have listened for a moment.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn start(self) -> std::io::Result<Broker> {
        let port = self.port;
        let mut broker = self.start_in_memory();
        let mut addresses = Vec::new();
        let ids: Vec<_> = broker.with(|cluster| cluster.nodes.keys().copied().collect());
        for (offset, id) in (0u16..).zip(ids) {
            let wanted = if port == 0 { 0 } else { port.saturating_add(offset) };
            let listener = crate::tcp::listen((Ipv4Addr::LOCALHOST, wanted)).await?;
            let bound = listener.local_addr()?;
            broker.with(|cluster| cluster.set_address(id, &bound.ip().to_string(), bound.port()));
            addresses.push(bound.to_string());
            broker.tasks.spawn(crate::tcp::accept(listener, id, Arc::clone(&broker.shared)));
        }
        broker.bootstrap = addresses.join(",");
        Ok(broker)
    }

    /// Starts without sockets, on the current Tokio runtime: connect with [`Broker::dial`]. Under
    /// Tokio's paused clock all of it runs in virtual time.
    #[must_use]
    pub fn start_in_memory(self) -> Broker {
        let mut options = self.options;
        if !self.has_wall_clock {
            let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            options = options.wall_clock(i64::try_from(today.as_millis()).unwrap_or_default());
        }
        let cluster = Cluster::new(options);
        let bootstrap = cluster.nodes.values().map(|node| format!("{}:{}", node.host, node.port));
        let bootstrap = bootstrap.collect::<Vec<_>>().join(",");
        let shared = Arc::new(Shared {
            state: Mutex::new(State { cluster, links: BTreeMap::new() }),
            sooner: Notify::new(),
            born: Instant::now(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_time(Arc::clone(&shared)));
        Broker { shared, bootstrap, tasks }
    }
}

impl Broker {
    /// Starts to choose how a broker is.
    #[must_use]
    pub fn builder() -> Builder {
        Builder { options: Options::default(), port: 0, has_wall_clock: false }
    }

    /// The addresses of all nodes, as clients take them for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    /// Looks at the cluster or changes it; all that [`Cluster`] offers to tests.
    ///
    /// The cluster stands still meanwhile: do not wait inside.
    pub fn with<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        self.shared.drive(|cluster, _now| change(cluster))
    }

    /// How long the cluster has been running: the clock of [`crate::Seen::at`].
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.born.elapsed()
    }

    /// Closes all connections and stops listening.
    ///
    /// Cancel safe: a shutdown that is dropped has still begun, and all ends on its own.
    pub async fn shutdown(mut self) {
        self.with(Cluster::close_connections);
        self.tasks.shutdown().await;
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Tasks of pipes are the caller's runtime's: they end when told to.
        self.with(Cluster::close_connections);
    }
}

/// What all tasks of a broker share: the machine, and where its answers go.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// A deadline came before the one that the clock waits for.
    sooner: Notify,
    born: Instant,
}

struct State {
    cluster: Cluster,
    links: BTreeMap<ConnectionId, UnboundedSender<Order>>,
}

/// What a connection's task is told.
#[derive(Debug)]
pub(crate) enum Order {
    Send(Answer),
    Done,
    Close,
}

impl Shared {
    /// Gives the machine an input and hands out what it says.
    pub(crate) fn drive<T>(&self, input: impl FnOnce(&mut Cluster, Duration) -> T) -> T {
        let now = self.born.elapsed();
        let mut state = self.lock();
        let before = state.cluster.poll_timeout();
        state.cluster.handle_timeout(now);
        let result = input(&mut state.cluster, now);
        state.deliver();
        let after = state.cluster.poll_timeout();
        drop(state);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.sooner.notify_one();
        }
        result
    }

    /// A client connects; its task takes orders from the channel.
    pub(crate) fn connect(
        &self,
        node: BrokerId,
    ) -> Option<(ConnectionId, tokio::sync::mpsc::UnboundedReceiver<Order>)> {
        let mut state = self.lock();
        let id = state.cluster.connect(node)?;
        let (link, orders) = unbounded_channel();
        state.links.insert(id, link);
        Some((id, orders))
    }

    pub(crate) fn disconnect(&self, id: ConnectionId) {
        self.drive(|cluster, _now| cluster.disconnect(id));
        self.lock().links.remove(&id);
    }

    /// A panic of a test while it held the cluster does not stop the others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deliver(&mut self) {
        while let Some(output) = self.cluster.poll_output() {
            let (connection, order) = match output {
                Output::Send { connection, answer } => (connection, Order::Send(answer)),
                Output::Done { connection } => (connection, Order::Done),
                Output::Close { connection, reason } => {
                    if let Some(reason) = reason {
                        tracing::warn!(connection = connection.0, %reason, "connection closed");
                    }
                    (connection, Order::Close)
                }
            };
            if let Some(link) = self.links.get(&connection) {
                // A task that is gone needs no orders.
                drop(link.send(order));
            }
        }
    }
}

/// Tells the machine when its time has come.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        let due = shared.lock().cluster.poll_timeout();
        let sooner = shared.sooner.notified();
        match due {
            None => sooner.await,
            Some(due) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(shared.born + due) => shared.drive(|_, _| ()),
                () = sooner => {}
            },
        }
    }
}
