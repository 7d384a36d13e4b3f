//! Safe, fast processing of Kafka records.

#![forbid(unsafe_code)]

mod cluster;
pub mod config;
mod consumer;
mod error;
mod link;
pub mod net;
pub mod runtime;

pub use config::{ConfigError, ConsumerConfig, IsolationLevel, OffsetReset, ProducerConfig};
pub use consumer::control::{ControlHandle, PartitionSummary, Summary};
pub use error::{Error, ErrorKind};
pub use forebay_core::orders::Address;
pub use forebay_protocol::types::{
    BrokerId, LeaderEpoch, Offset, Position, TopicName, TopicPartition, Uuid,
};
