//! Connectors of tests: in-memory pipes to the in-process broker, or to a peer that only speaks
//! what the test says.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_broker::Broker;
use forebay_core::orders::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::connector::{Connecting, Connector, Stream};
use crate::config::{ClientConfig, parse_addresses};

/// Dials a broker through memory, and counts how often.
#[derive(Debug)]
pub(crate) struct Pipes {
    broker: Arc<Broker>,
    dialled: AtomicUsize,
}

impl Pipes {
    pub(crate) fn new(broker: &Arc<Broker>) -> Arc<Self> {
        Arc::new(Self { broker: Arc::clone(broker), dialled: AtomicUsize::new(0) })
    }

    /// How often a connection was asked for.
    pub(crate) fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

impl Connector for Pipes {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let dialled = self.broker.dial(&address.host, address.port);
        Box::pin(async move { dialled.map(|pipe| Stream::Other(Box::new(pipe))) })
    }
}

/// What a hostile peer does with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Takes everything and never says a word.
    Silent,
    /// Closes at once.
    Closes,
    /// Answers the first bytes with these, and goes on reading.
    Says(&'static [u8]),
    /// Refuses the connection.
    Refuses,
}

/// Dials a hostile peer, and counts how often.
#[derive(Debug)]
pub(crate) struct Hostile {
    manner: Manner,
    dialled: AtomicUsize,
}

impl Hostile {
    pub(crate) fn new(manner: Manner) -> Arc<Self> {
        Arc::new(Self { manner, dialled: AtomicUsize::new(0) })
    }

    pub(crate) fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

impl Connector for Hostile {
    fn connect<'a>(&'a self, _: &'a Address) -> Connecting<'a> {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let manner = self.manner.clone();
        Box::pin(async move {
            if matches!(manner, Manner::Refuses) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            tokio::spawn(behave(manner, theirs));
            Ok(Stream::Other(Box::new(ours)))
        })
    }
}

async fn behave(manner: Manner, mut pipe: DuplexStream) {
    if matches!(manner, Manner::Closes) {
        return;
    }
    let mut buffer = [0; 1024];
    let mut has_spoken = false;
    while let Ok(1..) = pipe.read(&mut buffer).await {
        if let (Manner::Says(words), false) = (&manner, has_spoken) {
            has_spoken = true;
            drop(pipe.write_all(words).await);
        }
    }
}

/// Settings for a client of `broker`, with a fixed seed.
pub(crate) fn client_of(broker: &Broker) -> ClientConfig {
    client_at(broker.bootstrap_servers())
}

/// Settings for a client with these bootstrap servers, with a fixed seed.
pub(crate) fn client_at(servers: &str) -> ClientConfig {
    ClientConfig {
        bootstrap_servers: parse_addresses(servers).unwrap(),
        seed: Some(7),
        ..ClientConfig::default()
    }
}

/// Polls until `done` says so; fails after an hour of virtual time.
pub(crate) async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..360_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
