//! What does a Fetch response say, while it is still arriving?
//!
//! [`FetchStream`] is fed from the buffer that the socket is read into. It says heads, cuts whole
//! batches off the front of the buffer as soon as they are there, and tells how many bytes it
//! needs before it can go on. Records are not looked at; the header of each batch is checked.
//!
//! ```text
//! ResponseHead ( PartitionHead ( Batches | Corrupt )* PartitionTail )* ResponseEnd
//! ```
//!
//! Versions 4 to 18. A batch that is cut off by the broker's size limit is dropped and named in
//! the partition's tail.

use bytes::{Buf, BytesMut};

use self::batches::Section;
pub use self::batches::{BatchHead, CutBatches, Format};
pub use self::error::{StreamError, StreamFault};
pub use self::head::{
    AbortedTransaction, DivergingEpoch, LeaderHint, NodeEndpoint, PartialBatch, PartitionHead,
    PartitionTail, ResponseEnd, ResponseHead, SnapshotId, Topic,
};
use self::reader::{Head, Stop};
use crate::records::error::RecordsError;

mod batches;
mod error;
mod head;
mod reader;

/// The versions of a Fetch response that the stream reads.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

/// What came next in a Fetch response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Nothing more can be said before the buffer holds this many bytes in all.
    ///
    /// More than a chunk holds is a batch (or a list) that needs a buffer of its own.
    NeedMore {
        /// Bytes that must stand in the buffer, those that are there included.
        at_least: usize,
    },
    /// The front of the response. Always first.
    ResponseHead(ResponseHead),
    /// A partition begins; what follows up to its tail is its records.
    PartitionHead(PartitionHead),
    /// Whole batches, taken off the buffer. [`FetchStream::heads`] tells of each.
    Batches(CutBatches),
    /// A batch header cannot be read, so the rest of this partition's records is skipped. The
    /// response goes on with the partition's tail.
    Corrupt(RecordsError),
    /// A partition ends.
    PartitionTail(PartitionTail),
    /// The response ends; nothing may follow.
    ResponseEnd(ResponseEnd),
}

/// The parser of one Fetch response: where in it we are, and what may come next.
#[derive(Debug)]
pub struct FetchStream {
    version: i16,
    /// Bytes of the body that were not taken yet.
    left: usize,
    /// Bytes that the body has in all, to say where something went wrong.
    body: usize,
    /// Bytes that must be in the buffer before it is worth looking again.
    need: usize,
    place: Place,
    topics_left: u32,
    topic: Topic,
    partitions_left: u32,
    section: Section,
    heads: Vec<BatchHead>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    ResponseHead,
    Topic,
    Partition,
    Records,
    PartitionTail,
    TopicTail,
    ResponseTail,
    Done,
}

impl FetchStream {
    /// A parser for a body of `body` bytes (what follows the response header) in `version`.
    ///
    /// # Errors
    /// When the version is none of [`VERSIONS`].
    pub fn new(version: i16, body: usize) -> Result<Self, StreamError> {
        if !VERSIONS.contains(&version) {
            return Err(StreamError { at: 0, fault: StreamFault::Version { found: version } });
        }
        Ok(Self {
            version,
            left: body,
            body,
            need: 0,
            place: Place::ResponseHead,
            topics_left: 0,
            topic: Topic::default(),
            partitions_left: 0,
            section: Section::default(),
            heads: Vec::new(),
        })
    }

    /// Starts over with another response, keeping allocations.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn restart(&mut self, version: i16, body: usize) -> Result<(), StreamError> {
        let heads = std::mem::take(&mut self.heads);
        *self = Self::new(version, body)?;
        self.heads = heads;
        Ok(())
    }

    /// What comes next. Takes what it has understood off the front of `buf`, and nothing else.
    ///
    /// Bytes behind the end of this body stay in `buf`.
    ///
    /// # Errors
    /// When the bytes are no Fetch response of this version. The stream is of no use then, and
    /// neither is the connection.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Event, StreamError> {
        loop {
            if buf.len() < self.need {
                return Ok(Event::NeedMore { at_least: self.need });
            }
            match self.step(buf) {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(Stop::Need(at_least)) => self.need = at_least,
                Err(Stop::Broken(fault)) => {
                    return Err(StreamError { at: self.body - self.left, fault });
                }
            }
        }
    }

    /// The batches of the last [`Event::Batches`], in order.
    #[must_use]
    pub fn heads(&self) -> &[BatchHead] {
        &self.heads
    }

    /// Leaves out the rest of the records of the current partition: they are skipped by length.
    pub fn skip_records(&mut self) {
        // What was waited for is not wanted any more.
        self.need = 0;
        self.section.skip();
    }

    /// Whether the response has been read to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// Bytes of the body that have not been taken off the buffer yet.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.left
    }

    fn step(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, Stop> {
        match self.place {
            Place::ResponseHead => self.response_head(buf).map(Some),
            Place::Topic => self.topic(buf),
            Place::Partition => self.partition(buf),
            Place::Records => self.records(buf),
            Place::PartitionTail => self.partition_tail(buf).map(Some),
            Place::TopicTail => self.topic_tail(buf),
            Place::ResponseTail => self.response_tail(buf).map(Some),
            Place::Done => Err(Stop::Broken(StreamFault::AfterEnd)),
        }
    }

    /// Reads something that is only understood when all of it is there.
    fn whole<T>(
        &mut self,
        buf: &mut BytesMut,
        read: impl FnOnce(&mut Head<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut head = Head::new(buf, self.left, self.version);
        let value = read(&mut head)?;
        let taken = head.taken();
        self.take(buf, taken);
        Ok(value)
    }

    fn take(&mut self, buf: &mut BytesMut, bytes: usize) {
        buf.advance(bytes);
        self.left -= bytes;
        self.need = 0;
    }

    fn response_head(&mut self, buf: &mut BytesMut) -> Result<Event, Stop> {
        let (head, topics) = self.whole(buf, |head| head.response())?;
        self.topics_left = topics;
        self.place = Place::Topic;
        Ok(Event::ResponseHead(head))
    }

    fn topic(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, Stop> {
        if self.topics_left == 0 {
            self.place = Place::ResponseTail;
            return Ok(None);
        }
        let (topic, partitions) = self.whole(buf, |head| head.topic())?;
        self.topics_left -= 1;
        self.topic = topic;
        self.partitions_left = partitions;
        self.place = Place::Partition;
        Ok(None)
    }

    fn partition(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, Stop> {
        if self.partitions_left == 0 {
            self.place = Place::TopicTail;
            return Ok(None);
        }
        let topic = self.topic.clone();
        let head = self.whole(buf, |head| head.partition(topic))?;
        self.partitions_left -= 1;
        self.section = Section::new(head.records_len);
        self.place = Place::Records;
        Ok(Some(Event::PartitionHead(head)))
    }

    fn records(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, Stop> {
        if self.section.is_skipping() {
            let skipped = self.section.skip_some(buf.len());
            self.take(buf, skipped);
        }
        if self.section.is_empty() {
            self.place = Place::PartitionTail;
            return Ok(None);
        }
        self.heads.clear();
        match self.section.cut(buf, &mut self.heads) {
            Ok(None) => Ok(None),
            Ok(Some(cut)) => {
                self.left -= cut.bytes.len();
                self.need = 0;
                Ok(Some(Event::Batches(cut)))
            }
            Err(batches::Halt::Need(at_least)) => Err(Stop::Need(at_least)),
            Err(batches::Halt::Corrupt(error)) => Ok(Some(Event::Corrupt(error))),
        }
    }

    fn partition_tail(&mut self, buf: &mut BytesMut) -> Result<Event, Stop> {
        let mut tail = self.whole(buf, |head| head.partition_tail())?;
        tail.partial = self.section.partial();
        self.place = Place::Partition;
        Ok(Event::PartitionTail(tail))
    }

    fn topic_tail(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, Stop> {
        self.whole(buf, |head| head.skip_tags())?;
        self.place = Place::Topic;
        Ok(None)
    }

    fn response_tail(&mut self, buf: &mut BytesMut) -> Result<Event, Stop> {
        let end = self.whole(buf, |head| head.response_tail())?;
        if self.left != 0 {
            return Err(Stop::Broken(StreamFault::Trailing { left: self.left }));
        }
        self.place = Place::Done;
        Ok(Event::ResponseEnd(end))
    }
}

#[cfg(test)]
mod tests;
