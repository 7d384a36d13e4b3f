//! Who may pass now? Blocks hold frames back, cuts end connections.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Nobody passes who matches: `None` stands for all.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Block {
    client: Option<String>,
    node: Option<i32>,
}

impl Block {
    fn concerns(&self, client: Option<&str>, node: i32) -> bool {
        let is_client = self.client.is_none() || self.client.as_deref() == client;
        is_client && self.node.is_none_or(|it| it == node)
    }
}

/// All blocks, and what was cut.
#[derive(Debug)]
pub(crate) struct Gate {
    blocks: Mutex<Vec<Block>>,
    /// Counts changes of the blocks.
    changed: watch::Sender<u64>,
    /// The last cut, and how many there were.
    cut: watch::Sender<(u64, Option<String>, Option<i32>)>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let blocks = Mutex::default();
        Self { blocks, changed: watch::channel(0).0, cut: watch::channel((0, None, None)).0 }
    }

    pub(crate) fn block(&self, client: Option<&str>, node: Option<i32>) {
        self.lock().push(Block { client: client.map(str::to_owned), node });
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn open(&self) {
        self.lock().clear();
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn cut(&self, client: Option<&str>, node: Option<i32>) {
        self.cut.send_modify(|cut| *cut = (cut.0 + 1, client.map(str::to_owned), node));
    }

    /// Returns when nothing holds this client back.
    pub(crate) async fn pass(&self, client: Option<&str>, node: i32) {
        let mut changed = self.changed.subscribe();
        while self.lock().iter().any(|block| block.concerns(client, node)) {
            // The sender lives as long as we do.
            drop(changed.changed().await);
        }
    }

    /// Hears of cuts from now on.
    pub(crate) fn listen(&self) -> Cuts {
        Cuts(self.cut.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Block>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's ear for cuts.
#[derive(Debug)]
pub(crate) struct Cuts(watch::Receiver<(u64, Option<String>, Option<i32>)>);

impl Cuts {
    /// Returns when the connection of this client is cut.
    pub(crate) async fn heard(&mut self, client: impl Fn() -> Option<String>, node: i32) {
        while self.0.changed().await.is_ok() {
            let (_, whose, at) = self.0.borrow_and_update().clone();
            let block = Block { client: whose, node: at };
            if block.concerns(client().as_deref(), node) {
                return;
            }
        }
    }
}
