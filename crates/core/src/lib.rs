//! Machines of a Kafka client: no I/O, no clock, no lock, no runtime.
//!
//! Every machine speaks with the same four verbs:
//!
//! | Verb | Direction | Meaning |
//! |------|-----------|---------|
//! | `handle_*(now, input)` | world to machine | something happened |
//! | `handle_timeout(now)` | world to machine | the deadline from `poll_timeout` passed; harmless if early |
//! | `poll_output()` | machine to world | something the driver must do; call until `None` |
//! | `poll_timeout()` | machine to world | when to call `handle_timeout` next |
//!
//! The four pillars (`ownership`, `fetch`, `work`, `offsets`) and the `reservoir` do not import
//! each other. Two routers move values between them and decide nothing: `consumer` on the control
//! plane, `shard` on the data plane. What the planes say to each other stands in [`orders`].

#![forbid(unsafe_code)]
#![allow(
    clippy::exhaustive_enums,
    reason = "drivers must look at every new value a machine can say"
)]

pub mod backoff;
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod fence;
pub mod fetch;
#[doc(hidden)]
pub mod mutant;
pub mod offsets;
pub mod orders;
pub mod ownership;
pub mod producer;
pub mod reservoir;
pub mod rng;
pub mod run;
pub mod shard;
pub mod slot;
pub mod time;
pub mod work;
