//! What users are promised of a consumer, told over the in-process broker in virtual time.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::excessive_nesting,
    clippy::unused_async,
    clippy::redundant_clone,
    clippy::large_futures,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly"
)]

mod direct;
mod end;
mod failure;
mod flow;
mod group;
mod group_assignor;
mod group_rights;
mod group_session;
mod group_trouble;
mod legacy;
mod nearer;
mod network;
mod order;
mod pull;
mod subscribe;
mod world;
