//! Reads Kafka's types out of one frame, never past its end, never allocating by a length that the
//! remaining bytes do not cover.

use bytes::Bytes;

use super::varint;
use super::{Lengths, Str, Wire};
use crate::decode::{DecodeError, Expected, Found};

/// A place in a frame. Text and bytes that it hands out are slices of the frame, not copies.
#[derive(Clone, Debug)]
pub struct Reader {
    frame: Bytes,
    at: usize,
    message: &'static str,
    field: &'static str,
    lengths: Lengths,
}

/// How many tagged fields of a struct are still to come, and where the current one ends.
#[derive(Debug)]
pub struct Tags {
    left: u32,
    end: Option<usize>,
}

/// No element takes more memory than so many times its smallest encoding. Arrays inside of arrays
/// add up, in the dearest message to 58 times the bytes that came.
const MEMORY_PER_BYTE: usize = 44;

impl Reader {
    /// Starts at the beginning of `frame`.
    #[must_use]
    pub const fn new(frame: Bytes) -> Self {
        Self { frame, at: 0, message: "frame", field: "", lengths: Lengths::Plain }
    }

    /// Names the message that is read from here on, for errors, and the form of its
    /// lengths.
    pub const fn begin(&mut self, message: &'static str, lengths: Lengths) {
        self.message = message;
        self.field = "";
        self.lengths = lengths;
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.frame.len().saturating_sub(self.at)
    }

    /// The bytes that are left, as a slice of the frame.
    #[must_use]
    pub fn rest(&self) -> Bytes {
        self.frame.slice(self.at.min(self.frame.len())..)
    }

    /// Reads the value of `field`.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    pub fn get<T: Wire>(&mut self, field: &'static str, version: i16) -> Result<T, DecodeError> {
        self.field = field;
        T::read(self, version)
    }

    /// The error for `expected` and `found` at this place.
    #[must_use]
    #[cold]
    pub const fn error(&self, expected: Expected, found: Found) -> DecodeError {
        DecodeError { message: self.message, field: self.field, at: self.at, expected, found }
    }

    pub(super) const fn wrong_version(&self, version: i16, min: i16, max: i16) -> DecodeError {
        let error = self.error(Expected::Version(min, max), Found::Number(version as i64));
        DecodeError { field: "version", ..error }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(bytes) = self.frame.get(self.at..).and_then(<[u8]>::first_chunk) else {
            return Err(self.error(Expected::Bytes(N), Found::Bytes(self.remaining())));
        };
        self.at += N;
        Ok(*bytes)
    }

    /// The next `len` bytes, as a slice of the frame.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn slice(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.remaining() {
            return Err(self.error(Expected::Bytes(len), Found::Bytes(self.remaining())));
        }
        let slice = self.frame.slice(self.at..self.at + len);
        self.at += len;
        Ok(slice)
    }

    /// An unsigned varint of at most 5 bytes.
    ///
    /// # Errors
    /// When it does not end in time, or holds more than 32 bits.
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let rest = self.frame.get(self.at..).unwrap_or_default();
        let Some((value, len)) = varint::read(rest) else {
            return Err(self.error(Expected::Varint(varint::MAX_LEN), Found::Other));
        };
        self.at += len;
        Ok(value)
    }

    /// The marker before a struct that may be null: whether a value follows.
    pub(super) fn marker(&mut self) -> Result<bool, DecodeError> {
        match i8::from_be_bytes(self.fixed()?) {
            -1 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(Expected::Marker, Found::Number(other.into()))),
        }
    }

    /// A length in 16 bits, or compact; `None` is null.
    pub(super) fn short_len(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.lengths.is_compact() {
            return self.compact_len();
        }
        let len = i16::from_be_bytes(self.fixed()?);
        self.checked(len.into())
    }

    /// A length or count in 32 bits, or compact; `None` is null.
    pub(super) fn long_len(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.lengths.is_compact() {
            return self.compact_len();
        }
        let len = i32::from_be_bytes(self.fixed()?);
        self.checked(len.into())
    }

    fn compact_len(&mut self) -> Result<Option<usize>, DecodeError> {
        let len = self.uvarint()?;
        self.checked(i64::from(len) - 1)
    }

    /// Every element takes at least one byte, so that no length exceeds what remains.
    fn checked(&self, len: i64) -> Result<Option<usize>, DecodeError> {
        match usize::try_from(len) {
            Ok(count) if count <= self.remaining() => Ok(Some(count)),
            _ if len == -1 => Ok(None),
            _ => Err(self.error(Expected::AtMost(self.remaining()), Found::Number(len))),
        }
    }

    pub(super) fn not_null<T>(&self, value: Option<T>) -> Result<T, DecodeError> {
        value.ok_or_else(|| self.error(Expected::NotNull, Found::Null))
    }

    /// Text of `len` bytes.
    pub(super) fn text(&mut self, len: usize) -> Result<Str, DecodeError> {
        let bytes = self.slice(len)?;
        Str::try_from(bytes).map_err(|_| self.error(Expected::Utf8, Found::Other))
    }

    /// `count` elements, when as many can fit into what remains.
    pub(super) fn elements<T: Wire>(
        &mut self,
        count: usize,
        version: i16,
    ) -> Result<Vec<T>, DecodeError> {
        const { assert!(size_of::<T>() <= MEMORY_PER_BYTE * T::MIN_SIZE) };
        let most = self.remaining() / T::MIN_SIZE;
        if count > most {
            let found = i64::try_from(count).unwrap_or(i64::MAX);
            return Err(self.error(Expected::AtMost(most), Found::Number(found)));
        }
        let field = self.field;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(self, version)?);
            self.field = field;
        }
        Ok(elements)
    }

    /// Starts to read the tagged fields of a struct; none come when the message is not flexible.
    ///
    /// # Errors
    /// When there cannot be so many.
    pub fn tags(&mut self) -> Result<Tags, DecodeError> {
        self.field = "tagged fields";
        let left = if self.lengths.is_compact() { self.uvarint()? } else { 0 };
        Ok(Tags { left, end: None })
    }

    /// The number of the next tagged field, after leaving the last one at its end.
    ///
    /// # Errors
    /// When the last one did not fill its size, or the next one does not fit.
    pub fn next_tag(&mut self, tags: &mut Tags) -> Result<Option<u32>, DecodeError> {
        if let Some(end) = tags.end.take()
            && end != self.at
        {
            return Err(self.error(Expected::FieldEnd(end), Found::Other));
        }
        let Some(left) = tags.left.checked_sub(1) else {
            return Ok(None);
        };
        tags.left = left;
        self.field = "tagged fields";
        let tag = self.uvarint()?;
        let size = usize::try_from(self.uvarint()?).unwrap_or(usize::MAX);
        if size > self.remaining() {
            return Err(self.error(Expected::Bytes(size), Found::Bytes(self.remaining())));
        }
        tags.end = Some(self.at + size);
        Ok(Some(tag))
    }

    /// Passes over a tagged field that we do not know.
    pub const fn skip_tag(&mut self, tags: &mut Tags) {
        if let Some(end) = tags.end.take() {
            self.at = end;
        }
    }

    /// Passes over all tagged fields of a struct that has none we know.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        let mut tags = self.tags()?;
        while self.next_tag(&mut tags)?.is_some() {
            self.skip_tag(&mut tags);
        }
        Ok(())
    }
}
