//! One control connection: handshake, then requests and answers in order.

mod fault;

pub use fault::Fault;
