//! A broker on a thread of its own, so that its processor time can be told from the client's.

use std::thread;
use std::time::Duration;

use forebay_broker::Broker;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc, oneshot};

use super::runtime;
use crate::error::CliError;
use crate::meter;

/// After how much silence a member is dead: nobody waits for Kafka's 45 s.
const SESSION: Duration = Duration::from_secs(5);
/// How often members beat.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// What the broker's thread may be asked.
enum Ask {
    /// How much processor time has it used?
    Cpu(oneshot::Sender<Duration>),
    /// End, and say when that is done.
    Shutdown(oneshot::Sender<()>),
}

/// A running broker on loopback. It ends when this is dropped.
pub(super) struct OwnBroker {
    bootstrap_servers: String,
    asks: mpsc::UnboundedSender<Ask>,
}

impl OwnBroker {
    /// Starts a broker that keeps at most `memory` bytes of records.
    pub(super) async fn start(memory: usize) -> Result<Self, CliError> {
        let runtime = runtime::with_threads(1)?;
        let (asks, inbox) = mpsc::unbounded_channel();
        let (tell, told) = oneshot::channel();
        thread::Builder::new()
            .name("broker".to_owned())
            .spawn(move || runtime.block_on(serve(memory, tell, inbox)))
            .map_err(CliError::system("start a thread for the broker"))?;
        let started = told.await.map_err(|_| CliError::BrokerGone)?;
        let bootstrap_servers = started.map_err(CliError::system("listen on loopback"))?;
        Ok(Self { bootstrap_servers, asks })
    }

    pub(super) fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Processor time that it has used so far; zero after its end.
    pub(super) async fn cpu(&self) -> Duration {
        let (reply, answer) = oneshot::channel();
        drop(self.asks.send(Ask::Cpu(reply)));
        answer.await.unwrap_or_default()
    }

    pub(super) async fn shutdown(self) {
        let (reply, answer) = oneshot::channel();
        drop(self.asks.send(Ask::Shutdown(reply)));
        // A thread that is gone has shut down.
        drop(answer.await);
    }
}

async fn serve(
    memory: usize,
    tell: oneshot::Sender<std::io::Result<String>>,
    mut inbox: mpsc::UnboundedReceiver<Ask>,
) {
    let options = forebay_broker::Options::default().memory(memory);
    let options = options.consumer_groups(SESSION, HEARTBEAT);
    let broker = match Broker::builder().options(options).start().await {
        Ok(broker) => broker,
        Err(error) => return drop(tell.send(Err(error))),
    };
    drop(tell.send(Ok(broker.bootstrap_servers().to_owned())));
    while let Some(ask) = inbox.recv().await {
        match ask {
            Ask::Cpu(reply) => {
                let used = meter::duration(clock_gettime(ClockId::ThreadCPUTime));
                reply.send(used).ok();
            }
            Ask::Shutdown(reply) => {
                broker.shutdown().await;
                reply.send(()).ok();
                return;
            }
        }
    }
}
