//! Carries out what the produce side's router wants: seals batches, sends them, tells receipts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_core::backoff;
use forebay_core::cluster::Destination;
use forebay_core::cluster::metadata::Metadata;
use forebay_core::producer::{
    self as machine, Answer, BatchId, Failure, Identity, Output, RequestId, Sequencing, Stamp,
};
use forebay_core::rng::Rng;
use forebay_core::time::Instant;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::messages as m;
use forebay_protocol::records::batch::ProduceKind;
use forebay_protocol::records::builder::{Producer as Writer, SealedBatch};
use forebay_protocol::records::codec::{Codec, Compressor, Levels};
use forebay_protocol::types::{BrokerId, Offset, TopicPartition};
use tokio::sync::{mpsc, oneshot, watch};

use super::append::{Closed, Opened, Pool};
use super::receipt::BatchResult;
use super::translate;
use crate::cluster::{Cluster, Patience, Route};
use crate::config::{Compression, ConfigError, ProducerConfig};
use crate::error::Error;
use crate::runtime::Clock;

/// How long a leader may be out of reach before its batches are taken back: it may have moved.
const REACH: Duration = Duration::from_secs(2);

/// What users tell the driver.
#[derive(Debug)]
pub(super) enum Input {
    /// A batch begins to linger.
    Opened(Opened),
    /// A batch is full.
    Closed(Closed),
    /// Send everything, and say when all of it is answered.
    Flush(oneshot::Sender<Result<(), Error>>),
    /// The deadline of `close` passed, or everything is through: the end.
    Close,
}

/// What brokers tell the driver.
#[derive(Debug)]
enum News {
    Produced(RequestId, Answer),
    Identity(Result<Identity, Option<i16>>),
}

/// A sealed batch until its result is told.
#[derive(Debug)]
struct Pending {
    sealed: SealedBatch,
    result: Arc<BatchResult>,
    tp: TopicPartition,
    reserved: usize,
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
    compressor: Compressor,
    pending: BTreeMap<BatchId, Pending>,
    next_batch: u64,
    lingering: VecDeque<(Instant, Opened)>,
    flushes: Vec<Flush>,
    /// First failure since the last flush.
    failure: Option<Error>,
    news: (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
}

impl Driver {
    pub(super) fn new(
        config: Arc<ProducerConfig>,
        cluster: Cluster,
        pool: Arc<Pool>,
        clock: Clock,
    ) -> Self {
        let client = &config.client;
        let rng = Rng::from_seed(client.seed().wrapping_add(2));
        let retry = backoff::Config { first: client.retry_backoff, max: client.retry_backoff_max };
        let settings = machine::Config {
            sequencing: if config.idempotence { Sequencing::Idempotent } else { Sequencing::None },
            max_in_flight: config.max_in_flight,
            max_request_bytes: config.max_request_size.max(config.batch_size),
            delivery_timeout: config.delivery_timeout,
            retry,
        };
        Self {
            machine: machine::Producer::new(settings, rng),
            metadata: cluster.metadata(),
            cluster,
            config,
            clock,
            pool,
            compressor: Compressor::new(Levels::default()),
            pending: BTreeMap::new(),
            next_batch: 0,
            lingering: VecDeque::new(),
            flushes: Vec::new(),
            failure: None,
            news: mpsc::unbounded_channel(),
        }
    }

    /// Serves until it is closed; when all handles are gone, until everything is through.
    pub(super) async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        let mut has_users = true;
        while has_users || !self.pending.is_empty() {
            self.deliver();
            let deadline = self.deadline();
            tokio::select! {
                biased;
                Some(news) = self.news.1.recv() => self.handle_news(news),
                input = inputs.recv(), if has_users => match input {
                    Some(Input::Close) => break,
                    Some(input) => self.handle_input(input),
                    None => {
                        has_users = false;
                        self.close_all();
                    }
                },
                Ok(()) = self.metadata.changed() => self.handle_metadata(),
                () = self.clock.sleep_until(deadline) => self.handle_timeout(),
            }
        }
        self.end(inputs);
    }

    fn handle_input(&mut self, input: Input) {
        match input {
            Input::Opened(opened) => {
                self.lingering.push_back((self.clock.now().after(self.config.linger), opened));
            }
            Input::Closed(closed) => self.seal(closed),
            Input::Flush(reply) => {
                self.close_all();
                self.flushes.push(Flush { until: BatchId(self.next_batch), reply });
                self.answer_flushes();
            }
            Input::Close => {}
        }
    }

    fn handle_news(&mut self, news: News) {
        let now = self.clock.now();
        match news {
            News::Produced(request, answer) => self.machine.handle_answer(now, request, answer),
            News::Identity(Ok(identity)) => self.machine.handle_identity(now, Some(identity)),
            News::Identity(Err(Some(code))) if !ErrorCode(code).is_retriable() && 0 < code => {
                self.machine.handle_no_identity(now, code);
            }
            News::Identity(Err(_)) => self.machine.handle_identity(now, None),
        }
    }

    fn handle_metadata(&mut self) {
        let metadata = Arc::clone(&self.metadata.borrow_and_update());
        self.machine.handle_metadata(self.clock.now(), metadata);
    }

    fn handle_timeout(&mut self) {
        let now = self.clock.now();
        while let Some((_, opened)) = self.lingering.pop_front_if(|(due, _)| *due <= now) {
            if let Some(closed) = opened.close() {
                self.seal(closed);
            }
        }
        self.machine.handle_timeout(now);
    }

    fn deadline(&self) -> Option<Instant> {
        let linger = self.lingering.front().map(|(due, _)| *due);
        linger.into_iter().chain(self.machine.poll_timeout(self.clock.now())).min()
    }

    fn close_all(&mut self) {
        self.lingering.clear();
        for closed in self.pool.close_all() {
            self.seal(closed);
        }
    }

    /// Packs a batch and hands it to the machine.
    fn seal(&mut self, closed: Closed) {
        let Closed { tp, mut builder, result, reserved } = closed;
        let codec = codec(self.config.compression);
        match builder.seal(codec, ProduceKind::default(), &mut self.compressor) {
            Ok(Some(sealed)) => {
                let id = BatchId(self.next_batch);
                self.next_batch = self.next_batch.wrapping_add(1);
                let size = (sealed.count(), sealed.bytes().len());
                self.pending.insert(id, Pending { sealed, result, tp: tp.clone(), reserved });
                self.machine.handle_batch(self.clock.now(), &tp, id, size);
            }
            Ok(None) => self.pool.room.add_permits(reserved),
            Err(_) => {
                let expected = "a codec that this program was built with";
                let error = ConfigError::new("compression.type", codec.name(), expected).into();
                self.tell(&result, reserved, Err(error));
            }
        }
    }

    /// Carries out what the machine asks for.
    fn deliver(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { request, broker, batches, patience } => {
                    self.send(request, broker, &batches, patience);
                }
                Output::InitProducerId => self.ask_identity(),
                Output::StaleMetadata => self.cluster.stale(),
                Output::Done { batch, result } => self.done(batch, result),
            }
        }
    }

    fn send(
        &mut self,
        request: RequestId,
        broker: BrokerId,
        batches: &[(TopicPartition, BatchId, Option<Stamp>)],
        patience: Duration,
    ) {
        let mut bodies = Vec::with_capacity(batches.len());
        for (tp, id, stamp) in batches {
            let Some(pending) = self.pending.get_mut(id) else { continue };
            if let Some(Stamp { identity, sequence }) = *stamp {
                let Identity { id, epoch } = identity;
                pending.sealed.stamp(Writer { id, epoch, base_sequence: sequence });
            }
            bodies.push((tp.clone(), Bytes::copy_from_slice(pending.sealed.bytes())));
        }
        let body = translate::produce(&self.config, bodies);
        let accepts = translate::accepts(self.config.compression);
        let news = self.news.0.clone();
        let to = Destination::Broker(broker);
        let patience = Patience {
            leave: patience.min(REACH),
            answer: patience.min(self.config.client.request_timeout),
        };
        let route = Route { to, accepts, patience };
        self.cluster.send_on(
            route,
            move |_| body.clone(),
            move |answer| {
                let answer = translate::answer(answer);
                drop(news.send(News::Produced(request, answer)));
            },
        );
    }

    fn ask_identity(&self) {
        let news = self.news.0.clone();
        let make = |_| m::InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        self.cluster.send(Destination::Any, make, (0, i16::MAX), move |answer| {
            let identity = match answer {
                Ok(answer) => translate::identity(&answer).map_err(Some),
                Err(_) => Err(None),
            };
            drop(news.send(News::Identity(identity)));
        });
    }

    fn done(&mut self, batch: BatchId, result: Result<Option<Offset>, Failure>) {
        let Some(Pending { result: told, tp, reserved, .. }) = self.pending.remove(&batch) else {
            return;
        };
        let result = result.map_err(|failure| self.error(&tp, failure));
        self.tell(&told, reserved, result);
        self.answer_flushes();
    }

    fn tell(&mut self, told: &BatchResult, reserved: usize, result: Result<Option<Offset>, Error>) {
        if let Err(error) = &result {
            tracing::warn!(target: "forebay::produce", %error, "a batch failed");
            self.failure.get_or_insert_with(|| error.clone());
        }
        told.tell(result);
        self.pool.room.add_permits(reserved);
    }

    fn answer_flushes(&mut self) {
        let oldest = self.pending.keys().next().copied();
        let failure = &mut self.failure;
        let through = |flush: &mut Flush| oldest.is_none_or(|oldest| flush.until <= oldest);
        for flush in self.flushes.extract_if(.., through) {
            drop(flush.reply.send(failure.take().map_or(Ok(()), Err)));
        }
    }

    /// What waits fails, and so does what still comes in.
    fn end(&mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        self.pool.room.close();
        inputs.close();
        self.machine.handle_close();
        self.deliver();
        let mut left = self.pool.close_all();
        while let Ok(input) = inputs.try_recv() {
            if let Input::Closed(closed) = input {
                left.push(closed);
            }
        }
        for closed in left {
            self.tell(&closed.result, closed.reserved, Err(Error::Closed));
        }
    }

    fn error(&self, tp: &TopicPartition, failure: Failure) -> Error {
        let late = || Error::Timeout {
            what: "sending a batch",
            after: self.config.delivery_timeout,
            last: None,
        };
        match failure {
            Failure::Refused { code } => Error::broker("Produce", tp.to_string(), code),
            Failure::Late => late(),
            Failure::Unknown => Error::Unknown { tp: tp.clone(), cause: Box::new(late()) },
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
