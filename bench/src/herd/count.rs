//! How many bytes went over the sockets of all members, both ways?

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use forebay::Address;
use forebay::net::connector::{Connecting, Connector, Stream, TcpConnector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What all members sent and received.
#[derive(Debug, Default)]
pub(super) struct Traffic(AtomicU64);

impl Traffic {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Dials as the product does, and counts.
#[derive(Debug)]
pub(super) struct Counted {
    tcp: TcpConnector,
    traffic: Arc<Traffic>,
}

impl Counted {
    pub(super) fn new(traffic: Arc<Traffic>) -> Self {
        Self { tcp: TcpConnector::default(), traffic }
    }
}

impl Connector for Counted {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            let (stream, traffic) = (self.tcp.connect(address).await?, Arc::clone(&self.traffic));
            Ok(Stream::Other(Box::new(Socket { stream, traffic })))
        })
    }
}

struct Socket {
    stream: Stream,
    traffic: Arc<Traffic>,
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut socket.stream).poll_read(cx, buffer);
        socket.traffic.add(buffer.filled().len().saturating_sub(before));
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let polled = Pin::new(&mut socket.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            socket.traffic.add(written);
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
