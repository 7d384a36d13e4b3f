//! Listens on loopback.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::BrokerId;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::server::{Shared, serve};

/// How long nothing is accepted after the system refused to.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn listen(address: (Ipv4Addr, u16)) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Accepts a node's connections, one task each; they end with this one.
pub(crate) async fn accept(listener: TcpListener, node: BrokerId, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Only a little slower without it.
                    drop(stream.set_nodelay(true));
                    connections.spawn(serve(Arc::clone(&shared), node, stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}
