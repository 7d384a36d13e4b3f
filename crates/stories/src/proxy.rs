//! What stands between clients and brokers? A middlebox that forgets connections without a word, and
//! doors whose ports lead elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use forebay::Address;
use forebay::net::connector::{Connecting, Connector, Stream, TcpConnector};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::story::Ending;

/// Ways to brokers, one for each address that was dialled.
#[derive(Clone, Debug)]
pub(crate) struct Middlebox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ways: Mutex<BTreeMap<(String, u16), u16>>,
    /// Connections older than this generation are forgotten.
    generation: watch::Sender<u64>,
    dialled: Mutex<usize>,
    tcp: TcpConnector,
}

impl Middlebox {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            ways: Mutex::default(),
            generation: watch::channel(0).0,
            dialled: Mutex::default(),
            tcp: TcpConnector::default(),
        }))
    }

    /// From now on the connections that there are carry nothing more, and nobody is told. New ones
    /// are served.
    pub(crate) fn forget(&self) {
        self.0.generation.send_modify(|generation| *generation += 1);
    }

    /// How many connections were made.
    pub(crate) fn dialled(&self) -> usize {
        *self.0.dialled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port here that leads to `address`.
    async fn way_to(&self, address: &Address) -> std::io::Result<u16> {
        let key = (address.host.to_string(), address.port);
        if let Some(port) = self.ways().get(&key) {
            return Ok(*port);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        self.ways().insert(key.clone(), port);
        tokio::spawn(serve(listener, key, self.0.generation.subscribe()));
        Ok(port)
    }

    fn ways(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, u16), u16>> {
        self.0.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector for Middlebox {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            *self.0.dialled.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let port = self.way_to(address).await?;
            let stream: Stream =
                self.0.tcp.connect(&Address { host: "127.0.0.1".into(), port }).await?;
            Ok(stream)
        })
    }
}

async fn serve(listener: TcpListener, to: (String, u16), generation: watch::Receiver<u64>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&to).await else { continue };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(pass(from_client, to_server, generation.clone()));
        tokio::spawn(pass(from_server, to_client, generation.clone()));
    }
}

/// Moves bytes one way until the connection ends or is forgotten; a forgotten one stays open.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut generation: watch::Receiver<u64>,
) {
    generation.mark_unchanged();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            biased;
            _ = generation.changed() => break,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
    // Both halves are kept: closing them would tell somebody.
    std::future::pending::<()>().await;
    drop((from, to));
}

/// A port that leads to another one, and closes with all that came through it when dropped.
#[derive(Debug)]
pub(crate) struct Door {
    port: u16,
    target: watch::Sender<u16>,
    task: tokio::task::JoinHandle<()>,
}

impl Door {
    pub(crate) async fn open(to: u16) -> Result<Self, Ending> {
        let io = |source| Ending::Io { what: "a port to listen at", source };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
        let port = listener.local_addr().map_err(io)?.port();
        let (target, leads_to) = watch::channel(to);
        let task = tokio::spawn(async move {
            let mut inside = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                inside.spawn(lead(client, *leads_to.borrow()));
            }
        });
        Ok(Self { port, target, task })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// From now on it leads there.
    pub(crate) fn lead_to(&self, port: u16) {
        self.target.send_replace(port);
    }
}

async fn lead(mut client: TcpStream, to: u16) {
    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
        // Whoever closes first has ended it.
        drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}
