//! What can be wrong with a batch, and where: an offset, a record's ordinal, a field.

use std::fmt;

use thiserror::Error;

use super::codec::CodecError;

/// What was wrong with a batch or with a record inside it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RecordsError {
    /// The batch as a whole cannot be read.
    #[error("batch at offset {base_offset}: {fault}")]
    Batch {
        /// Where the batch says it begins; -1 when not even that could be read.
        base_offset: i64,
        /// What is wrong with it.
        fault: BatchFault,
    },
    /// The records cannot be unpacked.
    #[error("batch at offset {base_offset}: {fault}")]
    Codec {
        /// Where the batch begins.
        base_offset: i64,
        /// What is wrong with the packed records.
        fault: CodecError,
    },
    /// One record cannot be read; those before it were good, those after it cannot be found.
    #[error("record {ordinal} of the batch at offset {base_offset}: {field} {fault}")]
    Record {
        /// Where the batch begins.
        base_offset: i64,
        /// Which record of the batch, counted from 0.
        ordinal: u32,
        /// Which part of the record.
        field: Field,
        /// What is wrong with that part.
        fault: Fault,
    },
}

/// What is wrong with a batch as a whole.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum BatchFault {
    /// There are fewer bytes than the batch needs.
    #[error("{found} bytes where {needed} are needed; fetch it again with a larger limit")]
    Truncated {
        /// Bytes that the batch needs, by its own length.
        needed: u64,
        /// Bytes that were there.
        found: u64,
    },
    /// The length field is below the smallest batch of its format.
    #[error("length {found}, expected at least {least}; the bytes are no batch")]
    Length {
        /// The length field, in bytes.
        found: i32,
        /// The smallest length of this format, in bytes.
        least: i32,
    },
    /// The format is not the one expected here.
    #[error("record format v{found} is not known; expected v0, v1 or v2")]
    Magic {
        /// The magic byte.
        found: i8,
    },
    /// The checksum does not fit the bytes.
    #[error("checksum {found:#010x} over the bytes, {expected:#010x} in the header: corrupt")]
    Crc {
        /// The checksum in the header.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// The codec bits name no codec.
    #[error("codec number {found} is not known; expected 0 to 4")]
    UnknownCodec {
        /// The three codec bits.
        found: u8,
    },
    /// A number of the header that must not be negative, is, or the offsets overflow.
    #[error("{field} is {found}, which cannot be")]
    Header {
        /// Which number.
        field: HeaderField,
        /// What it says.
        found: i64,
    },
    /// A marker was looked for in a batch of records.
    #[error("is no control batch, or a packed one, which no broker writes")]
    NotControl,
    /// A packed message holds another packed one, or one of another format.
    #[error("a packed message holds a packed one or one of another format")]
    Nested,
    /// The batch begins before the end of the one in front of it.
    #[error("begins before {expected}, where the batch in front of it ends")]
    NotForward {
        /// The lowest offset that could stand here.
        expected: i64,
    },
}

/// A number of a batch header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HeaderField {
    /// The first offset.
    BaseOffset,
    /// The distance of the last offset from the first.
    LastOffsetDelta,
    /// The number of records.
    Count,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BaseOffset => "base offset",
            Self::LastOffsetDelta => "last offset delta",
            Self::Count => "record count",
        })
    }
}

/// A part of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Field {
    /// The length in front of the record.
    Length,
    /// The attributes byte.
    Attributes,
    /// The timestamp.
    Timestamp,
    /// The offset.
    Offset,
    /// The key.
    Key,
    /// The value.
    Value,
    /// The headers.
    Headers,
    /// What follows the last part of a record, or the last record of a batch.
    End,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "length",
            Self::Attributes => "attributes",
            Self::Timestamp => "timestamp",
            Self::Offset => "offset",
            Self::Key => "key",
            Self::Value => "value",
            Self::Headers => "headers",
            Self::End => "end",
        })
    }
}

/// What is wrong with one header of a record. The rest of the record is good.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("header {ordinal} {fault}")]
pub struct HeaderError {
    /// Which header of the record, counted from 0.
    pub ordinal: u32,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a part of a record.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes end inside this part, or it is longer than what holds it.
    #[error("does not fit into the bytes that remain")]
    Overrun,
    /// The number is out of the range that this part may have.
    #[error("is out of range")]
    OutOfRange,
    /// The offset is not above that of the record before.
    #[error("does not move forward")]
    NotForward,
    /// There are bytes where the record or the batch should have ended.
    #[error("is followed by bytes that belong to nothing")]
    Trailing,
    /// The header announces more records than there are.
    #[error("of the batch was reached before all announced records")]
    Missing,
}
