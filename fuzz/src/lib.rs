//! What must hold for any bytes: one room per fuzz target, each with a function `check` that panics
//! when it does not. The same rooms are run over the corpora by the tests of the crates, on stable.
//! `lives.rs` beside them is included by its target and by the tests of the client: it needs more
//! crates than the others.

pub mod codecs;
pub mod fetch_stream;
pub mod frames;
pub mod group;
pub mod legacy;
pub mod records;
pub mod request;
pub mod response;
