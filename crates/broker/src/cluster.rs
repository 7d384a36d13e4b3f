//! The cluster as a machine: requests in, answers out; time and chance are given to it.

pub(crate) mod leaders;
mod values;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::types::BrokerId;
use forebay_protocol::wire::Reader;

use crate::answer::Answer;
use crate::api::{self, Reply};
use crate::connection::{
    BadRequest, Busy, Call, Connection, ConnectionId, Header, Then, TimerKey, WaitingFetch,
};
use crate::fault::{Asked, Effect, Script};
use crate::group::Group;
use crate::group::classic::Waited;
use crate::observe::{RequestLog, Seen};
use crate::options::Options;
use crate::rng::Rng;
use crate::session::{Session, SessionKey};
use crate::topic::Topics;
use crate::transactions::Coordinator;
use crate::versions::{self, Offer};

/// A cluster of Kafka nodes without sockets, clocks or threads.
///
/// Feed it with [`Cluster::handle`] and [`Cluster::handle_timeout`], then take
/// [`Cluster::poll_output`] until it is empty. Times count from when the cluster was made. The same
/// inputs give the same outputs, always.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) options: Options,
    pub(crate) now: Duration,
    pub(crate) rng: Rng,
    pub(crate) nodes: BTreeMap<BrokerId, Node>,
    pub(crate) topics: Topics,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) coordinator: Coordinator,
    /// Where tests have put coordinators, by group or transactional id.
    pub(crate) moved: BTreeMap<String, BrokerId>,
    /// What metadata says in place of the truth, by topic and partition.
    pub(crate) stale: BTreeMap<(String, i32), (Option<BrokerId>, i32)>,
    pub(crate) sessions: BTreeMap<SessionKey, Session>,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) script: Script,
    pub(crate) log: RequestLog,
    /// Fetches that may be able to answer now.
    pub(crate) woken: BTreeSet<ConnectionId>,
    /// Answers that groups have made.
    pub(crate) waited: Vec<(Call, Waited)>,
    outputs: VecDeque<Output>,
    timers: BTreeMap<TimerKey, Timer>,
    next_timer: u64,
    next_connection: u64,
}

/// One node of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) state: NodeState,
}

/// What a deadline is for.
#[derive(Clone, Debug)]
enum Timer {
    /// A fetch that waits, or an answer that is held back.
    Connection(ConnectionId),
    /// A transaction that takes too long, by its transactional id.
    Transaction(String),
    /// The next deadline of a group.
    Group(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NodeState {
    Up,
    /// Takes connections and bytes, and does nothing; the others think it is up.
    Frozen,
    Down,
}

/// What the cluster asks of its driver.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Write this answer. The request it belongs to is done.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// The bytes, length prefix included.
        answer: Answer,
    },
    /// A request is done that gets no answer.
    Done {
        /// Whose request.
        connection: ConnectionId,
    },
    /// Close the connection. Nothing more comes for it.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why, when its own bytes were the reason.
        reason: Option<BadRequest>,
    },
}

impl Cluster {
    /// A cluster without topics.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let node = |id: i32| {
            let host = format!("broker-{id}");
            (BrokerId(id), Node { host, port: 9092, state: NodeState::Up })
        };
        Self {
            now: Duration::ZERO,
            rng: Rng::new(options.seed),
            nodes: (1..=i32::from(options.nodes)).map(node).collect(),
            topics: Topics::default(),
            groups: BTreeMap::new(),
            coordinator: Coordinator::default(),
            moved: BTreeMap::new(),
            stale: BTreeMap::new(),
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            script: Script::default(),
            log: RequestLog::default(),
            woken: BTreeSet::new(),
            waited: Vec::new(),
            outputs: VecDeque::new(),
            timers: BTreeMap::new(),
            next_timer: 0,
            next_connection: 0,
            options,
        }
    }

    /// A client connects to a node; `None` when there is no such node or it is down.
    pub fn connect(&mut self, node: BrokerId) -> Option<ConnectionId> {
        if !self.is_up(node) {
            return None;
        }
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let connection = Connection { node, queue: VecDeque::new(), busy: None };
        self.connections.insert(id, connection);
        Some(id)
    }

    /// A client is gone. Its fetch sessions stay, as Kafka's do.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        match connection.busy {
            Some(Busy::Fetch(waiting)) => {
                self.timers.remove(&waiting.due);
                self.end_wait(waiting.ask.session);
            }
            Some(Busy::Late { due, .. }) => drop(self.timers.remove(&due)),
            Some(Busy::Parked { .. }) | None => {}
        }
    }

    /// A whole frame came, without its length prefix.
    pub fn handle(&mut self, now: Duration, id: ConnectionId, frame: Bytes) {
        self.now = self.now.max(now);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.queue.push_back(frame);
        self.serve(id);
        self.settle();
    }

    /// Time has passed. Harmless if called too early.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = self.now.max(now);
        while self.poll_timeout().is_some_and(|at| at <= self.now) {
            match self.timers.pop_first() {
                Some((key, Timer::Connection(id))) => self.due(id, key),
                Some((key, Timer::Transaction(id))) => self.transaction_due(&id, key),
                Some((_, Timer::Group(name))) => self.group_due(&name),
                None => break,
            }
        }
        self.settle();
    }

    /// What the driver should do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Cluster::handle_timeout`] should be called, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Where clients find a node. Drivers that listen say so here.
    pub fn set_address(&mut self, node: BrokerId, host: &str, port: u16) {
        if let Some(node) = self.nodes.get_mut(&node) {
            host.clone_into(&mut node.host);
            node.port = port;
        }
    }

    pub(crate) fn is_up(&self, node: BrokerId) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.state != NodeState::Down)
    }

    /// What the clock on the wall shows, in milliseconds since 1970.
    pub(crate) fn wall_clock(&self) -> i64 {
        let passed = i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX);
        self.options.wall_clock.saturating_add(passed)
    }

    /// Serves queued requests until one has to wait.
    pub(crate) fn serve(&mut self, id: ConnectionId) {
        while let Some(connection) = self.connections.get_mut(&id) {
            let node = connection.node;
            let frozen = self.nodes.get(&node).is_some_and(|node| node.state == NodeState::Frozen);
            if connection.busy.is_some() || frozen {
                return;
            }
            let Some(frame) = connection.queue.pop_front() else { return };
            if let Err(reason) = self.begin(id, node, frame) {
                self.close(id, Some(reason));
            }
        }
    }

    fn begin(&mut self, id: ConnectionId, node: BrokerId, frame: Bytes) -> Result<(), BadRequest> {
        let bytes = frame.len();
        let mut reader = Reader::new(frame);
        let header = Header::read(&mut reader)?;
        let offer = api::key(header.key)
            .and_then(|api| versions::offer(self.options.release, api))
            .ok_or(BadRequest::NotOffered(header.key))?;
        let call = self.note(id, node, &header, (offer, bytes));
        if call.mischief.closes_first() {
            self.close(id, None);
            return Ok(());
        }
        let reply = api::answer(self, &call, &mut reader, offered(&header, offer)?)?;
        self.reply(call, reply);
        Ok(())
    }

    /// Writes the request log and asks the script.
    fn note(
        &mut self,
        connection: ConnectionId,
        node: BrokerId,
        header: &Header,
        (offer, bytes): (Offer, usize),
    ) -> Call {
        let Offer { api, max: newest, .. } = offer;
        let client_id = header.client_id.clone();
        self.log.note(Seen {
            at: self.now,
            node,
            connection,
            api,
            version: header.version,
            client_id: client_id.as_deref().map(str::to_owned),
            correlation_id: header.correlation,
            bytes,
        });
        let mischief = self.script.strike(&Asked { api, node, client_id: client_id.as_deref() });
        let (version, correlation) = (header.version, header.correlation);
        Call { connection, node, api, version, newest, correlation, client_id, mischief }
    }

    fn reply(&mut self, call: Call, reply: Reply) {
        match reply {
            Reply::Body(body) => self.finish(&call, body),
            Reply::Silent => self.outputs.push_back(Output::Done { connection: call.connection }),
            Reply::Park => {
                if let Some(connection) = self.connections.get_mut(&call.connection) {
                    connection.busy = Some(Busy::Parked { correlation: call.correlation });
                }
            }
            Reply::Wait { ask, until } => {
                let due = self.set_timer(until, Timer::Connection(call.connection));
                let id = call.connection;
                let waiting = WaitingFetch { call, ask, due };
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.busy = Some(Busy::Fetch(Box::new(waiting)));
                }
            }
        }
    }

    /// Frames a body and sends it, or does to it what the script says.
    pub(crate) fn finish(&mut self, call: &Call, body: Vec<Bytes>) {
        let (answers, then) = api::framed(call, body);
        let delay = call.mischief.delay;
        if delay.is_zero() {
            return self.send(call.connection, answers, then);
        }
        let due =
            self.set_timer(self.now.saturating_add(delay), Timer::Connection(call.connection));
        if let Some(connection) = self.connections.get_mut(&call.connection) {
            connection.busy = Some(Busy::Late { answers, then, due });
        }
    }

    fn send(&mut self, connection: ConnectionId, answers: Vec<Answer>, then: Then) {
        if answers.is_empty() {
            self.outputs.push_back(Output::Done { connection });
        }
        for answer in answers {
            self.outputs.push_back(Output::Send { connection, answer });
        }
        if then == Then::Close {
            self.close(connection, None);
        }
    }

    /// Closes a connection from this side.
    pub(crate) fn close(&mut self, connection: ConnectionId, reason: Option<BadRequest>) {
        self.disconnect(connection);
        self.outputs.push_back(Output::Close { connection, reason });
    }

    fn set_timer(&mut self, at: Duration, timer: Timer) -> TimerKey {
        let key = (at, self.next_timer);
        self.next_timer += 1;
        self.timers.insert(key, timer);
        key
    }

    pub(crate) fn transaction_timer(&mut self, after: Duration, id: &str) -> TimerKey {
        self.set_timer(self.now.saturating_add(after), Timer::Transaction(id.to_owned()))
    }

    pub(crate) fn group_timer(&mut self, at: Duration, name: &str) -> TimerKey {
        self.set_timer(at, Timer::Group(name.to_owned()))
    }

    pub(crate) fn cancel_timer(&mut self, key: TimerKey) {
        self.timers.remove(&key);
    }

    /// A connection's timer has come.
    fn due(&mut self, id: ConnectionId, key: TimerKey) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match connection.busy.take() {
            Some(Busy::Late { answers, then, due }) if due == key => self.send(id, answers, then),
            Some(Busy::Fetch(waiting)) if waiting.due == key => {
                let body = self.fetch_now(&waiting.call, &waiting.ask);
                self.conclude(&waiting.call, body);
            }
            other => connection.busy = other,
        }
        self.serve(id);
    }

    /// Answers the fetches that have become able to.
    pub(crate) fn settle(&mut self) {
        self.answer_waited();
        while let Some(id) = self.woken.pop_first() {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let Some(Busy::Fetch(waiting)) = connection.busy.take() else { continue };
            let Some(body) = self.fetch_if_ready(&waiting.call, &waiting.ask) else {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.busy = Some(Busy::Fetch(waiting));
                }
                continue;
            };
            self.timers.remove(&waiting.due);
            self.conclude(&waiting.call, body);
            self.serve(id);
        }
    }

    fn conclude(&mut self, call: &Call, body: Result<Vec<Bytes>, BadRequest>) {
        match body {
            Ok(body) => self.finish(call, body),
            Err(reason) => self.close(call.connection, Some(reason)),
        }
    }
}

/// The version that is answered in: the request's own, when it is offered. An `ApiVersions` request
/// of any other version is answered in version 0, so that the client learns what is.
fn offered(header: &Header, offer: Offer) -> Result<api::Version, BadRequest> {
    let Offer { api, min, max } = offer;
    if (min..=max).contains(&header.version) {
        return Ok(api::Version::Offered);
    }
    if api == forebay_protocol::api::ApiKey::ApiVersions {
        return Ok(api::Version::Fallback);
    }
    Err(BadRequest::Version { api, version: header.version, min, max })
}

/// What the script does to a finished frame.
pub(crate) fn spoil(effects: &[Effect], answer: Answer) -> (Vec<Answer>, Then) {
    let mut answers = vec![answer];
    let mut then = Then::Continue;
    for effect in effects {
        match effect {
            Effect::DropAnswer => answers.clear(),
            Effect::DoAndClose => {
                answers.clear();
                then = Then::Close;
            }
            Effect::Cut(len) => {
                answers.iter_mut().for_each(|answer| answer.cut(*len));
                then = Then::Close;
            }
            Effect::Twice => answers.extend(answers.clone()),
            Effect::Garbage(bytes) => answers = vec![Answer::raw(bytes.clone())],
            Effect::Close
            | Effect::Error(_)
            | Effect::Delay(_)
            | Effect::Throttle(_)
            | Effect::Body(_)
            | Effect::Lies(_)
            | Effect::LeaveOut
            | Effect::WrongCorrelationId => {}
        }
    }
    (answers, then)
}
