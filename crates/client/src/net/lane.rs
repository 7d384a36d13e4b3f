//! Moves bytes from one socket through the parser into one lane machine.
//!
//! A lane has its own connection, so that no long poll stands in front of a heartbeat or a commit.
//! What a read brought is parsed while it is still in cache, handed to the shard, and only then is
//! more read. The next Fetch leaves with the last byte of the response, before anything of it was
//! decoded.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::backoff::{self, Backoff};
use forebay_core::connection::{Fault, Versions};
use forebay_core::fetch::cursor::{Cursor, Returned};
use forebay_core::fetch::lane::{Config, Epochs, Lane};
use forebay_core::orders::Address;
use forebay_core::rng::Rng;
use forebay_core::run::BatchRun;
use forebay_core::shard::LaneState;
use forebay_core::shard::output::LaneOrder;
use forebay_protocol::api::ApiKey;
use forebay_protocol::request;
use forebay_protocol::types::BrokerId;
use forebay_protocol::wire::Str;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::chunk::Chunks;
use super::connector::{Connector, Stream};
use super::socket::handshake;
use crate::budget::{Budget, Lease};
use crate::link;
use crate::net::traffic::Traffic;
use crate::runtime::Clock;

/// Least bytes that a Fetch is sent for.
const ROOM_MIN: usize = 256 << 10;

/// Largest answer to the first request, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// First version that names topics by id.
const BY_ID: i16 = 13;

mod epochs;
mod response;

/// Where brokers are, as control told last.
pub(crate) type Addresses = Arc<[(BrokerId, Address)]>;

/// What a lane is made with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) addresses: watch::Receiver<Addresses>,
    pub(crate) client_id: Arc<str>,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    /// From dialling to ready.
    pub(crate) setup_timeout: Duration,
    /// How long an answer may take, without the wait that was asked for.
    pub(crate) request_timeout: Duration,
    pub(crate) backoff: backoff::Config,
    pub(crate) seed: u64,
    pub(crate) traffic: Arc<Traffic>,
}

/// Lane to shard.
#[derive(Debug)]
pub(crate) enum LaneEvent {
    /// What one read brought.
    Arrived(BrokerId, Vec<BatchRun>),
    /// A cursor goes back.
    Returned(Cursor, Returned),
    /// The connection could not be made or is lost; the lane tries again by itself.
    Down(BrokerId, Fault),
    /// What the lane is at has changed.
    State(BrokerId, LaneState),
}

/// Why serving a connection ended.
enum Stop {
    /// The shard has no more use for the lane.
    Closed,
    /// The connection is of no use any more.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// One lane and its driver.
pub(crate) struct LaneDriver {
    broker: BrokerId,
    setup: Setup,
    machine: Lane,
    chunks: Chunks,
    orders: link::Receiver<LaneOrder>,
    events: link::Sender<LaneEvent>,
    client_id: Str,
    version: i16,
    /// In which version the broker can be asked where an epoch ended.
    epochs: Option<i16>,
    correlation: i32,
    /// Bytes of the current response that were not read yet.
    unread: usize,
    /// What the shard was told that the lane is at.
    state: LaneState,
}

impl LaneDriver {
    pub(crate) fn new(
        broker: BrokerId,
        setup: Setup,
        orders: link::Receiver<LaneOrder>,
        events: link::Sender<LaneEvent>,
    ) -> Self {
        Self {
            broker,
            machine: Lane::new(setup.config.clone()),
            chunks: Chunks::new(setup.budget.total()),
            orders,
            events,
            client_id: Str::from(&*setup.client_id),
            setup,
            version: 0,
            epochs: None,
            correlation: 0,
            unread: 0,
            state: LaneState::default(),
        }
    }

    /// Serves until the shard drops the orders' sender.
    pub(crate) async fn run(mut self) {
        let mut rng = Rng::from_seed(self.setup.seed);
        let mut backoff = Backoff::new(self.setup.backoff);
        loop {
            let fault = match self.connection(&mut backoff).await {
                Err(Stop::Closed) => return,
                Err(Stop::Fault(fault)) => fault,
                Ok(()) => continue,
            };
            self.machine.handle_disconnected();
            // What was read of a response counts, whatever its end was like.
            self.hand_over();
            self.chunks.clear();
            self.tell(LaneState::Unable);
            self.events.send(LaneEvent::Down(self.broker, fault));
            let pause = Instant::now() + backoff.fail(&mut rng);
            if self.hear_until(Some(pause)).await.is_err() {
                return;
            }
        }
    }

    /// One connection, from its dialling to its end.
    async fn connection(&mut self, backoff: &mut Backoff) -> Result<(), Stop> {
        while self.machine.is_empty() {
            self.hear_one().await?;
        }
        let (mut stream, address) = self.connect().await?;
        backoff.succeed();
        tracing::debug!(
            target: "forebay::fetch", broker = self.broker.0, fetch_version = self.version,
            "the lane is up"
        );
        loop {
            self.hear_waiting()?;
            if self.address().is_some_and(|now| now != address) {
                // Somebody else may have moved in there, who leads nothing that we ask for.
                return Err(Fault::ClosedHere.into());
            }
            if BY_ID <= self.version && !self.machine.has_ids() {
                // Such a topic came since: a connection of an older version asks by name.
                return Err(Fault::ClosedHere.into());
            }
            self.machine.handle_timeout(self.setup.clock.now());
            self.give_back();
            if self.machine.has_unchecked() {
                self.ask_epochs(&mut stream).await?;
                continue;
            }
            if !self.machine.is_ready() {
                self.rest().await?;
                continue;
            }
            let Some(mut reserved) = self.reserve().await? else { continue };
            self.ask(&mut stream).await?;
            // As long as requests follow each other, the next one is sent inside.
            while self.answer(&mut stream, &mut reserved).await? {}
        }
    }

    /// Where metadata says that the broker is.
    fn address(&self) -> Option<Address> {
        let addresses = self.setup.addresses.borrow();
        let found = addresses.iter().find(|(broker, _)| *broker == self.broker);
        found.map(|(_, address)| address.clone())
    }

    async fn connect(&mut self) -> Result<(Stream, Address), Stop> {
        let Some(address) = self.address() else {
            return Err(Fault::Connect {
                kind: std::io::ErrorKind::NotFound,
                detail: "the cluster's metadata has no address for this broker".into(),
            }
            .into());
        };
        let after = self.setup.setup_timeout;
        let (connector, name) = (Arc::clone(&self.setup.connector), self.client_id.clone());
        let greeted = tokio::time::timeout(after, greet(&*connector, &address, name));
        let (stream, versions) =
            self.hear_during(greeted).await?.map_err(|_| Fault::Setup { after })??;
        // A topic without id cannot be asked for by id.
        let newest = if self.machine.has_ids() { i16::MAX } else { BY_ID - 1 };
        self.version = versions.meet(ApiKey::Fetch, (0, newest)).map_err(Stop::Fault)?;
        self.epochs = versions.meet(ApiKey::OffsetForLeaderEpoch, (0, i16::MAX)).ok();
        self.machine.set_epochs(if self.epochs.is_some() { Epochs::Ask } else { Epochs::InFetch });
        self.machine.handle_connected(self.version);
        Ok((stream, address))
    }

    /// Nothing to ask for: waits for an order, or for the end of a partition's rest.
    async fn rest(&mut self) -> Result<(), Stop> {
        self.chunks.rest();
        self.tell(LaneState::Idle);
        let now = self.setup.clock.now();
        let rest = self.machine.poll_timeout().map(|at| Instant::now() + at.since(now));
        tokio::select! {
            biased;
            order = self.orders.recv() => self.hear(order),
            () = sleep_until(rest) => Ok(()),
        }
    }

    /// Bytes for the next response; `None` when an order came first.
    async fn reserve(&mut self) -> Result<Option<Lease>, Stop> {
        loop {
            let wanted = self.machine.response_bytes() as usize + self.chunks.size();
            if let Some(reserved) = self.setup.budget.try_reserve(wanted) {
                return Ok(Some(reserved));
            }
            if !self.machine.handle_no_room() {
                break;
            }
        }
        self.tell(LaneState::Unable);
        // Also with a small budget of which most is pinned the others must go on.
        let least = (ROOM_MIN + self.chunks.size()).min(self.setup.budget.total() / 8);
        let budget = self.setup.budget.clone();
        tokio::select! {
            biased;
            order = self.orders.recv() => self.hear(order).map(|()| None),
            reserved = budget.reserve(least) => Ok(Some(reserved)),
        }
    }

    /// Tells the shard's watchdog what the lane is at, when that has changed.
    fn tell(&mut self, state: LaneState) {
        if self.state != state {
            self.state = state.clone();
            self.events.send(LaneEvent::State(self.broker, state));
        }
    }

    /// Sends the next Fetch.
    async fn ask(&mut self, stream: &mut Stream) -> Result<(), Stop> {
        self.tell(LaneState::Asking(self.machine.left_out()));
        let Some(plan) = self.machine.poll_request() else { return Ok(()) };
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        let message = plan.to_message(self.machine.config(), self.version);
        let frame =
            request::encode(&message, self.version, self.correlation, Some(&self.client_id))
                .map_err(Fault::from)?;
        self.setup.traffic.fetched();
        let after = self.setup.request_timeout;
        match tokio::time::timeout(after, stream.write_all(&frame)).await {
            Ok(sent) => sent.map_err(|_| Fault::Disconnected.into()),
            Err(_) => Err(Fault::Timeout { api: "Fetch", after }.into()),
        }
    }

    /// Hands what was read to the shard and lets it go on before more is read.
    async fn deliver(&mut self) {
        if self.machine.has_runs() {
            self.hand_over();
            step_back().await;
        }
    }

    /// Runs first: cursors stand behind them.
    fn hand_over(&mut self) {
        self.send_runs();
        self.give_back();
    }

    fn give_back(&mut self) {
        while let Some((cursor, why)) = self.machine.poll_returned() {
            self.send_runs();
            self.events.send(LaneEvent::Returned(cursor, why));
        }
    }

    fn send_runs(&mut self) {
        if self.machine.has_runs() {
            let runs = self.machine.take_runs();
            self.events.send(LaneEvent::Arrived(self.broker, runs));
        }
    }

    async fn hear_until(&mut self, until: Option<Instant>) -> Result<(), Stop> {
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => self.hear(order)?,
                () = sleep_until(until) => return Ok(()),
            }
        }
    }

    /// Hears orders until something is done: a node that does not answer keeps no partition that
    /// others lead by now.
    async fn hear_during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => self.hear(order)?,
                done = &mut work => return Ok(done),
            }
        }
    }

    async fn hear_one(&mut self) -> Result<(), Stop> {
        let order = self.orders.recv().await;
        self.hear(order)
    }

    fn hear_waiting(&mut self) -> Result<(), Stop> {
        while let Some(order) = self.orders.try_recv() {
            self.hear(Some(order))?;
        }
        Ok(())
    }

    fn hear(&mut self, order: Option<LaneOrder>) -> Result<(), Stop> {
        match order.ok_or(Stop::Closed)? {
            LaneOrder::Lend(cursor) => self.machine.lend(cursor),
            LaneOrder::Recall(slot) => {
                // What was read before goes first: the cursor stands behind it.
                if let Some(cursor) = self.machine.recall(slot) {
                    self.send_runs();
                    self.events.send(LaneEvent::Returned(cursor, Returned::Recalled));
                }
            }
            LaneOrder::Flow(slot, flow) => self.machine.flow(slot, flow),
            LaneOrder::Share(bytes) => self.machine.set_share(bytes),
        }
        Ok(())
    }
}

/// A connection and the versions that the broker offers on it.
async fn greet(
    connector: &dyn Connector,
    address: &Address,
    client_id: Str,
) -> Result<(Stream, Versions), Fault> {
    let mut stream = connector
        .connect(address)
        .await
        .map_err(|error| Fault::Connect { kind: error.kind(), detail: error.to_string().into() })?;
    let versions = handshake(&mut stream, client_id, ANSWER_MAX).await?;
    Ok((stream, versions))
}

/// Gives the shard, which polls this lane, a chance to go on with what was delivered. The shard
/// polls its lanes again after it has taken an event, so nobody needs to be woken.
async fn step_back() {
    let mut has_stepped = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut has_stepped, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
