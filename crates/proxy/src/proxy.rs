//! How is a way to brokers opened, and what can be done to what passes?

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::connection::{self, Way};
use crate::error::ProxyError;
use crate::gate::Gate;
use crate::routes::{HOST, Routes};
use crate::script::{Fault, Script};
use crate::witness::{Ledger, Witness};

/// The most errors that are kept.
const ERRORS_MOST: usize = 100;

/// A broker: who it is, and where it says it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// The host that it advertises.
    pub host: String,
    /// The port that it advertises.
    pub port: u16,
}

/// A way to brokers. Dropped, all its ports and connections close.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    bootstrap: String,
    tasks: Vec<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) gate: Gate,
    script: Mutex<Script>,
    witness: Option<Mutex<Witness>>,
    errors: Mutex<Vec<ProxyError>>,
}

impl Shared {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn witness(&self) -> Option<MutexGuard<'_, Witness>> {
        let witness = self.witness.as_ref()?;
        Some(witness.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn failed(&self, error: ProxyError) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < ERRORS_MOST {
            errors.push(error);
        }
    }
}

impl Proxy {
    /// Opens a port on this machine for each broker. With a ledger, what passes is written down.
    ///
    /// Cancel safe: ports that were opened are closed.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Listen`].
    pub async fn start(
        brokers: &[Broker],
        ledger: Option<Arc<dyn Ledger>>,
    ) -> Result<Self, ProxyError> {
        let (mut routes, mut ports) = (Routes::default(), Vec::new());
        for broker in brokers {
            let listen = |source| ProxyError::Listen { source };
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listener = TcpListener::bind(any).await.map_err(listen)?;
            let port = listener.local_addr().map_err(listen)?.port();
            routes.add((&broker.host, broker.port), port);
            ports.push((listener, port, broker.clone()));
        }
        let shared = Arc::new(Shared {
            routes,
            gate: Gate::new(),
            script: Mutex::default(),
            witness: ledger.map(|ledger| Mutex::new(Witness::new(ledger))),
            errors: Mutex::default(),
        });
        let names: Vec<String> =
            ports.iter().map(|(_, port, _)| format!("{HOST}:{port}")).collect();
        let serve = |(listener, _, broker)| {
            tokio::spawn(connection::serve(listener, Way { broker, shared: Arc::clone(&shared) }))
        };
        let tasks = ports.into_iter().map(serve).collect();
        Ok(Self { shared, bootstrap: names.join(","), tasks })
    }

    /// `host:port` of every port, separated by commas.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    /// This is to happen.
    pub fn add(&self, fault: Fault) {
        self.shared.script().add(fault);
    }

    /// Of the client of this `client.id` and this broker nothing passes any more, in either
    /// direction; connections stay open. `None` stands for all.
    pub fn block(&self, client: Option<&str>, node: Option<i32>) {
        self.shared.gate.block(client, node);
    }

    /// The connections between this client and this broker end. `None` stands for all.
    pub fn cut(&self, client: Option<&str>, node: Option<i32>) {
        self.shared.gate.cut(client, node);
    }

    /// All is well again: no block, no fault that is still to happen.
    pub fn heal(&self) {
        self.shared.script().clear();
        self.shared.gate.open();
    }

    /// How often a fault has happened.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.shared.script().struck()
    }

    /// Why connections were ended that nobody wanted to end: the first hundred. Takes them away.
    #[must_use]
    pub fn take_errors(&self) -> Vec<ProxyError> {
        let mut errors = self.shared.errors.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut errors)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
