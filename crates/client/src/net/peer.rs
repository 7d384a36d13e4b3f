//! One broker as a task: dials, runs the connection, says how it ended.

use std::sync::Arc;

use forebay_core::connection::{Config, Fault, Versions};
use forebay_core::orders::Address;
use forebay_protocol::types::BrokerId;
use tokio::sync::mpsc;

use super::call::{Call, Line};
use super::connector::{Connector, Stream};
use super::socket::{Listener, Socket};
use crate::error::Error;
use crate::runtime::Clock;

/// What became of a broker's connection.
#[derive(Debug)]
pub(crate) enum Event {
    /// The handshake is done: which versions it speaks.
    Up(BrokerId, Line, Versions),
    /// The connection is over.
    Down {
        /// Whose.
        broker: BrokerId,
        /// Which of them.
        line: Line,
        /// Why.
        fault: Fault,
        /// Calls that never left.
        returned: Vec<Call>,
    },
}

/// What a connection task is started with.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The broker's number.
    pub(crate) broker: BrokerId,
    /// Which of the connections to it.
    pub(crate) line: Line,
    /// Where it is.
    pub(crate) address: Address,
    /// Dials.
    pub(crate) connector: Arc<dyn Connector>,
    /// Of the connection machine.
    pub(crate) config: Config,
    /// The clock of the plane.
    pub(crate) clock: Clock,
}

impl Peer {
    /// Serves `calls` on one connection, from dialling to its end, which is the last event.
    pub(crate) async fn run(
        self,
        mut calls: mpsc::UnboundedReceiver<Call>,
        events: mpsc::UnboundedSender<Event>,
    ) {
        let mut report = Report { peer: &self, events: &events, returned: Vec::new() };
        let fault = match self.dial().await {
            Ok(stream) => {
                let socket = Socket::new(stream, self.config.clone(), self.clock, &mut report);
                socket.run(&mut calls).await
            }
            Err(fault) => fault,
        };
        let mut returned = report.returned;
        calls.close();
        while let Some(call) = calls.recv().await {
            returned.push(call);
        }
        let Address { host, port } = &self.address;
        tracing::debug!(target: "forebay::net", broker = self.broker.0, %host, port, %fault, "down");
        drop(events.send(Event::Down { broker: self.broker, line: self.line, fault, returned }));
    }

    async fn dial(&self) -> Result<Stream, Fault> {
        let limit = self.config.setup_timeout;
        match tokio::time::timeout(limit, self.connector.connect(&self.address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                Err(Fault::Connect { kind: error.kind(), detail: error.to_string().into() })
            }
            Err(_) => Err(Fault::Setup { after: limit }),
        }
    }
}

/// Tells the owner what the socket says.
struct Report<'a> {
    peer: &'a Peer,
    events: &'a mpsc::UnboundedSender<Event>,
    returned: Vec<Call>,
}

impl Listener for Report<'_> {
    fn ready(&mut self, versions: &Versions) {
        tracing::debug!(target: "forebay::net", broker = self.peer.broker.0, "up");
        drop(self.events.send(Event::Up(self.peer.broker, self.peer.line, versions.clone())));
    }

    fn returned(&mut self, call: Call) {
        self.returned.push(call);
    }

    fn error(&self, fault: Fault) -> Error {
        Error::Connection { address: Some(self.peer.address.clone()), fault }
    }
}
