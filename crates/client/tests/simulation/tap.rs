//! A connector that listens: every byte on every pipe, with its time, goes into one hash.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use forebay::Address;
use forebay::net::connector::{Connecting, Connector, Stream};
use forebay_broker::Broker;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;

/// What was heard so far, as one number (FNV-1a, the same in every process).
#[derive(Debug)]
pub struct Trace {
    born: Instant,
    heard: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    hash: u64,
    events: u64,
    connections: u64,
}

impl Trace {
    pub fn new() -> Arc<Self> {
        let heard = Heard { hash: 0xcbf2_9ce4_8422_2325, events: 0, connections: 0 };
        Arc::new(Self { born: Instant::now(), heard: Mutex::new(heard) })
    }

    /// Hears something: who, and what.
    pub fn hear(&self, who: u64, what: &[u8]) {
        let nanos = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut heard = self.heard.lock().unwrap();
        heard.events += 1;
        let said = [nanos.to_be_bytes(), who.to_be_bytes()];
        for byte in said.iter().flatten().chain(what) {
            heard.hash = (heard.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash, and of how many events.
    pub fn told(&self) -> (u64, u64) {
        let heard = self.heard.lock().unwrap();
        (heard.hash, heard.events)
    }

    /// How often a connection was asked for.
    pub fn dialled(&self) -> u64 {
        self.heard.lock().unwrap().connections
    }

    fn new_connection(&self) -> u64 {
        let mut heard = self.heard.lock().unwrap();
        heard.connections += 1;
        heard.connections
    }
}

/// Dials the broker through memory and lets a trace listen.
pub struct Tapped {
    pub broker: Arc<Broker>,
    pub trace: Arc<Trace>,
}

impl std::fmt::Debug for Tapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tapped")
    }
}

impl Connector for Tapped {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        let number = self.trace.new_connection();
        self.trace.hear(number, format!("dial {}:{}", address.host, address.port).as_bytes());
        let dialled = self.broker.dial(&address.host, address.port);
        let trace = Arc::clone(&self.trace);
        Box::pin(async move {
            let pipe = dialled?;
            Ok(Stream::Other(Box::new(Tap { pipe, trace, number })))
        })
    }
}

struct Tap {
    pipe: DuplexStream,
    trace: Arc<Trace>,
    number: u64,
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut tap.pipe).poll_read(cx, buffer);
        if polled.is_ready() {
            tap.trace.hear(tap.number, b"read");
            tap.trace.hear(tap.number, &buffer.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tap = self.get_mut();
        let polled = Pin::new(&mut tap.pipe).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            tap.trace.hear(tap.number, b"write");
            tap.trace.hear(tap.number, &bytes[..written]);
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_shutdown(cx)
    }
}
