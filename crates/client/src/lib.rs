//! Safe, fast processing of Kafka records.

#![forbid(unsafe_code)]

pub mod admin;
pub mod budget;
mod cluster;
pub mod config;
mod consumer;
mod error;
mod link;
pub mod net;
mod producer;
pub mod runtime;

pub use admin::Admin;
pub use budget::Budget;
pub use config::{
    Acks, ClientConfig, Compression, ConfigError, ConsumerConfig, GroupProtocol, IsolationLevel,
    OffsetReset, ProducerConfig, Properties, PropertyError,
};
pub use consumer::control::{ControlHandle, PartitionSummary, Summary};
pub use consumer::handler::{
    BoxError, Context, Decide, Decision, Failure, FailurePolicy, Handler, HandlerPanic,
    IntoOutcome, Outcome, Ownership,
};
pub use consumer::pull::{AckError, Batches, PulledBatch};
pub use consumer::record::{Batch, BatchRecords, Record};
pub use consumer::stats::{Holds, PartitionStats, Stats};
pub use consumer::{
    Consumer, ConsumerBuilder, ConsumerHandle, GroupTrouble, OwnershipEvent, OwnershipHandle,
    Parked, Right, Subscription,
};
pub use error::{Error, ErrorKind};
pub use forebay_core::connection::Fault as ConnectionFault;
#[cfg(feature = "mutants")]
#[doc(hidden)]
pub use forebay_core::mutant;
pub use forebay_core::orders::{Address, Fault as PartitionFault};
pub use forebay_core::ownership::assignor;
pub use forebay_core::work::Order;
pub use forebay_protocol::records::header::{Header, Headers};
pub use forebay_protocol::records::record::RecordRef;
pub use forebay_protocol::types::{
    BrokerId, LeaderEpoch, Offset, Position, TopicName, TopicPartition, Uuid,
};
pub use producer::{Delivery, Producer, ProducerBuilder, ProducerRecord, Receipt, TrySendError};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The examples of the page about settings compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/configuration.md")]
struct Configuration;

/// The examples of the pages for those who come from elsewhere compile.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/from-jvm-properties.md")]
    struct FromJvm;

    #[doc = include_str!("../../../docs/from-rdkafka.md")]
    struct FromRdkafka;

    #[doc = include_str!("../../../docs/from-go-kafka-client.md")]
    struct FromGo;
}
