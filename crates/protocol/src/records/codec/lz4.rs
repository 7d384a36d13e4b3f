//! LZ4 frames over the block API: all block sizes, linked blocks, every checksum, many frames.
//!
//! ```text
//! magic u32   flags   block size   [content size u64]   header checksum
//! ( length u32 (top bit: stored)   block   [checksum u32] )*   0 u32   [content checksum u32]
//! ```
//!
//! Written are independent blocks of 64 KiB, the only kind that the Java client reads.

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into,
    decompress_into_with_dict, get_maximum_output_size,
};

use self::xxh32::xxh32;
use super::guess::Guess;
use super::{Codec, CodecError, Lz4Header, Scratch};

mod xxh32;

const MAGIC: u32 = 0x184d_2204;
const SKIPPABLE: u32 = 0x184d_2a50;
const SKIPPABLE_MASK: u32 = 0xffff_fff0;

/// The top bit of a block's length: the block is stored as it is.
const STORED: u32 = 1 << 31;

/// How far back a block may refer.
const WINDOW: usize = 64 * 1024;

/// A byte of a block makes at most this many, and a block a few more.
const MOST_PER_BYTE: usize = 255;

/// Version 1, independent blocks, no checksums; blocks of 64 KiB.
const WRITTEN_DESCRIPTOR: [u8; 2] = [VERSION | INDEPENDENT, 4 << 4];

/// What is packed into one block.
const WRITTEN_BLOCK: usize = 64 * 1024;

/// Unpacks LZ4.
#[derive(Debug, Default)]
pub(super) struct Unpacker {
    guess: Guess,
}

impl Unpacker {
    /// Unpacks all frames of `packed`.
    pub(super) fn unpack(
        &mut self,
        packed: &[u8],
        out: &mut Scratch,
        header: Lz4Header,
    ) -> Result<(), CodecError> {
        out.room(self.guess.room(packed.len()).min(out.limit()));
        let mut rest = packed;
        while !rest.is_empty() {
            let magic = take_u32(&mut rest, "a frame's magic number is cut off")?;
            if magic & SKIPPABLE_MASK == SKIPPABLE {
                let size = take_u32(&mut rest, "a skippable frame's size is cut off")?;
                take(&mut rest, size as usize, "a skippable frame is cut off")?;
            } else if magic == MAGIC {
                let frame = Frame::read(&mut rest, header)?;
                frame.unpack(&mut rest, out)?;
            } else {
                return Err(corrupt("there is no frame"));
            }
        }
        self.guess.learn(packed.len(), out.len());
        Ok(())
    }
}

/// What the header of a frame says.
struct Frame {
    flags: u8,
    content_size: Option<u64>,
    /// The largest block, in bytes.
    block: usize,
}

const VERSION: u8 = 1 << 6;
const VERSION_MASK: u8 = 0b1100_0000;
const INDEPENDENT: u8 = 1 << 5;
const BLOCK_CHECKSUMS: u8 = 1 << 4;
const CONTENT_SIZE: u8 = 1 << 3;
const CONTENT_CHECKSUM: u8 = 1 << 2;
const RESERVED: u8 = 1 << 1;
const DICTIONARY: u8 = 1;

/// All bits of the block size byte but the size.
const BLOCK_RESERVED: u8 = 0b1000_1111;

impl Frame {
    fn read(rest: &mut &[u8], header: Lz4Header) -> Result<Self, CodecError> {
        let all = *rest;
        let [flags, blocks] = *take_chunk::<2>(rest, "a frame's header is cut off")?;
        if flags & (VERSION_MASK | RESERVED) != VERSION || blocks & BLOCK_RESERVED != 0 {
            return Err(corrupt("a frame's flags are unknown"));
        }
        if flags & DICTIONARY != 0 {
            return Err(CodecError::Dictionary { codec: Codec::Lz4 });
        }
        let block = match blocks >> 4 {
            size @ 4..=7 => 1 << (2 * size + 8),
            _ => return Err(corrupt("a frame's block size is unknown")),
        };
        let content_size = match flags & CONTENT_SIZE {
            0 => None,
            _ => Some(u64::from_le_bytes(*take_chunk(rest, "a frame's size is cut off")?)),
        };
        let descriptor = all.get(..all.len() - rest.len()).unwrap_or_default();
        let [_, expected, _, _] = xxh32(descriptor).to_le_bytes();
        let [found] = *take_chunk::<1>(rest, "a frame's header checksum is cut off")?;
        if found != expected && header == Lz4Header::Checked {
            return Err(corrupt("a frame's header checksum is wrong"));
        }
        Ok(Self { flags, content_size, block })
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Unpacks the blocks up to the end mark.
    fn unpack(&self, rest: &mut &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        let start = out.len();
        loop {
            let length = take_u32(rest, "a block's length is cut off")?;
            if length == 0 {
                break;
            }
            let block = take(rest, (length & !STORED) as usize, "a block is cut off")?;
            if self.has(BLOCK_CHECKSUMS)
                && take_u32(rest, "a block's checksum is cut off")? != xxh32(block)
            {
                return Err(corrupt("a block's checksum is wrong"));
            }
            if length & STORED == 0 {
                self.packed_block(block, out, start)?;
            } else {
                self.stored_block(block, out)?;
            }
        }
        self.check_content(rest, out.as_slice().get(start..).unwrap_or_default())
    }

    fn stored_block(&self, block: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        if block.len() > self.block {
            return Err(corrupt("a block is larger than its frame allows"));
        }
        match out.room(block.len()).get_mut(..block.len()) {
            Some(room) => room.copy_from_slice(block),
            None => return Err(too_large(out)),
        }
        out.wrote(block.len());
        Ok(())
    }

    fn packed_block(
        &self,
        block: &[u8],
        out: &mut Scratch,
        start: usize,
    ) -> Result<(), CodecError> {
        let most = block.len().saturating_mul(MOST_PER_BYTE).min(self.block);
        // The room that is there does nearly always; if not, the block is unpacked once more.
        let mut unpacked = self.try_block(block, out, start, most.min(out.spare()));
        if matches!(unpacked, Err(DecompressError::OutputTooSmall { .. })) && out.spare() < most {
            out.room(most);
            unpacked = self.try_block(block, out, start, most);
        }
        match unpacked {
            Ok(bytes) => {
                out.wrote(bytes);
                Ok(())
            }
            Err(DecompressError::OutputTooSmall { .. }) if out.left() < most => Err(too_large(out)),
            Err(_) => Err(corrupt("a block is wrong")),
        }
    }

    fn try_block(
        &self,
        block: &[u8],
        out: &mut Scratch,
        start: usize,
        most: usize,
    ) -> Result<usize, DecompressError> {
        let (written, room) = out.written_and_room();
        let room = match room.split_at_mut_checked(most) {
            Some((room, _)) => room,
            None => room,
        };
        if self.has(INDEPENDENT) {
            return decompress_into(block, room);
        }
        let from = written.len().saturating_sub(WINDOW).max(start);
        decompress_into_with_dict(block, room, written.get(from..).unwrap_or_default())
    }

    fn check_content(&self, rest: &mut &[u8], content: &[u8]) -> Result<(), CodecError> {
        if self.content_size.is_some_and(|size| size != content.len() as u64) {
            return Err(corrupt("a frame's size is wrong"));
        }
        if self.has(CONTENT_CHECKSUM)
            && take_u32(rest, "a frame's checksum is cut off")? != xxh32(content)
        {
            return Err(corrupt("a frame's checksum is wrong"));
        }
        Ok(())
    }
}

/// Packs LZ4.
#[derive(Default)]
pub(super) struct Packer {
    table: Option<CompressTable>,
}

impl Packer {
    /// Appends `plain` as one frame.
    pub(super) fn pack(&mut self, plain: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        let table = self.table.get_or_insert_with(CompressTable::large);
        let [_, checksum, _, _] = xxh32(&WRITTEN_DESCRIPTOR).to_le_bytes();
        out.put(&MAGIC.to_le_bytes());
        out.put(&WRITTEN_DESCRIPTOR);
        out.put(&[checksum]);
        for block in plain.chunks(WRITTEN_BLOCK) {
            pack_block(table, block, out)?;
        }
        out.put(&0_u32.to_le_bytes());
        Ok(())
    }
}

fn pack_block(
    table: &mut CompressTable,
    block: &[u8],
    out: &mut Scratch,
) -> Result<(), CodecError> {
    let room = out.room(4 + get_maximum_output_size(block.len()));
    let (length, room) = room.split_first_chunk_mut::<4>().ok_or(REFUSED)?;
    let packed = compress_into_with_table(block, room, table).map_err(|_| REFUSED)?;
    if packed < block.len() {
        *length = u32::try_from(packed).map_err(|_| REFUSED)?.to_le_bytes();
        out.wrote(4 + packed);
    } else {
        let stored = u32::try_from(block.len()).map_err(|_| REFUSED)? | STORED;
        out.put(&stored.to_le_bytes());
        out.put(block);
    }
    Ok(())
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("used", &self.table.is_some()).finish()
    }
}

fn take<'a>(
    rest: &mut &'a [u8],
    bytes: usize,
    cut_off: &'static str,
) -> Result<&'a [u8], CodecError> {
    let (part, tail) = rest.split_at_checked(bytes).ok_or_else(|| corrupt(cut_off))?;
    *rest = tail;
    Ok(part)
}

fn take_chunk<'a, const N: usize>(
    rest: &mut &'a [u8],
    cut_off: &'static str,
) -> Result<&'a [u8; N], CodecError> {
    let (part, tail) = rest.split_first_chunk().ok_or_else(|| corrupt(cut_off))?;
    *rest = tail;
    Ok(part)
}

fn take_u32(rest: &mut &[u8], cut_off: &'static str) -> Result<u32, CodecError> {
    take_chunk(rest, cut_off).map(|bytes| u32::from_le_bytes(*bytes))
}

const REFUSED: CodecError =
    CodecError::Refused { codec: Codec::Lz4, reason: "a block did not fit its bound" };

fn too_large(out: &Scratch) -> CodecError {
    CodecError::TooLarge { codec: Codec::Lz4, limit: out.limit() }
}

const fn corrupt(reason: &'static str) -> CodecError {
    CodecError::Corrupt { codec: Codec::Lz4, reason }
}
