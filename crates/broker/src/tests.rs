//! The machine as a stranger meets it: requests and answers are bytes made and read by another
//! implementation of the protocol (kafka-protocol).

mod administer;
mod faults;
mod fetch;
mod groups;
mod members;
mod mixed;
mod modern;
mod nodes;
mod offsets;
mod produce;
mod replay;
mod retention;
mod sessions;
mod talk;
mod topics;
mod transactions;
mod versions;
#[cfg(feature = "tcp")]
mod wire;
