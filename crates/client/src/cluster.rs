//! Owns the cluster machine and the control connections; routes requests to brokers.
//!
//! One task holds everything; [`Cluster`] is a handle to it. The task ends when all handles are
//! gone.

mod links;
mod translate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::backoff;
use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::cluster::metadata::Metadata;
use forebay_core::cluster::{self as machine, Destination, Output, Refusal, Ticket};
use forebay_core::connection::{self, Fault};
use forebay_core::orders::LeaderHint;
use forebay_core::rng::Rng;
use forebay_protocol::api::Request;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::types::{BrokerId, TopicName, TopicPartition};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::ClientConfig;
use crate::error::Error;
use crate::net::call::{Call, Limits, Line, Throttled};
use crate::net::connector::Connector;
use crate::net::peer::{Event, Peer};
use crate::runtime::{self, Clock};
use links::Links;

/// Requests on their way on one control connection.
const MAX_IN_FLIGHT: usize = 64;

/// A handle to the cluster's task.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    commands: mpsc::UnboundedSender<Command>,
    metadata: watch::Receiver<Arc<Metadata>>,
    clock: Clock,
    request_timeout: Duration,
    api_timeout: Duration,
}

/// Where a call goes, and within which limits.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Who is to answer.
    pub(crate) to: Destination,
    /// The oldest and newest version the caller can use.
    pub(crate) accepts: (i16, i16),
    /// How long it may take.
    pub(crate) patience: Patience,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until it is written.
    pub(crate) leave: Duration,
    /// From then on until it is answered.
    pub(crate) answer: Duration,
}

/// What a handle asks of the task.
#[derive(Debug)]
enum Command {
    Call(Call),
    Topics(Vec<TopicName>),
    AllTopics,
    Stale,
    Hint(TopicPartition, LeaderHint),
    WrongCoordinator(CoordinatorKey),
}

impl Cluster {
    /// Starts the task on the current Tokio runtime.
    pub(crate) fn spawn(
        config: &ClientConfig,
        connector: Arc<dyn Connector>,
        clock: Clock,
    ) -> Self {
        let (cluster, task) = Self::prepare(config, connector, clock);
        runtime::spawn(task);
        cluster
    }

    /// A handle, and the task that must run for it to be of use.
    pub(crate) fn prepare(
        config: &ClientConfig,
        connector: Arc<dyn Connector>,
        clock: Clock,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (commands, command_rx) = mpsc::unbounded_channel();
        let (metadata_tx, metadata) = watch::channel(Arc::default());
        let task = Task::new(config, connector, clock, metadata_tx);
        let cluster = Self {
            commands,
            metadata,
            clock,
            request_timeout: config.request_timeout,
            api_timeout: config.api_timeout,
        };
        (cluster, task.run(command_rx))
    }

    /// The picture of the cluster, and its changes.
    pub(crate) fn metadata(&self) -> watch::Receiver<Arc<Metadata>> {
        self.metadata.clone()
    }

    /// These topics are to be known from now on.
    pub(crate) fn want_topics(&self, topics: Vec<TopicName>) {
        drop(self.commands.send(Command::Topics(topics)));
    }

    /// All topics there are, are to be known from now on.
    pub(crate) fn want_all_topics(&self) {
        drop(self.commands.send(Command::AllTopics));
    }

    /// The picture is wrong somewhere: ask again.
    pub(crate) fn stale(&self) {
        drop(self.commands.send(Command::Stale));
    }

    /// A broker said who leads a partition now.
    pub(crate) fn hint(&self, tp: TopicPartition, hint: LeaderHint) {
        drop(self.commands.send(Command::Hint(tp, hint)));
    }

    /// The coordinator is elsewhere, or does not answer.
    pub(crate) fn wrong_coordinator(&self, key: CoordinatorKey) {
        drop(self.commands.send(Command::WrongCoordinator(key)));
    }

    /// Sends what `make` writes for the version once; `reply` hears the answer or why there is none. Finding whom to ask may
    /// take `default.api.timeout.ms`, the answer `request.timeout.ms`.
    pub(crate) fn send<R>(
        &self,
        to: Destination,
        make: impl Fn(i16) -> R + Send + 'static,
        accepts: (i16, i16),
        reply: impl FnOnce(Result<R::Response, Error>) + Send + 'static,
    ) where
        R: Request<Response: Throttled> + Send + 'static,
    {
        let patience = Patience { leave: self.api_timeout, answer: self.request_timeout };
        self.send_on(Route { to, accepts, patience }, make, reply);
    }

    /// As [`send`](Self::send), with other limits of time.
    pub(crate) fn send_on<R>(
        &self,
        route: Route,
        make: impl Fn(i16) -> R + Send + 'static,
        reply: impl FnOnce(Result<R::Response, Error>) + Send + 'static,
    ) where
        R: Request<Response: Throttled> + Send + 'static,
    {
        let Route { to, accepts, patience } = route;
        let deadline = self.clock.now().after(patience.leave);
        let limits = Limits { deadline, timeout: patience.answer, accepts };
        let call = Call::new(to, make, limits, reply);
        if let Err(mpsc::error::SendError(Command::Call(call))) =
            self.commands.send(Command::Call(call))
        {
            call.fail(Error::Closed);
        }
    }

    /// Sends `body` once and waits for the answer. Cancel safe: the request may still happen.
    ///
    /// # Errors
    ///
    /// When nobody can be asked in time, the connection fails, or the answer does not decode. Error
    /// codes inside the answer are the caller's.
    pub(crate) async fn request<R>(
        &self,
        to: Destination,
        body: R,
        at_most: i16,
    ) -> Result<R::Response, Error>
    where
        R: Request<Response: Throttled + Send> + Send + 'static,
    {
        self.ask(to, move |_| body.clone(), at_most).await
    }

    /// As [`request`](Self::request), for bodies that depend on the version. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub(crate) async fn ask<R>(
        &self,
        to: Destination,
        make: impl Fn(i16) -> R + Send + 'static,
        at_most: i16,
    ) -> Result<R::Response, Error>
    where
        R: Request<Response: Throttled + Send> + Send + 'static,
    {
        self.begin(to, make, (0, at_most)).await
    }

    /// Sends at once what the future then waits for. Cancel safe: the request may still happen.
    pub(crate) fn begin<R, M>(
        &self,
        to: Destination,
        make: M,
        accepts: (i16, i16),
    ) -> impl Future<Output = Result<R::Response, Error>> + Send + use<R, M>
    where
        M: Fn(i16) -> R + Send + 'static,
        R: Request<Response: Throttled + Send> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(to, make, accepts, move |result| drop(reply.send(result)));
        async move { answer.await.map_err(|_| Error::Closed)? }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
enum Scope {
    Some,
    All,
}

/// What an answer to one of the task's own questions brings.
#[derive(Debug)]
enum News {
    Metadata(BrokerId, Scope, Result<m::MetadataResponse, Error>),
    Coordinator(CoordinatorKey, Result<m::FindCoordinatorResponse, Error>),
}

struct Task {
    machine: machine::Cluster,
    connector: Arc<dyn Connector>,
    connection: connection::Config,
    clock: Clock,
    limits: Limits,
    next_ticket: u64,
    calls: BTreeMap<Ticket, Call>,
    links: Links,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    news: (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
    metadata: watch::Sender<Arc<Metadata>>,
    api_timeout: Duration,
}

impl Task {
    fn new(
        config: &ClientConfig,
        connector: Arc<dyn Connector>,
        clock: Clock,
        metadata: watch::Sender<Arc<Metadata>>,
    ) -> Self {
        let retry = backoff::Config { first: config.retry_backoff, max: config.retry_backoff_max };
        let reconnect =
            backoff::Config { first: config.reconnect_backoff, max: config.reconnect_backoff_max };
        let machine = machine::Cluster::new(
            machine::Config {
                bootstrap: config.bootstrap_servers.clone(),
                metadata_max_age: config.metadata_max_age,
                retry,
                reconnect,
            },
            Rng::from_seed(config.seed()),
        );
        let connection = connection::Config {
            client_id: (&*config.client_id).into(),
            setup_timeout: config.connection_setup_timeout,
            max_idle: config.connections_max_idle,
            receive_max_bytes: config.receive_max_bytes,
            max_in_flight: MAX_IN_FLIGHT,
        };
        let limits = Limits {
            deadline: clock.now(),
            timeout: config.request_timeout,
            accepts: (0, i16::MAX),
        };
        Self {
            machine,
            connector,
            connection,
            clock,
            limits,
            next_ticket: 0,
            calls: BTreeMap::new(),
            links: Links::default(),
            events: mpsc::unbounded_channel(),
            news: mpsc::unbounded_channel(),
            metadata,
            api_timeout: config.api_timeout,
        }
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        self.machine.handle_timeout(self.clock.now());
        loop {
            self.deliver();
            let deadline = self.machine.poll_timeout(self.clock.now());
            tokio::select! {
                biased;
                Some(event) = self.events.1.recv() => self.handle_event(event),
                Some(news) = self.news.1.recv() => self.handle_news(news),
                command = commands.recv() => match command {
                    Some(command) => self.handle_command(command),
                    None => return,
                },
                () = self.clock.sleep_until(deadline) => {
                    self.machine.handle_timeout(self.clock.now());
                }
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Call(call) => self.admit(call),
            Command::Topics(topics) => self.machine.handle_topics(now, topics),
            Command::AllTopics => self.machine.handle_all_topics(now),
            Command::Stale => self.machine.handle_stale(now),
            Command::Hint(tp, hint) => self.machine.handle_hint(now, &tp, &hint),
            Command::WrongCoordinator(key) => self.machine.handle_wrong_coordinator(now, &key),
        }
    }

    fn admit(&mut self, call: Call) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let (to, deadline) = (call.to.clone(), call.deadline);
        self.calls.insert(ticket, call);
        self.machine.handle_request(self.clock.now(), ticket, to, deadline);
    }

    fn handle_event(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Up(broker, Line::Common, _) => self.machine.handle_up(now, broker),
            Event::Up(_, Line::Waiting, _) => {}
            Event::Down { broker, line: Line::Waiting, fault, returned } => {
                self.waiting_down(broker, &fault, returned);
            }
            Event::Down { broker, line: line @ Line::Common, fault, returned } => {
                self.machine.handle_down(now, broker, fault);
                let parked = self.links.ended((broker, line));
                returned.into_iter().chain(parked).for_each(|call| self.admit(call));
            }
        }
    }

    /// The line for requests that wait says nothing about the broker's other one. Calls that never
    /// left go again when it was closed for idleness; else their senders know when to try again.
    fn waiting_down(&mut self, broker: BrokerId, fault: &Fault, returned: Vec<Call>) {
        let parked = self.links.ended((broker, Line::Waiting));
        let calls: Vec<_> = returned.into_iter().chain(parked).collect();
        let address = self.machine.address(broker).cloned();
        for call in calls {
            if *fault == Fault::ClosedHere {
                self.admit(call);
            } else {
                call.fail(Error::Connection { address: address.clone(), fault: fault.clone() });
            }
        }
    }

    fn handle_news(&mut self, news: News) {
        let now = self.clock.now();
        match news {
            News::Metadata(broker, scope, answer) => match answer {
                Ok(body) if body.error_code == ErrorCode::REBOOTSTRAP_REQUIRED.0 => {
                    self.machine.handle_rebootstrap(now, broker);
                }
                Ok(body) if body.error_code == 0 => {
                    let update = match scope {
                        Scope::Some => translate::update(body),
                        Scope::All => translate::whole_update(body),
                    };
                    self.machine.handle_metadata(now, update);
                }
                Ok(_) | Err(_) => self.machine.handle_no_metadata(now, broker),
            },
            News::Coordinator(key, answer) => self.handle_coordinator(&key, answer),
        }
    }

    fn handle_coordinator(
        &mut self,
        key: &CoordinatorKey,
        answer: Result<m::FindCoordinatorResponse, Error>,
    ) {
        let now = self.clock.now();
        match answer.map(|answer| translate::coordinator(&answer)) {
            Ok(Ok((broker, address))) => {
                self.machine.handle_coordinator(now, key, broker, address);
            }
            Ok(Err(code)) => {
                // A server's unnamed trouble passes; what Kafka calls final does not.
                let fatal = (0 < code && !ErrorCode(code).is_retriable()).then_some(code);
                self.machine.handle_no_coordinator(now, key, fatal);
            }
            Err(_) => self.machine.handle_no_coordinator(now, key, None),
        }
    }

    /// Carries out what the machine asks for.
    fn deliver(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { ticket, broker } => {
                    if let Some(call) = self.calls.remove(&ticket) {
                        self.send(broker, call);
                    }
                }
                Output::Fail { ticket, why } => {
                    if let Some(call) = self.calls.remove(&ticket) {
                        call.fail(self.refusal(why));
                    }
                }
                Output::AskMetadata { broker, topics } => self.ask_metadata(broker, topics),
                Output::AskCoordinator { broker, key } => self.ask_coordinator(broker, key),
                Output::Refreshed(metadata) => {
                    self.links.leave_moved(|broker| self.machine.address(broker));
                    drop(self.metadata.send_replace(metadata));
                }
            }
        }
    }

    fn ask_metadata(&mut self, broker: BrokerId, topics: Option<Vec<TopicName>>) {
        let news = self.news.0.clone();
        let scope = if topics.is_none() { Scope::All } else { Scope::Some };
        let reply = move |answer| drop(news.send(News::Metadata(broker, scope, answer)));
        let make = move |_| translate::metadata_request(topics.as_deref());
        let call = Call::new(Destination::Broker(broker), make, self.limits, reply);
        self.send(broker, call);
    }

    fn ask_coordinator(&mut self, broker: BrokerId, key: CoordinatorKey) {
        let news = self.news.0.clone();
        let body = translate::find_coordinator_request(&key);
        let make = move |_| body.clone();
        let reply = move |answer| drop(news.send(News::Coordinator(key, answer)));
        let limits = Limits { accepts: (0, translate::FIND_COORDINATOR_AT_MOST), ..self.limits };
        let call = Call::new(Destination::Broker(broker), make, limits, reply);
        self.send(broker, call);
    }

    /// Hands `call` to the broker's connection; dials when there is none.
    fn send(&mut self, broker: BrokerId, call: Call) {
        let line = call.line();
        let Some(call) = self.links.send((broker, line), call) else { return };
        let Some(address) = self.machine.address(broker).cloned() else {
            call.fail(Error::Connection { address: None, fault: Fault::Disconnected });
            return;
        };
        let (calls, call_rx) = mpsc::unbounded_channel();
        let peer = Peer {
            broker,
            line,
            address: address.clone(),
            connector: Arc::clone(&self.connector),
            config: self.connection.clone(),
            clock: self.clock,
        };
        drop(calls.send(call));
        runtime::spawn(peer.run(call_rx, self.events.0.clone()));
        self.links.started((broker, line), address, calls);
    }

    fn refusal(&self, why: Refusal) -> Error {
        match why {
            Refusal::Late(fault) => {
                let last = fault.map(|(broker, fault)| {
                    let address = self.machine.address(broker).cloned();
                    Box::new(Error::Connection { address, fault })
                });
                Error::Timeout { what: "finding a broker to ask", after: self.api_timeout, last }
            }
            Refusal::Coordinator(code) => Error::broker("FindCoordinator", "", code),
        }
    }
}

#[cfg(test)]
mod tests;
