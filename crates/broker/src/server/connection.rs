//! Moves bytes between one connection and the machine.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use forebay_protocol::types::BrokerId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Order, Shared};
use crate::connection::ConnectionId;

/// What a connection can be made of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// The largest frame that is read, in bytes: as much as Kafka takes by default.
const MAX_FRAME: usize = 100 << 20;
/// How much is read at once when nothing is known yet.
const READ: usize = 16 << 10;
/// How much more memory a frame gets before more of it has come.
const GROWTH: usize = 2 << 20;
/// How many requests of a connection are taken before the first is answered.
const PIPELINE: usize = 64;

/// Serves one connection until it ends.
pub(crate) async fn serve(shared: Arc<Shared>, node: BrokerId, stream: impl Stream) {
    let Some((id, orders)) = shared.connect(node) else { return };
    let (read, write) = tokio::io::split(stream);
    let mut link = Link { shared: &shared, id, in_flight: 0 };
    if let Err(error) = link.run(Frames::new(read), write, orders).await {
        tracing::warn!(connection = id.0, %error, "connection closed");
    }
    shared.disconnect(id);
}

struct Link<'a> {
    shared: &'a Shared,
    id: ConnectionId,
    in_flight: usize,
}

impl Link<'_> {
    async fn run<S: Stream>(
        &mut self,
        mut frames: Frames<ReadHalf<S>>,
        mut write: WriteHalf<S>,
        mut orders: UnboundedReceiver<Order>,
    ) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => {
                    let Some(order) = order else { return Ok(()) };
                    if !self.carry_out(order, &mut write).await? {
                        return Ok(());
                    }
                }
                frame = frames.next(), if self.in_flight < PIPELINE => {
                    let Some(frame) = frame? else { return Ok(()) };
                    self.in_flight += 1;
                    self.shared.drive(|cluster, now| cluster.handle(now, self.id, frame));
                }
            }
        }
    }

    /// Whether the connection goes on.
    async fn carry_out(
        &mut self,
        order: Order,
        write: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<bool> {
        match order {
            Order::Send(mut answer) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                write.write_all_buf(&mut answer).await?;
                write.flush().await?;
                Ok(true)
            }
            Order::Done => {
                self.in_flight = self.in_flight.saturating_sub(1);
                Ok(true)
            }
            Order::Close => {
                write.shutdown().await?;
                Ok(false)
            }
        }
    }
}

/// Cuts what is read into frames. Memory grows with bytes that came, not with lengths announced.
struct Frames<R> {
    read: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    fn new(read: R) -> Self {
        Self { read, buffer: BytesMut::new() }
    }

    /// The next frame without its length; `None` at the end. Cancel safe.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let missing = match self.buffer.first_chunk() {
                None => READ,
                Some(prefix) => {
                    let len = checked(i32::from_be_bytes(*prefix))?;
                    if self.buffer.len() >= len + 4 {
                        self.buffer.advance(4);
                        return Ok(Some(self.buffer.split_to(len).freeze()));
                    }
                    (len + 4 - self.buffer.len()).clamp(1, GROWTH)
                }
            };
            if self.buffer.capacity() - self.buffer.len() < missing {
                self.buffer.reserve(missing);
            }
            if self.read.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn checked(len: i32) -> io::Result<usize> {
    let refuse = || {
        let what = format!("a frame announces {len} bytes; 0 to {MAX_FRAME} are taken");
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    usize::try_from(len).ok().filter(|len| *len <= MAX_FRAME).ok_or_else(refuse)
}
