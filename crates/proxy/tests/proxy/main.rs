//! Does everything go through the proxy, does it write down what passed, and does it do the harm
//! that it is asked for, and no other?

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails says so by its panic"
)]

mod clients;
mod harm;
mod history;
mod hostile;
mod names;
