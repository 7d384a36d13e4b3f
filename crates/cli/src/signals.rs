//! When was the user asked to be done? Ctrl-C and SIGTERM once to end in order, twice to end at
//! once.

use std::process;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::CliError;

/// The exit code of who was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// Tells that the user wants an end. Clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Takes the signals over from the system, on a thread of its own: a handler that blocks a
    /// runtime blocks no signal.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(CliError::system("wait for signals"))?;
        let (wanted, stop) = watch::channel(false);
        let both = {
            let _inside = runtime.enter();
            Both::new().map_err(CliError::system("listen for signals"))?
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(both.tell(wanted)))
            .map_err(CliError::system("start a thread for signals"))?;
        Ok(Self(stop))
    }

    /// Whether the user wants an end.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the user wants an end. Cancel safe.
    pub(crate) async fn requested(&self) {
        // An error means that nobody listens any more, so that nothing will come.
        if self.0.clone().wait_for(|wanted| *wanted).await.is_err() {
            std::future::pending().await
        }
    }
}

/// The two signals that mean the same.
struct Both {
    interrupt: Signal,
    terminate: Signal,
}

impl Both {
    fn new() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn tell(mut self, wanted: watch::Sender<bool>) {
        self.next().await;
        wanted.send_replace(true);
        self.next().await;
        process::exit(INTERRUPTED.into());
    }
}
