//! In-memory connections, for tests under Tokio's paused clock.

use std::io;
use std::sync::Arc;

use forebay_protocol::types::BrokerId;
use tokio::io::DuplexStream;

use crate::cluster::NodeState;
use crate::server::{Broker, serve};

/// How many bytes a pipe holds in each direction before its writer waits.
const PIPE: usize = 256 << 10;

impl Broker {
    /// Connects to the node with this address, as [`Broker::bootstrap_servers`] and metadata name
    /// it, through memory. Both ends run on the current Tokio runtime.
    ///
    /// # Errors
    /// `NotFound` when no node has the address, `ConnectionRefused` when it is down.
    pub fn dial(&self, host: &str, port: u16) -> io::Result<DuplexStream> {
        let node = self.with(|cluster| {
            let mut nodes = cluster.nodes.iter();
            let at = nodes.find(|(_, node)| node.host == host && node.port == port);
            at.map(|(id, node)| (*id, node.state))
        });
        match node {
            Some((id, NodeState::Up | NodeState::Frozen)) => Ok(self.pipe(id)),
            Some((_, NodeState::Down)) => Err(io::ErrorKind::ConnectionRefused.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Connects to a node through memory. A node that is down closes the pipe at once.
    #[must_use]
    pub fn pipe(&self, node: BrokerId) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        // The task ends with the pipe, or when the broker closes its connections.
        tokio::spawn(serve(Arc::clone(self.shared()), node, ours));
        theirs
    }
}
