//! Kafka's bytes and their meaning: messages, frames, record batches.
//!
//! Nothing here has time, a socket or a task. State is a parser's place or a codec's context.

#![forbid(unsafe_code)]

pub mod fetch_stream;
pub mod records;
pub mod types;
