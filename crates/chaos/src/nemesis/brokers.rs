//! A broker is killed or frozen, and comes back while other things happen.

use std::sync::Arc;
use std::time::Duration;

use forebay_histcheck::{Notebook, What};
use minotaur::{LabError, Node};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Nemesis;
use crate::cluster::NODES;
use crate::fault::Fault;

/// For a broker that came back and is slow to say so.
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker that is away for a while.
#[derive(Debug)]
pub(super) struct Away {
    task: JoinHandle<Result<(), Fault>>,
}

impl Away {
    /// Waits until it is back.
    pub(super) async fn back(self) -> Result<(), Fault> {
        self.task.await.unwrap_or(Ok(()))
    }
}

/// How a broker goes away.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Killed,
    Frozen,
}

impl Nemesis<'_> {
    /// One broker at a time, and only when all replicas have caught up: else the topic itself would
    /// stand still, whatever its clients do.
    pub(super) async fn harm_broker(&mut self) -> Result<(), Fault> {
        if let Some(away) = self.away.take() {
            if !away.task.is_finished() {
                self.away = Some(away);
                return Ok(());
            }
            away.back().await?;
        }
        if !self.is_whole().await {
            return Ok(());
        }
        let node = self.rng.u32(1..=NODES);
        let is_killed = self.rng.u8(..3) != 0;
        let way = if is_killed { Way::Killed } else { Way::Frozen };
        let time = Duration::from_millis(self.rng.u64(1_000..8_000));
        self.take_away(node, way, time);
        Ok(())
    }

    /// The broker is away for so long.
    pub(super) fn take_away(&mut self, node: u32, way: Way, time: Duration) {
        self.count(match way {
            Way::Killed => "broker kills",
            Way::Frozen => "broker freezes",
        });
        let lab = Arc::clone(&self.cluster.lab);
        let notes = Arc::clone(&self.notes);
        self.away = Some(Away { task: tokio::spawn(go(lab, notes, (node, way, time))) });
    }

    /// Waits until the broker that is away is back.
    pub(super) async fn await_broker(&mut self) -> Result<(), Fault> {
        match self.away.take() {
            Some(away) => away.back().await,
            None => Ok(()),
        }
    }
}

/// Starts it; a machine that stands still uses up the lab's patience.
async fn back(lab: &mut minotaur::Cluster, node: Node) -> Result<(), LabError> {
    match lab.start(node).await {
        Err(LabError::NotReady { .. }) => lab.ready(PATIENCE).await,
        started => started,
    }
}

async fn go(
    lab: Arc<Mutex<minotaur::Cluster>>,
    notes: Arc<Notebook>,
    (node, way, time): (u32, Way, Duration),
) -> Result<(), Fault> {
    let fault = format!("broker {node} is {way:?}");
    let history = Fault::io("the history");
    notes.note(What::FaultBegins { fault: fault.clone() }).map_err(&history)?;
    let mut lab = lab.lock().await;
    let node = Node::Broker(node);
    match way {
        Way::Killed => {
            lab.kill(node).await?;
            sleep(time).await;
            back(&mut lab, node).await?;
        }
        Way::Frozen => {
            lab.freeze(node).await?;
            sleep(time).await;
            lab.thaw(node).await?;
        }
    }
    notes.note(What::FaultEnds { fault }).map_err(history)
}
