//! An in-process Kafka for tests: a machine first, a TCP server second.

#![forbid(unsafe_code)]

mod answer;
mod api;
mod batch;
mod cluster;
mod code;
mod connection;
mod control;
mod fault;
mod group;
mod log;
mod observe;
mod options;
#[cfg(feature = "tcp")]
mod pipe;
mod rng;
#[cfg(feature = "tcp")]
mod server;
mod session;
#[cfg(feature = "tcp")]
mod tcp;
mod topic;
mod transactions;
mod versions;

pub use answer::Answer;
pub use batch::{BatchBuilder, Head, Marker, Record, Refusal};
pub use cluster::{Cluster, Output};
pub use code::ErrorCode;
pub use connection::{BadRequest, ConnectionId};
pub use fault::{Effect, Fault};
pub use forebay_protocol::api::ApiKey;
pub use forebay_protocol::types::{BrokerId, TopicPartition, Uuid};
pub use group::Committed;
pub use observe::Seen;
pub use options::Options;
#[cfg(feature = "tcp")]
pub use server::{Broker, Builder};
pub use versions::Release;
