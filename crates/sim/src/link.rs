//! The way from a client to the brokers: a pipe that can be cut and that a witness reads along.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use forebay::Address;
use forebay::net::connector::{Connecting, Connector, Stream};
use forebay_broker::Broker;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::recorder::Recorder;
use crate::wire::{Talk, Witness};

/// What a system takes up of a connection while nobody reads.
const BUFFER: usize = 256 << 10;

/// A client's way to all brokers.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) broker: Arc<Broker>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) state: Arc<Mutex<Passage>>,
    /// Reads along what a member says; nobody does for a producer.
    pub(crate) witness: Option<Arc<Mutex<Witness>>>,
    /// What arrives is taken up, and heard by the witness, although the client is frozen.
    pub(crate) is_buffered: bool,
}

/// What becomes of what is sent.
#[derive(Debug, Default)]
pub(crate) enum Passage {
    /// It comes through.
    #[default]
    Open,
    /// It is refused, and those who send hear of it.
    Cut,
    /// It waits, and nobody hears anything.
    Stalled(Vec<Waker>),
}

impl Way {
    /// Nothing comes through from now on.
    pub(crate) fn cut(&self) {
        self.turn(Passage::Cut);
    }

    /// Nothing comes through, and nobody is told.
    pub(crate) fn stall(&self) {
        self.turn(Passage::Stalled(Vec::new()));
    }

    /// It does again; what was cut over new connections.
    pub(crate) fn mend(&self) {
        self.turn(Passage::Open);
    }

    fn turn(&self, passage: Passage) {
        let before = std::mem::replace(&mut *self.passage(), passage);
        if let Passage::Stalled(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn passage(&self) -> MutexGuard<'_, Passage> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when something may come through.
    fn poll_open(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.passage() {
            Passage::Open => Poll::Ready(Ok(())),
            Passage::Cut => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            Passage::Stalled(wakers) => {
                wakers.push(cx.waker().clone());
                Poll::Pending
            }
        }
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
        let way = self.clone();
        Box::pin(async move {
            std::future::poll_fn(|cx| way.poll_open(cx)).await?;
            let pipe = way.broker.dial(&address.host, address.port)?;
            let (talk, is_buffered) = (Talk::default(), way.is_buffered);
            let tap = Tap { pipe, way, number, talk };
            Ok(Stream::Other(if is_buffered { Box::new(buffered(tap)) } else { Box::new(tap) }))
        })
    }
}

/// A system's buffer between a process and its connection.
fn buffered(mut tap: Tap) -> DuplexStream {
    let (mut near, far) = tokio::io::duplex(BUFFER);
    drop(tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut tap).await }));
    far
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
        ready!(tap.way.poll_open(cx))?;
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
        ready!(tap.way.poll_open(cx))?;
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
