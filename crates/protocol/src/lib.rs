//! Kafka's bytes and their meaning: messages, frames, record batches.
//!
//! Nothing here has time, a socket or a task. State is a parser's place or a codec's context.

#![forbid(unsafe_code)]

pub mod api;
pub mod decode;
pub mod fetch_stream;
pub mod messages;
pub mod records;
pub mod types;
pub mod wire;
