//! What the generated messages stand on: a bounded reader, a writer that knows its size, and the
//! encodings of Kafka's types.

mod read;
mod text;
mod values;
mod varint;
mod write;

pub use read::{Reader, Tags};
pub use text::Str;
pub use write::{EncodeError, EncodeProblem, Writer};

use crate::decode::DecodeError;

/// How a message writes lengths, and whether its structs end in tagged fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Lengths {
    /// In 16 or 32 bits; no tagged fields.
    Plain,
    /// As varints, one larger than they are; every struct ends in tagged fields.
    Compact,
}

impl Lengths {
    /// The form in `version` of a message that is flexible from another version on.
    #[must_use]
    pub const fn of(version: i16, flexible_from: i16) -> Self {
        if version >= flexible_from { Self::Compact } else { Self::Plain }
    }

    const fn is_compact(self) -> bool {
        matches!(self, Self::Compact)
    }
}

/// A value with an encoding: a number, text, bytes, an array, or a struct of a message.
pub trait Wire: Default + Sized {
    /// The fewest bytes that a value takes in any version. Bounds what an array may reserve.
    const MIN_SIZE: usize;

    /// Reads one value.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Writes this value.
    ///
    /// # Errors
    /// When a field is set that `version` lacks, or null where it may not be.
    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;
}

/// A value that has an encoding for null as well.
///
/// The default is that of structs: a marker byte, -1 for null and 1 before a value.
pub trait Nullable: Wire {
    /// Reads one value or null.
    ///
    /// # Errors
    /// When the bytes are neither.
    fn read_nullable(reader: &mut Reader, version: i16) -> Result<Option<Self>, DecodeError> {
        if reader.marker()? { Self::read(reader, version).map(Some) } else { Ok(None) }
    }

    /// Writes `value` or null.
    ///
    /// # Errors
    /// As [`Wire::write`].
    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        version: i16,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else {
            writer.i8(-1);
            return Ok(());
        };
        writer.i8(1);
        value.write(writer, version)
    }
}

/// A whole message: a request, a response, or data that travels inside of one.
pub trait Message: Wire + Clone + std::fmt::Debug + PartialEq {
    /// Kafka's name of it.
    const NAME: &'static str;
    /// The oldest version we speak.
    const MIN_VERSION: i16;
    /// The newest version we speak.
    const MAX_VERSION: i16;
    /// The first version with compact lengths and tagged fields; `i16::MAX` when none has them.
    const FLEXIBLE_FROM: i16;

    /// Reads the message, without its header.
    ///
    /// # Errors
    /// When we do not speak `version`, or the bytes are not such a message.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        reader.begin(Self::NAME, Lengths::of(version, Self::FLEXIBLE_FROM));
        if !(Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Err(reader.wrong_version(version, Self::MIN_VERSION, Self::MAX_VERSION));
        }
        Self::read(reader, version)
    }

    /// Writes the message, without its header.
    ///
    /// # Errors
    /// When we do not speak `version`, when a field is set that it lacks, or when a field is null
    /// that may not be.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        writer.begin(Self::NAME, version, Lengths::of(version, Self::FLEXIBLE_FROM));
        if !(Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Err(writer.wrong_version());
        }
        self.write(writer, version)
    }

    /// Exactly how many bytes [`Message::encode`] writes.
    ///
    /// # Errors
    /// As [`Message::encode`].
    fn encoded_len(&self, version: i16) -> Result<usize, EncodeError> {
        let mut writer = Writer::counting();
        self.encode(&mut writer, version)?;
        Ok(writer.len())
    }
}

#[cfg(test)]
mod tests;
