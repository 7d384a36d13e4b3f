//! An in-process Kafka for tests: a machine first, a TCP server second.

#![forbid(unsafe_code)]
