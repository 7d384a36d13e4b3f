//! Writes Kafka's types into one buffer, or only counts how long that buffer must be.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Lengths, Nullable, Wire};

/// A message that cannot be written in the version asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message} version {version}: `{field}` {problem}")]
pub struct EncodeError {
    /// The message, by Kafka's name.
    pub message: &'static str,
    /// The version that was asked for.
    pub version: i16,
    /// The field in question.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: EncodeProblem,
}

/// Why a field cannot be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeProblem {
    /// The field is set, and this version has no place for it.
    #[error("is set, but the broker's version has no such field: leave it at its default")]
    NotInVersion,
    /// The field is null, and this version has no null there.
    #[error("is null, which this version does not allow: give it a value")]
    Null,
    /// The value is longer than its length field can say.
    #[error("is too long for its length field ({0} bytes or elements): make it shorter")]
    TooLong(usize),
    /// We do not speak this version.
    #[error("is not one that this client speaks")]
    Version,
}

/// Bytes from this length on are cheaper to write to a socket by themselves than to copy before.
const SHARED_FROM: usize = 4096;

/// A buffer of a message, or with [`Writer::counting`] only its length.
#[derive(Debug)]
pub struct Writer {
    buffer: Option<BytesMut>,
    /// What was finished before the buffer, with long values that are shared and not copied.
    parts: Vec<Bytes>,
    len: usize,
    /// Of these, bytes that are not shared.
    copied: usize,
    message: &'static str,
    field: &'static str,
    version: i16,
    lengths: Lengths,
}

impl Writer {
    /// Writes into a buffer that holds `capacity` bytes before it must grow.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Some(BytesMut::with_capacity(capacity)), ..Self::counting() }
    }

    /// Writes nothing, and counts.
    #[must_use]
    pub const fn counting() -> Self {
        Self {
            buffer: None,
            parts: Vec::new(),
            len: 0,
            copied: 0,
            message: "frame",
            field: "",
            version: 0,
            lengths: Lengths::Plain,
        }
    }

    /// Names the message that follows, for errors, and the form of its lengths.
    pub const fn begin(&mut self, message: &'static str, version: i16, lengths: Lengths) {
        self.message = message;
        self.field = "version";
        self.version = version;
        self.lengths = lengths;
    }

    /// How many bytes were written or counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written, in parts that follow each other; none after [`Writer::counting`].
    #[must_use]
    pub fn into_parts(self) -> Vec<Bytes> {
        let mut parts = self.parts;
        parts.extend(self.buffer.filter(|rest| !rest.is_empty()).map(BytesMut::freeze));
        parts
    }

    /// What was written, in one piece; empty after [`Writer::counting`].
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.parts.is_empty() {
            return self.buffer.unwrap_or_default().freeze();
        }
        self.into_parts().concat().into()
    }

    /// Writes bytes that may be kept: long ones are shared.
    pub fn shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_FROM {
            return self.raw(bytes);
        }
        self.len += bytes.len();
        if let Some(buffer) = &mut self.buffer {
            self.parts.push(buffer.split().freeze());
            self.parts.push(bytes.clone());
        }
    }

    /// How many of the bytes are not shared.
    pub(crate) const fn copied(&self) -> usize {
        self.copied
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        self.copied += bytes.len();
        if let Some(buffer) = &mut self.buffer {
            buffer.put_slice(bytes);
        }
    }

    /// One signed byte.
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// Two bytes.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// An unsigned varint.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            let low = u8::try_from(value & 0x7f).unwrap_or_default();
            self.raw(&[low | 0x80]);
            value >>= 7;
        }
        self.raw(&[u8::try_from(value).unwrap_or_default()]);
    }

    /// The length as it stands before a frame.
    pub(crate) fn frame_len(&self) -> Result<i32, EncodeError> {
        i32::try_from(self.len).map_err(|_| self.too_long(Some(self.len)))
    }

    /// Writes the value of `field`.
    ///
    /// # Errors
    /// As [`Wire::write`].
    pub fn put<T: Wire>(
        &mut self,
        field: &'static str,
        value: &T,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.field = field;
        value.write(self, version)
    }

    /// Writes the value of `field` in a version that has no null for it.
    ///
    /// # Errors
    /// When it is null, and as [`Wire::write`].
    pub fn put_some<T: Nullable>(
        &mut self,
        field: &'static str,
        value: Option<&T>,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.field = field;
        match value {
            Some(value) => value.write(self, version),
            None => Err(self.error(EncodeProblem::Null)),
        }
    }

    /// The error for a field that is set and that this version lacks.
    #[must_use]
    #[cold]
    pub const fn refuse(&mut self, field: &'static str) -> EncodeError {
        self.field = field;
        self.error(EncodeProblem::NotInVersion)
    }

    /// The number of tagged fields that follow; nothing when the message is not flexible.
    pub fn tags(&mut self, set: &[bool]) {
        if self.lengths.is_compact() {
            let count = set.iter().filter(|set| **set).count();
            self.uvarint(u32::try_from(count).unwrap_or_default());
        }
    }

    /// One tagged field: its number, its size, its value.
    ///
    /// # Errors
    /// As [`Wire::write`].
    pub fn tagged<T: Wire>(
        &mut self,
        (tag, field): (u32, &'static str),
        value: &T,
        version: i16,
    ) -> Result<(), EncodeError> {
        let mut measure = Self::counting();
        measure.begin(self.message, self.version, self.lengths);
        measure.put(field, value, version)?;
        self.field = field;
        self.uvarint(tag);
        self.uvarint(self.length(measure.len)?);
        value.write(self, version)
    }

    /// A length in 16 bits, or compact.
    pub(super) fn short_len(&mut self, len: Option<usize>) -> Result<(), EncodeError> {
        if self.lengths.is_compact() {
            return self.compact_len(len);
        }
        let value = len.map_or(Ok(-1), i16::try_from);
        self.i16(value.map_err(|_| self.too_long(len))?);
        Ok(())
    }

    /// A length or count in 32 bits, or compact.
    pub(super) fn long_len(&mut self, len: Option<usize>) -> Result<(), EncodeError> {
        if self.lengths.is_compact() {
            return self.compact_len(len);
        }
        let value = len.map_or(Ok(-1), i32::try_from);
        self.i32(value.map_err(|_| self.too_long(len))?);
        Ok(())
    }

    fn compact_len(&mut self, len: Option<usize>) -> Result<(), EncodeError> {
        let value = len.map_or(Ok(0), |len| self.length(len.saturating_add(1)))?;
        self.uvarint(value);
        Ok(())
    }

    fn length(&self, len: usize) -> Result<u32, EncodeError> {
        u32::try_from(len).map_err(|_| self.too_long(Some(len)))
    }

    fn too_long(&self, len: Option<usize>) -> EncodeError {
        self.error(EncodeProblem::TooLong(len.unwrap_or_default()))
    }

    #[cold]
    const fn error(&self, problem: EncodeProblem) -> EncodeError {
        EncodeError { message: self.message, version: self.version, field: self.field, problem }
    }

    pub(super) const fn wrong_version(&self) -> EncodeError {
        self.error(EncodeProblem::Version)
    }
}
