//! The network side: who dials, and who moves bytes between a socket and a machine.

pub mod connector;
