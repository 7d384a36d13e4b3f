//! Snappy: the framing of xerial's Java library, which Kafka's clients write, and raw blocks.
//!
//! ```text
//! 82 'SNAPPY' 00   version i32   oldest reader i32   ( length i32   raw block )*
//! ```

use snap::raw::{self, Decoder, Encoder};

use super::{Codec, CodecError, Scratch};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];

/// What xerial's library packs into one block.
const BLOCK: usize = 32 * 1024;

/// No element of a raw block makes more bytes of fewer: three bytes copy at most 64.
const MOST_PER_BYTE: usize = 22;

/// Unpacks Snappy.
#[derive(Debug, Default)]
pub(super) struct Unpacker {
    context: Decoder,
}

impl Unpacker {
    /// Unpacks framed blocks, or one raw block.
    pub(super) fn unpack(&mut self, packed: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        // Blocks tell their sizes, so that all of them get their room at once.
        let mut size = 0_usize;
        each_block(packed, |block| {
            size = size.saturating_add(declared(block)?);
            Ok(())
        })?;
        if size > out.limit() {
            return Err(CodecError::TooLarge { codec: Codec::Snappy, limit: out.limit() });
        }
        out.room(size);
        each_block(packed, |block| self.block(block, out))
    }

    fn block(&mut self, block: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        let room = out.room(declared(block)?);
        let written =
            self.context.decompress(block, room).map_err(|_| corrupt("a block is wrong"))?;
        out.wrote(written);
        Ok(())
    }
}

/// What a block says it unpacks to, if that can be.
fn declared(block: &[u8]) -> Result<usize, CodecError> {
    let declared = raw::decompress_len(block).map_err(|_| corrupt("a block has no length"))?;
    if declared > block.len().saturating_mul(MOST_PER_BYTE) {
        return Err(corrupt("a block declares more bytes than it can hold"));
    }
    Ok(declared)
}

/// Visits the raw blocks: those of a framed stream, or the one that is not framed.
fn each_block(
    packed: &[u8],
    mut visit: impl FnMut(&[u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    if !packed.starts_with(&MAGIC) {
        return if packed.is_empty() { Ok(()) } else { visit(packed) };
    }
    let mut rest = packed;
    while !rest.is_empty() {
        // Streams of several writers may follow one another.
        if let Some(framed) = rest.strip_prefix(&MAGIC) {
            rest = framed.get(VERSIONS.len()..).ok_or(corrupt("its header is cut off"))?;
            continue;
        }
        let (length, tail) =
            rest.split_first_chunk::<4>().ok_or(corrupt("a block's length is cut off"))?;
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| corrupt("a block's length is negative"))?;
        let (block, tail) = tail.split_at_checked(length).ok_or(corrupt("a block is cut off"))?;
        visit(block)?;
        rest = tail;
    }
    Ok(())
}

/// Packs Snappy.
#[derive(Default)]
pub(super) struct Packer {
    context: Option<Box<Encoder>>,
}

impl Packer {
    /// Appends `plain` in blocks, framed.
    pub(super) fn pack(&mut self, plain: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        let context = self.context.get_or_insert_with(|| Box::new(Encoder::new()));
        out.put(&MAGIC);
        out.put(&VERSIONS);
        for block in plain.chunks(BLOCK) {
            let room = out.room(4 + raw::max_compress_len(block.len()));
            let (length, room) = room.split_first_chunk_mut::<4>().ok_or(REFUSED)?;
            let written = context.compress(block, room).map_err(|_| REFUSED)?;
            *length = u32::try_from(written).map_err(|_| REFUSED)?.to_be_bytes();
            out.wrote(4 + written);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("used", &self.context.is_some()).finish()
    }
}

const REFUSED: CodecError =
    CodecError::Refused { codec: Codec::Snappy, reason: "a block did not fit its bound" };

const fn corrupt(reason: &'static str) -> CodecError {
    CodecError::Corrupt { codec: Codec::Snappy, reason }
}
