//! Safe, fast processing of Kafka records.

#![forbid(unsafe_code)]
