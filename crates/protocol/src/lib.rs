//! Kafka's bytes and their meaning: messages, frames, record batches.
//!
//! Nothing here has time, a socket or a task. State is a parser's place or a codec's context.

#![forbid(unsafe_code)]

pub mod api;
pub mod decode;
pub mod error_code;
pub mod fetch_stream;
pub mod frame;
pub mod group;
pub mod messages;
pub mod records;
pub mod request;
pub mod response;
pub mod types;
pub mod wire;
