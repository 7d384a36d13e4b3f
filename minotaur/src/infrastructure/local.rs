//! Nodes as plain processes on loopback.

pub(crate) mod guard;
pub(crate) mod launch;
pub(crate) mod port;
pub(crate) mod process;
