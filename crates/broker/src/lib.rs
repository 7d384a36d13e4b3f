//! An in-process Kafka for tests: a machine first, a TCP server second.
//!
//! It starts in a millisecond, needs no Java and no files, speaks to every client that speaks to
//! Kafka 0.11 or newer, and can be told to misbehave. Records live in memory, up to a limit; what
//! does not fit is refused, never dropped.
//!
//! # A test of your own
//!
//! ```
//! use forebay_broker::{
//!     ApiKey, BatchBuilder, Broker, Effect, ErrorCode, Fault, TopicPartition,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::builder().nodes(3).start().await?;
//! let orders = TopicPartition::new("orders", 0);
//!
//! // Before: a topic, a record, a coordinator that is busy twice.
//! broker.with(|cluster| {
//!     cluster.create_topic("orders", 12)?;
//!     let batch = BatchBuilder::at_time(0).record(Some(b"42"), Some(b"two of them")).build();
//!     cluster.append(&orders, &batch)?;
//!     let busy = Fault::new(Effect::Error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
//!     cluster.script(busy.api(ApiKey::OffsetCommit).times(2));
//!     Ok::<_, forebay_broker::Refusal>(())
//! })?;
//!
//! // Your service, with any client, against these addresses.
//! my_service(broker.bootstrap_servers()).await;
//!
//! // After: what was committed, and how often it was asked.
//! let committed = broker.with(|cluster| cluster.committed("my-group", &orders));
//! let commits = broker.with(|cluster| {
//!     cluster.requests().filter(|seen| seen.api == ApiKey::OffsetCommit).count()
//! });
//! # assert_eq!((committed, commits), (None, 0));
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! # async fn my_service(_bootstrap: &str) {}
//! ```
//!
//! # What is where
//!
//! * [`Broker`]: a running cluster. [`Broker::with`] lends its [`Cluster`]: topics, records,
//!   leaders, nodes, groups, faults, what was asked.
//! * [`Fault`] and [`Effect`]: the script of what goes wrong, with which requests, how often.
//! * [`Builder::start_in_memory`] and [`Broker::dial`]: connections through memory. Under Tokio's
//!   paused clock a day of waiting takes a moment.
//! * [`Cluster`] by itself: no sockets, clock or threads; for simulations that replay by seed.
//! * [`Release`]: poses as an older Kafka by the versions it offers.
//!
//! # Where it differs from Kafka
//!
//! There is one copy of each log, so that a change of leader loses nothing unless
//! [`Cluster::truncate`] says so; a fetch is served by leaders alone; retention is applied by
//! [`Cluster::apply_retention`] and never by itself.
//!
//! A group has members of one kind at a time: one by KIP-848 is refused where classic ones live, as
//! with `group.consumer.migration.policy=disabled`, and a classic one where members by KIP-848 live,
//! which Kafka 4 would take in. A pattern is looked up anew with every heartbeat, and offsets expire
//! when [`Cluster::expire_offsets`] says so.
//!
//! All else is held against Kafka itself: more than 400 questions went to a real 4.4.0 and a real
//! 0.11.0.3, and this broker, posing as each, gives the same answers, hang-ups included
//! (`tests/conformance`, whose goldens the real ones write and win).
//!
//! # Checks outside of the tests
//!
//! `cargo run -p forebay-broker --example serve` serves on port 9092; then, for one,
//! `kcat -b 127.0.0.1:9092 -t t -P` and `-C` write and read. Not part of the tests.

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
mod lies;
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

#[cfg(test)]
mod tests;
