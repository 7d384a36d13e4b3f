//! The producer's own connections: one per broker, so that no question about the cluster waits
//! behind batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::cluster::Destination;
use forebay_core::connection;
use forebay_core::orders::Address;
use forebay_protocol::messages as m;
use forebay_protocol::types::BrokerId;
use tokio::sync::mpsc;

use crate::config::ProducerConfig;
use crate::error::Error;
use crate::net::call::{Call, Limits, Line};
use crate::net::connector::Connector;
use crate::net::peer::{Event, Peer};
use crate::runtime::Clock;

/// Connections, by broker.
#[derive(Debug)]
pub(super) struct Brokers {
    connector: Arc<dyn Connector>,
    config: connection::Config,
    clock: Clock,
    peers: BTreeMap<BrokerId, mpsc::UnboundedSender<Call>>,
    /// What becomes of connections.
    pub(super) events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    /// How the last connection that failed did so.
    last_fault: Option<Error>,
}

impl Brokers {
    pub(super) fn new(
        config: &ProducerConfig,
        connector: Arc<dyn Connector>,
        clock: Clock,
    ) -> Self {
        let client = &config.client;
        let connection = connection::Config {
            client_id: (&*client.client_id).into(),
            setup_timeout: client.connection_setup_timeout,
            max_idle: client.connections_max_idle,
            receive_max_bytes: client.receive_max_bytes,
            max_in_flight: config.max_in_flight,
        };
        Self {
            connector,
            config: connection,
            clock,
            peers: BTreeMap::new(),
            events: mpsc::unbounded_channel(),
            last_fault: None,
        }
    }

    /// Begins to connect; an event says how it went.
    pub(super) fn connect(&mut self, broker: BrokerId, address: Address) {
        let (calls, call_rx) = mpsc::unbounded_channel();
        let peer = Peer {
            broker,
            line: Line::Common,
            address,
            connector: Arc::clone(&self.connector),
            config: self.config.clone(),
            clock: self.clock,
        };
        self.peers.insert(broker, calls);
        tokio::spawn(peer.run(call_rx, self.events.0.clone()));
    }

    /// Sends a request over the broker's connection. `reply` hears [`Error::Timeout`] when it was
    /// never written.
    pub(super) fn send(
        &self,
        broker: BrokerId,
        body: m::ProduceRequest,
        (timeout, accepts): (Duration, (i16, i16)),
        reply: impl FnOnce(Result<m::ProduceResponse, Error>) + Send + 'static,
    ) {
        let limits = Limits { deadline: self.clock.now(), timeout, accepts };
        let call = Call::new(Destination::Broker(broker), move |_| body.clone(), limits, reply);
        let unsent = match self.peers.get(&broker) {
            Some(peer) => peer.send(call).err().map(|unsent| unsent.0),
            None => Some(call),
        };
        if let Some(call) = unsent {
            call.fail(not_sent());
        }
    }

    /// A connection has ended.
    pub(super) fn ended(
        &mut self,
        broker: BrokerId,
        fault: connection::Fault,
        returned: Vec<Call>,
        address: Option<Address>,
    ) {
        self.peers.remove(&broker);
        returned.into_iter().for_each(|call| call.fail(not_sent()));
        if fault != connection::Fault::ClosedHere {
            self.last_fault = Some(Error::Connection { address, fault });
        }
    }

    /// The handshake with somebody went well: what failed before explains nothing any more.
    pub(super) fn is_well(&mut self) {
        self.last_fault = None;
    }

    /// How the last connection that failed did so, when none came up since.
    pub(super) const fn last_fault(&self) -> Option<&Error> {
        self.last_fault.as_ref()
    }
}

/// The connection ended before the request was written.
const fn not_sent() -> Error {
    Error::Timeout { what: "reaching the leader", after: Duration::ZERO, last: None }
}
