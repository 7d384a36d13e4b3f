//! The channels between owners. Every message from one plane to another passes here.
//!
//! Unbounded on purpose: what they carry is bounded by its nature (orders and reports are per
//! partition and event, at most one frontier per partition and tick), and a sender that waited for
//! room would stop listening.

use std::task::Poll;

use tokio::sync::mpsc;

/// The sending end of a link. Clones send to the same receiver.
#[derive(Debug)]
pub(crate) struct Sender<T>(mpsc::UnboundedSender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Sends without waiting; `false` when the receiver is gone.
    pub(crate) fn send(&self, message: T) -> bool {
        self.0.send(message).is_ok()
    }
}

/// The receiving end of a link.
#[derive(Debug)]
pub(crate) struct Receiver<T>(mpsc::UnboundedReceiver<T>);

impl<T> Receiver<T> {
    /// The next message; `None` when all senders are gone. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        self.0.recv().await
    }

    /// The next message, for hand-written futures; `None` when all senders are gone.
    pub(crate) fn poll_recv(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }

    /// The next message if one waits.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

/// A new link.
pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Sender(sender), Receiver(receiver))
}
