//! What can go wrong for a user: one type, fields instead of text, and what to do about it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::connection::Fault as ConnectionFault;
use forebay_core::orders::{Address, Fault as PartitionFault};
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::types::{Offset, Position, TopicName, TopicPartition};
use thiserror::Error;

use crate::config::{ConfigError, PropertyError};

/// What went wrong. Each message says what happened, what was expected and what to do.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A property file, or one of its settings, cannot be used.
    #[error(transparent)]
    Properties(#[from] PropertyError),
    /// The system gave no thread, no event queue or no runtime.
    #[error("cannot start: {source}")]
    Start {
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A broker could not be reached, or the connection to it failed.
    #[error("{}: {fault}", name_of(address))]
    Connection {
        /// The broker, when it is known which one.
        address: Option<Address>,
        /// What failed.
        fault: ConnectionFault,
    },
    /// A call did not end in time, with all its retries.
    #[error("{what} did not succeed within {} ms{}", after.as_millis(), cause_text(last))]
    Timeout {
        /// What was tried.
        what: &'static str,
        /// The limit that passed.
        after: Duration,
        /// What the last attempt failed with, when one ended.
        last: Option<Box<Self>>,
    },
    /// A broker answered with an error.
    #[error("{api}{}: {name} ({code}){}", of(subject), text_of(message))]
    Broker {
        /// The API that was asked.
        api: &'static str,
        /// Topic, partition or group that the error is about; empty when none.
        subject: Arc<str>,
        /// Kafka's error code.
        code: i16,
        /// Kafka's name of it.
        name: &'static str,
        /// The broker's own words, when it sent any, or what can be done.
        message: Option<Arc<str>>,
    },
    /// No broker knows the topic.
    #[error("topic {topic} does not exist; create it first, or check its name and the ACLs")]
    UnknownTopic {
        /// The topic.
        topic: TopicName,
    },
    /// The topic was deleted and created again while it was consumed.
    #[error(
        "topic {topic} was deleted and created again: its log is another one; start again, with \
         committed offsets that belong to it"
    )]
    TopicRecreated {
        /// The topic.
        topic: TopicName,
    },
    /// The topic exists, the partition does not.
    #[error("{tp} does not exist: the topic has {partitions} partitions")]
    UnknownPartition {
        /// The partition asked for.
        tp: TopicPartition,
        /// How many the topic has.
        partitions: usize,
    },
    /// The partition has no leader now.
    #[error("{tp} has no leader; it comes back when one of its replicas does")]
    NoLeader {
        /// The partition.
        tp: TopicPartition,
    },
    /// Nothing is committed for the partition, and the reset policy is none.
    #[error(
        "{tp} has no committed offset; set auto.offset.reset to earliest, latest or by_duration, \
         or seek"
    )]
    NoOffset {
        /// The partition.
        tp: TopicPartition,
    },
    /// The log no longer has, or does not yet have, the position, and the reset policy is none.
    #[error(
        "{tp}: position {position} is outside the log ({log_start} to {end}); set \
         auto.offset.reset, or seek"
    )]
    OffsetOutOfRange {
        /// The partition.
        tp: TopicPartition,
        /// Where fetching stood.
        position: Position,
        /// First offset of the log; -1 when the leader did not tell.
        log_start: Offset,
        /// High watermark; -1 when the leader did not tell.
        end: Offset,
    },
    /// The log was cut behind us (KIP-320), and the reset policy is none.
    #[error(
        "{tp}: the log was cut behind position {position}; it agrees with what was read up to \
         {safe}. Seek there, or set auto.offset.reset"
    )]
    LogTruncation {
        /// The partition.
        tp: TopicPartition,
        /// Where fetching stood.
        position: Position,
        /// Up to where the log still agrees with what was read.
        safe: Position,
    },
    /// The partition stopped: its records are not processed any further.
    #[error("{tp} stopped: {fault}")]
    PartitionStopped {
        /// The partition.
        tp: TopicPartition,
        /// Why.
        fault: PartitionFault,
    },
    /// Under a group with members nobody else commits, and nobody deletes it.
    #[error(
        "group {group} has live members: nobody else commits under it, and nobody deletes it, while \
         it has; stop them or take another group.id"
    )]
    GroupHasMembers {
        /// The group.
        group: Arc<str>,
    },
    /// The partition is not one of this consumer's.
    #[error("{tp} is not assigned to this consumer")]
    NotAssigned {
        /// The partition.
        tp: TopicPartition,
    },
    /// The record, or the request it would make, is larger than allowed.
    #[error("a record of {bytes} bytes is over the limit of {limit}; raise max.request.size")]
    RecordTooLarge {
        /// Its size, with headers and framing.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// `buffer.memory` is used up by records that are not stored yet.
    #[error(
        "no room for a record of {bytes} bytes: buffer.memory ({limit} bytes) is used up; try \
         again, wait with `send`, or raise it"
    )]
    BufferFull {
        /// What the record takes.
        bytes: usize,
        /// `buffer.memory`.
        limit: usize,
    },
    /// The cluster has not told the topic's partitions yet.
    #[error("the partitions of {topic} are not known yet; try again, or wait with `send`")]
    TopicNotKnownYet {
        /// The topic.
        topic: TopicName,
    },
    /// A producer was closed before everything was stored.
    #[error(
        "{records} records were not stored within {} ms, of which {unknown} may have been \
         written; their receipts say which. Give close more time",
        after.as_millis()
    )]
    Undelivered {
        /// Records that failed by the end.
        records: u64,
        /// Of these, records that may have been written.
        unknown: u64,
        /// The deadline of the close.
        after: Duration,
    },
    /// The brokers cannot read what this would write.
    #[error("{feature} needs brokers from {since} on; take another setting or newer brokers")]
    NotOffered {
        /// What was asked for.
        feature: &'static str,
        /// First version of Kafka that has it.
        since: &'static str,
    },
    /// Records were lost to an error that leaves the producer's sequence unknown.
    #[error("{tp}: not known whether the records were written: {cause}")]
    Unknown {
        /// The partition.
        tp: TopicPartition,
        /// What the last attempt failed with.
        cause: Box<Self>,
    },
    /// The client was closed, or its control plane ended.
    #[error("the client is closed")]
    Closed,
}

/// In which group an [`enum@Error`] belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting must change.
    Config,
    /// The network or a broker did not answer.
    Network,
    /// A broker answered with an error.
    Broker,
    /// A partition of a consumer cannot go on by itself.
    Partition,
    /// The call makes no sense in this state, or its argument breaks a limit.
    Usage,
}

impl Error {
    /// In which group this error belongs.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_)
            | Self::Properties(_)
            | Self::Start { .. }
            | Self::NotOffered { .. } => ErrorKind::Config,
            Self::Connection { .. }
            | Self::Timeout { .. }
            | Self::Unknown { .. }
            | Self::Undelivered { .. } => ErrorKind::Network,
            Self::Broker { .. }
            | Self::UnknownTopic { .. }
            | Self::TopicRecreated { .. }
            | Self::UnknownPartition { .. }
            | Self::NoLeader { .. }
            | Self::GroupHasMembers { .. } => ErrorKind::Broker,
            Self::NoOffset { .. }
            | Self::OffsetOutOfRange { .. }
            | Self::LogTruncation { .. }
            | Self::PartitionStopped { .. } => ErrorKind::Partition,
            Self::NotAssigned { .. }
            | Self::RecordTooLarge { .. }
            | Self::BufferFull { .. }
            | Self::TopicNotKnownYet { .. }
            | Self::Closed => ErrorKind::Usage,
        }
    }

    /// A broker's error code about `subject`.
    pub(crate) fn broker(api: &'static str, subject: impl Into<Arc<str>>, code: i16) -> Self {
        let name = ErrorCode(code).name();
        Self::Broker { api, subject: subject.into(), code, name, message: None }
    }

    /// With the broker's own words, when it sent any.
    pub(crate) fn with_message(mut self, words: Option<Arc<str>>) -> Self {
        if let Self::Broker { message, .. } = &mut self {
            *message = words;
        }
        self
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connection { fault, .. } => fault.is_retriable(),
            Self::Timeout { .. }
            | Self::NoLeader { .. }
            | Self::BufferFull { .. }
            | Self::TopicNotKnownYet { .. } => true,
            Self::Broker { code, .. } => ErrorCode(*code).is_retriable(),
            Self::Config(_)
            | Self::Properties(_)
            | Self::Start { .. }
            | Self::UnknownTopic { .. }
            | Self::TopicRecreated { .. }
            | Self::UnknownPartition { .. }
            | Self::NoOffset { .. }
            | Self::OffsetOutOfRange { .. }
            | Self::LogTruncation { .. }
            | Self::PartitionStopped { .. }
            | Self::GroupHasMembers { .. }
            | Self::NotAssigned { .. }
            | Self::RecordTooLarge { .. }
            | Self::NotOffered { .. }
            | Self::Unknown { .. }
            | Self::Undelivered { .. }
            | Self::Closed => false,
        }
    }

    /// Kafka's error code, when a broker sent one.
    #[must_use]
    pub fn broker_error(&self) -> Option<i16> {
        if let Self::Broker { code, .. } = self {
            return Some(*code);
        }
        if let Self::Timeout { last: Some(cause), .. } | Self::Unknown { cause, .. } = self {
            return cause.broker_error();
        }
        None
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::Start { source: Arc::new(source) }
    }
}

fn cause_text(last: &Option<Box<Error>>) -> String {
    last.as_ref().map_or_else(String::new, |last| format!("; at last: {last}"))
}

fn name_of(address: &Option<Address>) -> String {
    address.as_ref().map_or_else(
        || "a broker".to_owned(),
        |address| format!("broker at {}:{}", address.host, address.port),
    )
}

fn of(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(" of {subject}") }
}

fn text_of(message: &Option<Arc<str>>) -> String {
    message.as_ref().map_or_else(String::new, |message| format!(": {message}"))
}
