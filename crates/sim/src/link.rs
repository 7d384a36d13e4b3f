//! The way from a client to the brokers: a pipe that can be cut and that a witness reads along.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use forebay::Address;
use forebay::net::connector::{Connecting, Connector, Stream};
use forebay_broker::Broker;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::recorder::Recorder;
use crate::wire::{Talk, Witness};

/// A client's way to all brokers.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) broker: Arc<Broker>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) is_cut: Arc<AtomicBool>,
    /// Reads along what a member says; nobody does for a producer.
    pub(crate) witness: Option<Arc<Mutex<Witness>>>,
}

impl Way {
    /// Nothing comes through from now on.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// It does again, over new connections.
    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

impl Connector for Way {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        let number = self.recorder.new_connection();
        self.recorder.hear(number, address.host.as_bytes());
        let dialled = self.check().and_then(|()| self.broker.dial(&address.host, address.port));
        let way = self.clone();
        Box::pin(async move {
            let (pipe, talk) = (dialled?, Talk::default());
            Ok(Stream::Other(Box::new(Tap { pipe, way, number, talk })))
        })
    }
}

struct Tap {
    pipe: DuplexStream,
    way: Way,
    number: u64,
    talk: Talk,
}

impl Tap {
    fn witness(&mut self, look: impl FnOnce(&mut Witness, &mut Talk)) {
        if let Some(witness) = &self.way.witness {
            let mut witness = witness.lock().unwrap_or_else(PoisonError::into_inner);
            look(&mut witness, &mut self.talk);
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        tap.way.check()?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut tap.pipe).poll_read(cx, buffer);
        if polled.is_ready() {
            let came = buffer.filled().get(before..).unwrap_or_default();
            tap.way.recorder.hear(tap.number, came);
            tap.witness(|witness, talk| witness.hear_broker(talk, came));
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
        tap.way.check()?;
        let polled = Pin::new(&mut tap.pipe).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            let went = bytes.get(..written).unwrap_or_default();
            tap.way.recorder.hear(tap.number, went);
            tap.witness(|witness, talk| witness.hear_client(talk, went));
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
