//! Kafka: what a version needs once, and what each of its nodes is given.

pub(crate) mod config;
pub(crate) mod jvm;
pub(crate) mod kit;
pub(crate) mod logging;
pub(crate) mod properties;
pub(crate) mod ready;
pub(crate) mod storage;
