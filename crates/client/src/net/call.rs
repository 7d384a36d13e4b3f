//! One request on its way: its bytes, once the version is known, and what becomes of the answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use forebay_core::cluster::Destination;
use forebay_core::connection::{self, Fault};
use forebay_core::time::Instant;
use forebay_protocol::api::{ApiKey, Request};
use forebay_protocol::messages as m;
use forebay_protocol::wire::Str;
use forebay_protocol::{request, response};

use crate::error::Error;

/// Answers that may ask for quiet (KIP-219).
pub(crate) trait Throttled {
    /// How long the broker asks this connection to keep quiet, in milliseconds.
    fn throttle_time_ms(&self) -> i32;
}

macro_rules! throttled {
    ($($name:ident)*) => {
        $(impl Throttled for m::$name {
            fn throttle_time_ms(&self) -> i32 {
                self.throttle_time_ms
            }
        })*
    };
}

throttled! {
    ConsumerGroupDescribeResponse ConsumerGroupHeartbeatResponse DeleteGroupsResponse
    DescribeGroupsResponse ListGroupsResponse
    AlterConfigsResponse AlterPartitionReassignmentsResponse CreatePartitionsResponse
    CreateTopicsResponse DeleteRecordsResponse DeleteTopicsResponse DescribeConfigsResponse
    DescribeLogDirsResponse ElectLeadersResponse FindCoordinatorResponse HeartbeatResponse
    IncrementalAlterConfigsResponse InitProducerIdResponse JoinGroupResponse LeaveGroupResponse
    ListOffsetsResponse ListPartitionReassignmentsResponse MetadataResponse OffsetCommitResponse
    OffsetFetchResponse ProduceResponse SyncGroupResponse
}

/// What to do with the answer, or with its absence.
type Reply<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

/// A request of any type, and where it wants to go.
pub(crate) struct Call {
    exchange: Box<dyn Exchange>,
    /// Who is to answer.
    pub(crate) to: Destination,
    /// When to give up finding whom to ask.
    pub(crate) deadline: Instant,
    /// How long the answer may take once it is written.
    pub(crate) timeout: Duration,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {:?}", self.exchange.api(), self.to)
    }
}

/// Which of the connections to a broker a call takes. A broker answers the requests of a connection
/// one after another, so one that waits for others would hold up all behind it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Line {
    /// Answered at once.
    Common,
    /// Answered when others have done their part: `JoinGroup`, `SyncGroup`.
    Waiting,
}

/// How a call is bounded in time, and in the version it may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// When to give up finding whom to ask.
    pub(crate) deadline: Instant,
    /// How long the answer may take once it is written.
    pub(crate) timeout: Duration,
    /// The oldest and newest version the caller can use.
    pub(crate) accepts: (i16, i16),
}

impl Call {
    /// A call whose answer `reply` gets. `make` writes it down once the version is known.
    pub(crate) fn new<R>(
        to: Destination,
        make: impl Fn(i16) -> R + Send + 'static,
        limits: Limits,
        reply: impl FnOnce(Result<R::Response, Error>) + Send + 'static,
    ) -> Self
    where
        R: Request<Response: Throttled> + Send + 'static,
    {
        let exchange = Typed { make, accepts: limits.accepts, reply: Box::new(reply) };
        Self {
            exchange: Box::new(exchange),
            to,
            deadline: limits.deadline,
            timeout: limits.timeout,
        }
    }

    /// The answer came. Says how long the broker asks for quiet.
    ///
    /// # Errors
    ///
    /// When the bytes are no such answer: the connection is out of step.
    pub(crate) fn answer(self, version: i16, frame: Bytes) -> Result<Duration, Fault> {
        self.exchange.answer(version, frame)
    }

    /// Which connection it takes.
    pub(crate) fn line(&self) -> Line {
        let waits = matches!(self.exchange.api(), ApiKey::JoinGroup | ApiKey::SyncGroup);
        if waits { Line::Waiting } else { Line::Common }
    }

    /// No answer will come.
    pub(crate) fn fail(self, error: Error) {
        self.exchange.fail(error);
    }
}

impl connection::Call for Call {
    fn api(&self) -> ApiKey {
        self.exchange.api()
    }

    fn accepts(&self) -> (i16, i16) {
        self.exchange.accepts()
    }

    fn encode(&self, version: i16, correlation: i32, client_id: &Str) -> Result<Vec<Bytes>, Fault> {
        self.exchange.encode(version, correlation, client_id)
    }
}

/// A [`Call`] without its type.
trait Exchange: Send {
    fn api(&self) -> ApiKey;
    fn accepts(&self) -> (i16, i16);
    fn encode(&self, version: i16, correlation: i32, client_id: &Str) -> Result<Vec<Bytes>, Fault>;
    fn answer(self: Box<Self>, version: i16, frame: Bytes) -> Result<Duration, Fault>;
    fn fail(self: Box<Self>, error: Error);
}

struct Typed<R: Request, F> {
    make: F,
    accepts: (i16, i16),
    reply: Reply<R::Response>,
}

impl<R, F> Exchange for Typed<R, F>
where
    R: Request<Response: Throttled>,
    F: Fn(i16) -> R + Send,
{
    fn api(&self) -> ApiKey {
        R::API
    }

    fn accepts(&self) -> (i16, i16) {
        self.accepts
    }

    fn encode(&self, version: i16, correlation: i32, client_id: &Str) -> Result<Vec<Bytes>, Fault> {
        let body = (self.make)(version);
        Ok(request::encode_parts(&body, version, correlation, Some(client_id))?)
    }

    fn answer(self: Box<Self>, version: i16, frame: Bytes) -> Result<Duration, Fault> {
        let decoded = response::correlation_id(&frame)
            .and_then(|correlation| response::decode::<R>(frame, version, correlation));
        match decoded {
            Ok(body) => {
                let quiet = u64::try_from(body.throttle_time_ms()).unwrap_or(0);
                (self.reply)(Ok(body));
                Ok(Duration::from_millis(quiet))
            }
            Err(error) => {
                (self.reply)(Err(Error::Connection { address: None, fault: error.into() }));
                Err(error.into())
            }
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        (self.reply)(Err(error));
    }
}
