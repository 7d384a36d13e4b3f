//! The network side: who dials, and who moves bytes between a socket and a machine.

pub(crate) mod call;
pub(crate) mod chunk;
pub mod connector;
pub(crate) mod lane;
pub(crate) mod peer;
#[cfg(test)]
pub(crate) mod pipes;
pub(crate) mod socket;
pub(crate) mod traffic;
mod unsent;
