//! Which connections are there, to which addresses, and which calls wait for one to end?

use std::collections::BTreeMap;

use forebay_core::orders::Address;
use forebay_protocol::types::BrokerId;
use tokio::sync::mpsc;

use crate::net::call::{Call, Line};

/// Which connection of which broker.
pub(super) type To = (BrokerId, Line);

/// The connections' tasks, each from its start to its last event.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<To, Link>,
    /// Calls for connections that are ending: their last event says when to dial again.
    parked: Vec<(To, Call)>,
}

#[derive(Debug)]
struct Link {
    address: Address,
    /// `None` when it is to end.
    calls: Option<mpsc::UnboundedSender<Call>>,
}

impl Links {
    /// Hands `call` to its connection, or keeps it until that has ended; back when there is none.
    pub(super) fn send(&mut self, to: To, call: Call) -> Option<Call> {
        let Some(link) = self.links.get(&to) else { return Some(call) };
        let left = match &link.calls {
            Some(calls) => calls.send(call).err().map(|unsent| unsent.0),
            None => Some(call),
        };
        self.parked.extend(left.map(|call| (to, call)));
        None
    }

    /// A task was started that takes calls.
    pub(super) fn started(&mut self, to: To, address: Address, calls: mpsc::UnboundedSender<Call>) {
        self.links.insert(to, Link { address, calls: Some(calls) });
    }

    /// The connection's last event came. Gives the calls that waited for it.
    pub(super) fn ended(&mut self, to: To) -> Vec<Call> {
        self.links.remove(&to);
        self.parked.extract_if(.., |(parked, _)| *parked == to).map(|(_, call)| call).collect()
    }

    /// Ends connections to addresses at which their broker no longer is: somebody else may have
    /// moved in and would answer for ever that it is the wrong one.
    pub(super) fn leave_moved<'a>(&mut self, address: impl Fn(BrokerId) -> Option<&'a Address>) {
        for ((broker, _), link) in &mut self.links {
            if address(*broker).is_some_and(|now| *now != link.address) {
                link.calls = None;
            }
        }
    }
}
