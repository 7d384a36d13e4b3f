//! What passes between clients and brokers, and what if some of it did not?
//!
//! A [`Proxy`] has a port for each broker and puts these ports into every answer in which brokers
//! tell where they are, so that clients come this way whatever they learn. It passes frames on, not
//! bytes: a [`Fault`] delays, drops, slices, cuts or corrupts one answer of one API, and
//! [`Proxy::block`] lets nothing through.
//!
//! It also is a witness. With a [`Ledger`] it writes down what `forebay-histcheck` judges by: each
//! commit before its bytes leave, what the coordinator makes of it, who is given which partition,
//! who shows signs of life, which writes were acknowledged. A client is known by its `client.id`;
//! a record by its value, `key:seq`.
//!
//! Lengths that cannot be end a connection before anything is made of them. What else cannot be
//! read is passed on as it came.

#![forbid(unsafe_code)]

mod connection;
mod error;
mod gate;
mod proxy;
mod routes;
mod script;
mod witness;

pub use error::ProxyError;
pub use forebay_protocol::api::ApiKey;
pub use proxy::{Broker, Proxy};
pub use script::{Effect, Fault};
pub use witness::{Ledger, Talk, Witness, value_of};
