//! Carries out what the produce side's router wants: seals batches, sends them, tells receipts.

mod brokers;
mod linger;
mod store;

use std::sync::Arc;

use forebay_core::backoff;
use forebay_core::cluster::Destination;
use forebay_core::cluster::metadata::Metadata;
use forebay_core::connection::Fault;
use forebay_core::orders::LeaderHint;
use forebay_core::producer::{
    self as machine, Answer, BatchId, Down, Failure, Identity, Memory, NewBatch, Output, RequestId,
    Sequencing, Stamped,
};
use forebay_core::rng::Rng;
use forebay_core::time::Instant;
use forebay_protocol::api::ApiKey;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::records::codec::Codec;
use forebay_protocol::types::{BrokerId, Offset, TopicPartition};
use tokio::sync::{mpsc, oneshot, watch};

use super::append::{Closed, Opened, Pool};
use super::receipt::BatchResult;
use super::translate;
use crate::cluster::Cluster;
use crate::config::{Compression, ConfigError, ProducerConfig};
use crate::error::Error;
use crate::net::connector::Connector;
use crate::net::peer::Event;
use crate::runtime::Clock;
use brokers::Brokers;
use linger::Linger;
use store::{Size, Store, Stored, Unpacked};

/// Full batches that are packed before what is packed is sent.
const BURST: usize = 8;
/// Inputs that are taken before what they brought is sent.
const INPUTS: usize = 256;

/// What users tell the driver.
#[derive(Debug)]
pub(super) enum Input {
    /// A batch begins to linger.
    Opened(Opened),
    /// A batch is full.
    Closed(Closed),
    /// Somebody waits for room: no batch need wait for more records.
    Hurry,
    /// Send everything, and say when all of it is answered.
    Flush(oneshot::Sender<Result<(), Error>>),
    /// The deadline of `close` passed, or everything is through: the end.
    Close(oneshot::Sender<Left>),
}

/// What was not through when the producer was closed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Left {
    /// Records that failed by it.
    pub(super) records: u64,
    /// Of these, records that may have been written.
    pub(super) unknown: u64,
}

/// What brokers tell the driver.
#[derive(Debug)]
enum News {
    Produced(RequestId, Answer, Vec<(TopicPartition, LeaderHint)>),
    Identity(Result<Identity, Option<i16>>),
}

#[derive(Debug)]
struct Flush {
    /// All batches before it.
    until: BatchId,
    reply: oneshot::Sender<Result<(), Error>>,
}

/// Owns the router of one producer.
pub(super) struct Driver {
    machine: machine::Producer,
    cluster: Cluster,
    metadata: watch::Receiver<Arc<Metadata>>,
    config: Arc<ProducerConfig>,
    clock: Clock,
    pool: Arc<Pool>,
    brokers: Brokers,
    store: Store,
    linger: Linger,
    /// Sealed and not yet handed to the machine.
    fresh: Vec<NewBatch>,
    sealed: u64,
    flushes: Vec<Flush>,
    /// First failure since the last flush.
    failure: Option<Error>,
    left: Left,
    news: (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) config: Arc<ProducerConfig>,
    pub(super) cluster: Cluster,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { config, cluster, connector, pool, clock, rng } = parts;
        let client = &config.client;
        let settings = machine::Config {
            sequencing: if config.idempotence { Sequencing::Idempotent } else { Sequencing::None },
            max_in_flight: config.max_in_flight,
            max_request_bytes: config.max_request_size.max(config.batch_size),
            delivery_timeout: config.delivery_timeout,
            retry: backoff::Config { first: client.retry_backoff, max: client.retry_backoff_max },
            reconnect: backoff::Config {
                first: client.reconnect_backoff,
                max: client.reconnect_backoff_max,
            },
        };
        Self {
            machine: machine::Producer::new(settings, rng),
            metadata: cluster.metadata(),
            cluster,
            clock,
            pool,
            brokers: Brokers::new(&config, connector, clock),
            store: Store::new(codec(config.compression)),
            config,
            linger: Linger::default(),
            fresh: Vec::new(),
            sealed: 0,
            flushes: Vec::new(),
            failure: None,
            left: Left::default(),
            news: mpsc::unbounded_channel(),
        }
    }

    /// Serves until it is closed; when all handles are gone, until everything is through.
    pub(super) async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        let mut has_users = true;
        while has_users || !self.store.is_empty() {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                Some(event) = self.brokers.events.1.recv() => self.handle_event(event),
                Some(news) = self.news.1.recv() => self.handle_news(news),
                input = inputs.recv(), if has_users => match input {
                    Some(Input::Close(reply)) => return self.end(inputs, reply),
                    Some(input) => self.handle_input(input),
                    None => {
                        has_users = false;
                        self.close_all();
                    }
                },
                Ok(()) = self.metadata.changed() => self.handle_metadata(),
                () = self.clock.sleep_until(deadline) => {}
            }
            if let Some(reply) = self.drain(&mut inputs) {
                return self.end(inputs, reply);
            }
            self.work();
        }
    }

    /// Takes what else there is already; who closes the producer, if somebody does.
    fn drain(
        &mut self,
        inputs: &mut mpsc::UnboundedReceiver<Input>,
    ) -> Option<oneshot::Sender<Left>> {
        while let Ok(news) = self.news.1.try_recv() {
            self.handle_news(news);
        }
        for _ in 0..INPUTS {
            if BURST <= self.fresh.len() {
                break;
            }
            match inputs.try_recv() {
                Ok(Input::Close(reply)) => return Some(reply),
                Ok(input) => self.handle_input(input),
                Err(_) => break,
            }
        }
        None
    }

    /// Closes batches whose time has come, and lets the machine go on.
    fn work(&mut self) {
        let now = self.clock.now();
        for closed in self.linger.take(now, |tp| self.machine.is_busy(tp)) {
            self.seal(closed);
        }
        self.machine.handle_batches(now, self.fresh.drain(..));
        self.deliver();
    }

    fn handle_input(&mut self, input: Input) {
        match input {
            Input::Opened(opened) => {
                self.linger.push(self.clock.now().after(self.config.linger), opened);
            }
            Input::Closed(closed) => self.seal(closed),
            Input::Hurry => self.linger.hurry(),
            Input::Flush(reply) => {
                self.close_all();
                self.flushes.push(Flush { until: BatchId::nth(self.sealed), reply });
                self.answer_flushes();
            }
            // The loop's own.
            Input::Close(_) => {}
        }
    }

    fn handle_event(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Up(broker, _, versions) => {
                self.brokers.is_well();
                let produce = versions.meet(ApiKey::Produce, (0, i16::MAX)).unwrap_or(0);
                self.machine.handle_up(now, broker, Memory::of(produce));
            }
            Event::Down { broker, fault, returned, .. } => {
                let how = if fault == Fault::ClosedHere { Down::Idle } else { Down::Failed };
                let address = self.metadata.borrow().brokers.get(&broker).cloned();
                self.brokers.ended(broker, fault, returned, address);
                self.machine.handle_down(now, broker, how);
            }
        }
        self.deliver();
    }

    fn handle_news(&mut self, news: News) {
        let now = self.clock.now();
        match news {
            News::Produced(request, answer, hints) => {
                for (tp, hint) in hints {
                    self.cluster.hint(tp, hint);
                }
                self.machine.handle_answer(now, request, &answer);
            }
            News::Identity(Ok(identity)) => self.machine.handle_identity(now, Some(identity)),
            News::Identity(Err(Some(code))) if !ErrorCode(code).is_retriable() && 0 < code => {
                self.machine.handle_no_identity(now, code);
            }
            News::Identity(Err(_)) => self.machine.handle_identity(now, None),
        }
        self.deliver();
    }

    fn handle_metadata(&mut self) {
        let metadata = Arc::clone(&self.metadata.borrow_and_update());
        self.pool.look(&metadata);
        self.machine.handle_metadata(self.clock.now(), metadata);
    }

    fn deadline(&self) -> Option<Instant> {
        let due = self.linger.due_at();
        due.into_iter().chain(self.machine.poll_timeout(self.clock.now())).min()
    }

    fn close_all(&mut self) {
        // Those that linger first: a partition of theirs may be gone from its topic.
        let lingering = self.linger.take_all();
        for closed in lingering.into_iter().chain(self.pool.close_all()) {
            self.seal(closed);
        }
    }

    fn seal(&mut self, closed: Closed) {
        let id = BatchId::nth(self.sealed);
        self.sealed = self.sealed.wrapping_add(1);
        let (since, tp) = (closed.since, closed.accumulator.tp.clone());
        match self.store.seal(id, closed, self.pool.spares()) {
            Ok(Some(Size { records, bytes })) => {
                self.fresh.push(NewBatch { id, tp, records, bytes, since });
            }
            Ok(None) => {}
            Err(Unpacked(closed)) => {
                let codec = codec(self.config.compression).name();
                let expected = "a codec that this program was built with";
                let error = ConfigError::new("compression.type", codec, expected).into();
                self.fail(&closed, error);
            }
        }
    }

    /// Carries out what the machine asks for.
    fn deliver(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Connect { broker } => self.connect(broker),
                Output::Send { request, broker, batches, patience } => {
                    let timeout = patience.min(self.config.client.request_timeout);
                    let body = self.request(&batches);
                    let accepts = translate::accepts(self.config.compression);
                    let news = self.news.0.clone();
                    self.brokers.send(broker, body, (timeout, accepts), move |answer| {
                        let (answer, hints) = translate::answer(answer);
                        drop(news.send(News::Produced(request, answer, hints)));
                    });
                }
                Output::InitProducerId { current } => self.ask_identity(current),
                Output::StaleMetadata => self.cluster.stale(),
                Output::Split { batch, records, rest } => {
                    if let Err(error) = self.store.split(batch, records, rest) {
                        tracing::error!(target: "forebay::produce", %error, "cannot split a batch");
                    }
                }
                Output::Done { batch, result } => self.done(batch, result),
            }
        }
    }

    fn connect(&mut self, broker: BrokerId) {
        let address = self.metadata.borrow().brokers.get(&broker).cloned();
        match address {
            Some(address) => self.brokers.connect(broker, address),
            None => self.machine.handle_down(self.clock.now(), broker, Down::Failed),
        }
    }

    fn request(&mut self, batches: &Stamped) -> m::ProduceRequest {
        let bodies = batches
            .iter()
            .filter_map(|(tp, id, stamp)| Some((tp.clone(), self.store.stamped(*id, *stamp)?)));
        translate::produce(&self.config, bodies.collect())
    }

    fn ask_identity(&self, current: Option<Identity>) {
        let news = self.news.0.clone();
        let make = move |version| translate::init_producer_id(version, current);
        self.cluster.send(Destination::Any, make, (0, i16::MAX), move |answer| {
            let identity = match answer {
                Ok(answer) => translate::identity(&answer).map_err(Some),
                Err(_) => Err(None),
            };
            drop(news.send(News::Identity(identity)));
        });
    }

    fn done(&mut self, batch: BatchId, result: Result<Option<Offset>, Failure>) {
        let Some(stored) = self.store.remove(batch, self.pool.spares()) else { return };
        let Stored { result: told, first, records, reserved, accumulator, .. } = stored;
        accumulator.ended();
        match result {
            Err(Failure::Closed) => self.left.records += u64::from(records),
            Err(Failure::Unknown { .. }) => self.left.unknown += u64::from(records),
            _ => {}
        }
        let result = result.map_err(|failure| self.error(&accumulator.tp, failure));
        self.tell(&told, (first, records), reserved, result);
        self.answer_flushes();
    }

    /// A batch fails before it reached the machine.
    fn fail(&mut self, closed: &Closed, error: Error) {
        closed.accumulator.ended();
        self.tell(&closed.result, (0, u32::MAX), closed.reserved, Err(error));
    }

    fn tell(
        &mut self,
        told: &BatchResult,
        records: (u32, u32),
        reserved: usize,
        result: Result<Option<Offset>, Error>,
    ) {
        if let Err(error) = &result {
            tracing::warn!(target: "forebay::produce", %error, "a batch failed");
            self.failure.get_or_insert_with(|| error.clone());
        }
        told.tell(records, result);
        self.pool.room().add_permits(reserved);
    }

    fn answer_flushes(&mut self) {
        let oldest = self.store.oldest();
        let failure = &mut self.failure;
        let through = |flush: &mut Flush| oldest.is_none_or(|oldest| flush.until <= oldest);
        for flush in self.flushes.extract_if(.., through) {
            drop(flush.reply.send(failure.take().map_or(Ok(()), Err)));
        }
    }

    /// What waits fails, and so does what still comes in.
    fn end(mut self, mut inputs: mpsc::UnboundedReceiver<Input>, reply: oneshot::Sender<Left>) {
        self.pool.room().close();
        inputs.close();
        self.left = Left::default();
        self.machine.handle_batches(self.clock.now(), self.fresh.drain(..));
        self.machine.handle_close();
        self.deliver();
        let mut closed = self.linger.take_all();
        closed.extend(self.pool.close_all());
        while let Ok(input) = inputs.try_recv() {
            if let Input::Closed(late) = input {
                closed.push(late);
            }
        }
        for closed in closed {
            self.left.records += u64::from(closed.builder.count());
            self.fail(&closed, Error::Closed);
        }
        self.left.records += self.left.unknown;
        reply.send(self.left).ok();
    }

    fn error(&self, tp: &TopicPartition, failure: Failure) -> Error {
        let said = |last: i16| Error::broker("Produce", tp.to_string(), last);
        let late = |last: i16| Error::Timeout {
            what: "sending a batch",
            after: self.config.delivery_timeout,
            last: match last {
                0 => self.brokers.last_fault().cloned().map(Box::new),
                last => Some(Box::new(said(last))),
            },
        };
        match failure {
            Failure::Refused { code } => said(code),
            Failure::Late { last } => late(last),
            Failure::Unknown { last } => {
                Error::Unknown { tp: tp.clone(), cause: Box::new(late(last)) }
            }
            Failure::NotOffered => {
                Error::NotOffered { feature: "compression.type=zstd", since: "2.1" }
            }
            Failure::Closed => Error::Closed,
        }
    }
}

const fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::None => Codec::None,
        Compression::Gzip => Codec::Gzip,
        Compression::Snappy => Codec::Snappy,
        Compression::Lz4 => Codec::Lz4,
        Compression::Zstd => Codec::Zstd,
    }
}
