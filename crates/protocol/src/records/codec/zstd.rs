//! Zstandard: one shot per batch with a reused context, into room that the frames cannot exceed.
//!
//! One shot needs no window of its own, so a frame cannot ask for memory. How much room it may
//! need at most is counted from its blocks (128 KiB each), not believed from its header; what it
//! gets first is a guess from the batches before it.

use zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name};

use super::guess::Guess;
use super::{Codec, CodecError, Scratch};

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: u32 = 0x184d_2a50;
const SKIPPABLE_MASK: u32 = 0xffff_fff0;

/// The most that one block unpacks to.
const MOST_PER_BLOCK: u64 = 128 * 1024;

/// What the library says when the room is too small: error 70, negated.
const DESTINATION_TOO_SMALL: usize = 0_usize.wrapping_sub(70);

/// Unpacks Zstandard.
#[derive(Default)]
pub(super) struct Unpacker {
    context: Option<DCtx<'static>>,
    guess: Guess,
}

impl Unpacker {
    /// Unpacks all frames of `packed`.
    pub(super) fn unpack(&mut self, packed: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        let most = usize::try_from(most_unpacked(packed)?).unwrap_or(usize::MAX);
        let context = self.context.get_or_insert_with(DCtx::create);
        let likely = most.min(self.guess.room(packed.len()));
        let mut unpacked = context.decompress(out.room(likely), packed);
        if unpacked == Err(DESTINATION_TOO_SMALL) && out.spare() < most.min(out.limit()) {
            unpacked = context.decompress(out.room(most), packed);
        }
        match unpacked {
            Ok(bytes) => {
                out.wrote(bytes);
                self.guess.learn(packed.len(), bytes);
                Ok(())
            }
            Err(DESTINATION_TOO_SMALL) if most > out.limit() => {
                Err(CodecError::TooLarge { codec: Codec::Zstd, limit: out.limit() })
            }
            Err(code) => Err(corrupt(get_error_name(code))),
        }
    }
}

/// How many bytes the frames of `packed` can unpack to at most.
fn most_unpacked(packed: &[u8]) -> Result<u64, CodecError> {
    let mut rest = packed;
    let mut most = 0_u64;
    while !rest.is_empty() {
        let magic = u32::from_le_bytes(take_chunk(&mut rest)?);
        if magic & SKIPPABLE_MASK == SKIPPABLE {
            let size = u32::from_le_bytes(take_chunk(&mut rest)?);
            take(&mut rest, size as usize)?;
        } else if magic == MAGIC {
            most = most.saturating_add(most_of_frame(&mut rest)?);
        } else {
            return Err(corrupt("there is no frame"));
        }
    }
    Ok(most)
}

fn most_of_frame(rest: &mut &[u8]) -> Result<u64, CodecError> {
    let [flags] = take_chunk(rest)?;
    let single_segment = flags & 0b10_0000 != 0;
    let has_checksum = flags & 0b100 != 0;
    let window = usize::from(!single_segment);
    let dictionary_id = [0, 1, 2, 4].get(usize::from(flags & 0b11)).copied().unwrap_or_default();
    take(rest, window)?;
    if take(rest, dictionary_id)?.iter().any(|byte| *byte != 0) {
        return Err(CodecError::Dictionary { codec: Codec::Zstd });
    }
    let content_size = match flags >> 6 {
        0 if single_segment => Some(u64::from(u8::from_le_bytes(take_chunk(rest)?))),
        0 => None,
        1 => Some(u64::from(u16::from_le_bytes(take_chunk(rest)?)) + 256),
        2 => Some(u64::from(u32::from_le_bytes(take_chunk(rest)?))),
        _ => Some(u64::from_le_bytes(take_chunk(rest)?)),
    };
    let most = most_of_blocks(rest)?;
    take(rest, if has_checksum { 4 } else { 0 })?;
    Ok(content_size.map_or(most, |size| size.min(most)))
}

fn most_of_blocks(rest: &mut &[u8]) -> Result<u64, CodecError> {
    let mut most = 0_u64;
    loop {
        let [b0, b1, b2] = take_chunk(rest)?;
        let header = u32::from_le_bytes([b0, b1, b2, 0]);
        let size = header >> 3;
        let (packed, plain) = match (header >> 1) & 0b11 {
            0 => (size, u64::from(size)),
            1 => (1, u64::from(size)),
            2 => (size, MOST_PER_BLOCK),
            _ => return Err(corrupt("a block's type is unknown")),
        };
        take(rest, packed as usize)?;
        most = most.saturating_add(plain.min(MOST_PER_BLOCK));
        if header & 1 != 0 {
            return Ok(most);
        }
    }
}

/// Packs Zstandard.
#[derive(Default)]
pub(super) struct Packer {
    context: Option<CCtx<'static>>,
}

impl Packer {
    /// Appends `plain` as one frame.
    pub(super) fn pack(
        &mut self,
        level: i32,
        plain: &[u8],
        out: &mut Scratch,
    ) -> Result<(), CodecError> {
        let context = self.context.get_or_insert_with(CCtx::create);
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(refused)?;
        let written =
            context.compress2(out.room(compress_bound(plain.len())), plain).map_err(refused)?;
        out.wrote(written);
        Ok(())
    }
}

fn refused(code: usize) -> CodecError {
    CodecError::Refused { codec: Codec::Zstd, reason: get_error_name(code) }
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8], CodecError> {
    let (part, tail) = rest.split_at_checked(bytes).ok_or(corrupt("a frame is cut off"))?;
    *rest = tail;
    Ok(part)
}

fn take_chunk<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CodecError> {
    let (part, tail) = rest.split_first_chunk().ok_or(corrupt("a frame is cut off"))?;
    *rest = tail;
    Ok(*part)
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").field("used", &self.context.is_some()).finish()
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("used", &self.context.is_some()).finish()
    }
}

const fn corrupt(reason: &'static str) -> CodecError {
    CodecError::Corrupt { codec: Codec::Zstd, reason }
}
