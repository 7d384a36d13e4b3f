//! What a user hands in, and gets back when it cannot be taken now.

use forebay_protocol::records::header::Header;
use thiserror::Error as ThisError;

use crate::error::Error;

/// More than a record's framing takes, without its headers.
const RECORD_FRAMING: usize = 36;
/// More than a header's framing takes.
const HEADER_FRAMING: usize = 10;

/// A record to send. It is copied by `send`, so it may borrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProducerRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; by key, or spread, when not said.
    pub partition: Option<i32>,
    /// The key. Records with the same key go to the same partition, the one that Kafka's Java
    /// client would choose.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
    /// Milliseconds since 1970; now when not said.
    pub timestamp: Option<i64>,
}

impl<'a> ProducerRecord<'a> {
    /// A record without a key.
    #[must_use]
    pub fn new(topic: &'a str, value: &'a [u8]) -> Self {
        Self { topic, value: Some(value), ..Self::default() }
    }

    /// With a key.
    #[must_use]
    pub const fn key(mut self, key: &'a [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// To this partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With these headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// At this time, in milliseconds since 1970.
    #[must_use]
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// At most so many bytes in a batch.
    pub(super) fn size(&self) -> usize {
        let of = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|it| it.key.len() + of(it.value) + HEADER_FRAMING);
        headers.fold(of(self.key) + of(self.value) + RECORD_FRAMING, usize::saturating_add)
    }
}

/// A record that [`Producer::try_send`](super::Producer::try_send) did not take, and why.
#[derive(Clone, Debug, ThisError)]
#[error("{error}")]
#[non_exhaustive]
pub struct TrySendError<'a> {
    /// The record, as it was.
    pub record: ProducerRecord<'a>,
    /// Why it was not taken. [`Error::BufferFull`] and [`Error::TopicNotKnownYet`] pass.
    #[source]
    pub error: Box<Error>,
}
