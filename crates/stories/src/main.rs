//! One function per promise, run on the in-process broker and on real Kafka.

#![forbid(unsafe_code)]

fn main() {}
