//! How are records packed and unpacked? One door to the four codecs, with contexts that are reused.
//!
//! What a peer sent is unpacked under a cap: no declared size is believed, and no more than the
//! cap is ever written or allocated, however small the input.

#![cfg_attr(
    not(all(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")),
    allow(
        dead_code,
        unused_variables,
        clippy::needless_pass_by_ref_mut,
        clippy::needless_update,
        reason = "a codec that is not built in uses nothing"
    )
)]

use std::fmt;

pub use self::error::CodecError;
pub use self::scratch::Scratch;

mod error;
mod guess;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
mod scratch;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

/// How the records of a batch are packed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_enums, reason = "a new codec must be seen by every match")]
pub enum Codec {
    /// Not packed.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy, in the framing of xerial's Java library or raw.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames (Kafka 2.1 and later, KIP-110).
    Zstd,
}

impl Codec {
    /// All codecs, by their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with Kafka's number `id` (0 to 4).
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Kafka's number for this codec.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Kafka's name for this codec, as in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Unpacks records, keeping the contexts of the codecs between batches. One per worker.
#[derive(Debug, Default)]
pub struct Decompressor {
    #[cfg(feature = "gzip")]
    gzip: gzip::Inflater,
    #[cfg(feature = "snappy")]
    snappy: snappy::Unpacker,
    #[cfg(feature = "lz4")]
    lz4: lz4::Unpacker,
    #[cfg(feature = "zstd")]
    zstd: zstd::Unpacker,
}

/// Which checksum an LZ4 frame header carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lz4Header {
    /// The one that the format asks for.
    Checked,
    /// Whatever: clients before 0.10 wrote a wrong one, and it covers ten bytes (KAFKA-3160).
    Unchecked,
}

impl Decompressor {
    /// A decompressor without contexts; they are made when first needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Unpacks `packed` into `out`, replacing what it held.
    ///
    /// # Errors
    /// When the codec was not built in, when the data is corrupt, or when it unpacks to more than
    /// `limit` bytes. `out` holds a part of the data then.
    pub fn decompress(
        &mut self,
        codec: Codec,
        packed: &[u8],
        limit: usize,
        out: &mut Scratch,
    ) -> Result<(), CodecError> {
        out.start(limit);
        self.unpack(codec, packed, out, Lz4Header::Checked)
    }

    /// As [`Self::decompress`], for messages of the formats v0 and v1.
    pub(super) fn decompress_message(
        &mut self,
        codec: Codec,
        packed: &[u8],
        limit: usize,
        out: &mut Scratch,
    ) -> Result<(), CodecError> {
        out.start(limit);
        self.unpack(codec, packed, out, Lz4Header::Unchecked)
    }

    fn unpack(
        &mut self,
        codec: Codec,
        packed: &[u8],
        out: &mut Scratch,
        header: Lz4Header,
    ) -> Result<(), CodecError> {
        match codec {
            Codec::None => copy(packed, out),
            #[cfg(feature = "gzip")]
            Codec::Gzip => self.gzip.unpack(packed, out),
            #[cfg(feature = "snappy")]
            Codec::Snappy => self.snappy.unpack(packed, out),
            #[cfg(feature = "lz4")]
            Codec::Lz4 => self.lz4.unpack(packed, out, header),
            #[cfg(feature = "zstd")]
            Codec::Zstd => self.zstd.unpack(packed, out),
            #[allow(unreachable_patterns, reason = "reachable when a codec is not built in")]
            codec => Err(CodecError::NotBuilt { codec }),
        }
    }
}

fn copy(packed: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
    let limit = out.limit();
    match out.room(packed.len()).get_mut(..packed.len()) {
        Some(room) => room.copy_from_slice(packed),
        None => return Err(CodecError::TooLarge { codec: Codec::None, limit }),
    }
    out.wrote(packed.len());
    Ok(())
}

/// How hard the codecs try. Kafka's defaults; LZ4 and Snappy have one level here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Levels {
    /// 1 (fastest) to 9 (smallest); 6 by default.
    pub gzip: u8,
    /// Up to 22 (smallest), negative for faster; 3 by default.
    pub zstd: i32,
}

impl Default for Levels {
    fn default() -> Self {
        Self { gzip: 6, zstd: 3 }
    }
}

/// Packs records, keeping the contexts of the codecs between batches.
#[derive(Debug, Default)]
pub struct Compressor {
    levels: Levels,
    /// What was packed last. Room for the worst case is kept here once, not with every batch.
    packed: Scratch,
    #[cfg(feature = "gzip")]
    gzip: gzip::Deflater,
    #[cfg(feature = "snappy")]
    snappy: snappy::Packer,
    #[cfg(feature = "lz4")]
    lz4: lz4::Packer,
    #[cfg(feature = "zstd")]
    zstd: zstd::Packer,
}

impl Compressor {
    /// A compressor without contexts; they are made when first needed.
    #[must_use]
    pub fn new(levels: Levels) -> Self {
        Self { levels, ..Self::default() }
    }

    /// Packs `plain`; what comes of it lies here until the next call.
    ///
    /// # Errors
    /// When the codec was not built in, or refuses its level.
    pub fn pack(&mut self, codec: Codec, plain: &[u8]) -> Result<&[u8], CodecError> {
        self.packed.start(usize::MAX);
        let packed = &mut self.packed;
        match codec {
            Codec::None => packed.put(plain),
            #[cfg(feature = "gzip")]
            Codec::Gzip => self.gzip.pack(self.levels.gzip, plain, packed)?,
            #[cfg(feature = "snappy")]
            Codec::Snappy => self.snappy.pack(plain, packed)?,
            #[cfg(feature = "lz4")]
            Codec::Lz4 => self.lz4.pack(plain, packed)?,
            #[cfg(feature = "zstd")]
            Codec::Zstd => self.zstd.pack(self.levels.zstd, plain, packed)?,
            #[allow(unreachable_patterns, reason = "reachable when a codec is not built in")]
            codec => return Err(CodecError::NotBuilt { codec }),
        }
        Ok(self.packed.as_slice())
    }

    /// Packs `plain` and appends it to `out`.
    ///
    /// # Errors
    /// As [`pack`](Self::pack).
    pub fn compress(
        &mut self,
        codec: Codec,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        out.extend_from_slice(self.pack(codec, plain)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
