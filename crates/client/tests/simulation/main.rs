//! Clients and a broker in one process, over pipes, in virtual time: what happens under faults that
//! a seed draws, and does it happen the same way every time?

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly"
)]

mod corpus;
mod determinism;
mod faults;
mod herd;
mod hostile;
#[path = "../../../../fuzz/src/lives.rs"]
mod lives;
mod outset;
mod tap;
mod world;
