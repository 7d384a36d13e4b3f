//! The lab: real Kafka brokers without containers.

#![forbid(unsafe_code)]

fn main() {}
