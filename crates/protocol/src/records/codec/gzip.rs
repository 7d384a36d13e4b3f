//! Gzip (RFC 1952): headers and trailers by hand, raw deflate by `flate2`, so that the contexts
//! can be reused.

use crc_fast::{CrcAlgorithm, checksum};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::guess::Guess;
use super::{Codec, CodecError, Scratch};

const ID: [u8; 3] = [0x1f, 0x8b, 8];
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// What is made room for when the guess was too low.
const STEP: usize = 16 * 1024;

/// Unpacks gzip.
#[derive(Debug, Default)]
pub(super) struct Inflater {
    context: Option<Decompress>,
    guess: Guess,
}

impl Inflater {
    /// Unpacks all members of `packed`.
    pub(super) fn unpack(&mut self, packed: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
        out.room(self.guess.room(packed.len()).min(out.limit()));
        let mut rest = packed;
        while !rest.is_empty() {
            rest = self.member(rest, out)?;
        }
        self.guess.learn(packed.len(), out.len());
        Ok(())
    }

    fn member<'a>(&mut self, packed: &'a [u8], out: &mut Scratch) -> Result<&'a [u8], CodecError> {
        let body = skip_header(packed).ok_or(corrupt("its header is cut off or unknown"))?;
        let start = out.len();
        let rest = self.inflate(body, out)?;
        let Some((trailer, rest)) = rest.split_first_chunk::<8>() else {
            return Err(corrupt("its trailer is cut off"));
        };
        let plain = out.as_slice().get(start..).unwrap_or_default();
        let [size @ .., _, _, _, _] = (plain.len() as u64).to_le_bytes();
        let [c0, c1, c2, c3, sizes @ ..] = *trailer;
        if crc32(plain).to_le_bytes() != [c0, c1, c2, c3] || size != sizes {
            return Err(corrupt("its checksum or size is wrong"));
        }
        Ok(rest)
    }

    /// Unpacks one deflate stream; yields what follows it.
    fn inflate<'a>(&mut self, body: &'a [u8], out: &mut Scratch) -> Result<&'a [u8], CodecError> {
        let context = self.context.get_or_insert_with(|| Decompress::new(false));
        context.reset(false);
        let mut rest = body;
        loop {
            // What is there, and a step more only when that is used up.
            let room = if out.spare() == 0 { out.room(STEP) } else { out.room(0) };
            let full = room.is_empty();
            let (read, written) = (context.total_in(), context.total_out());
            let status = context
                .decompress(rest, room, FlushDecompress::None)
                .map_err(|_| corrupt("its deflate stream is wrong"))?;
            let read = small(context.total_in() - read);
            let written = small(context.total_out() - written);
            out.wrote(written);
            rest = rest.get(read..).unwrap_or_default();
            match status {
                Status::StreamEnd => return Ok(rest),
                Status::Ok | Status::BufError if read + written > 0 => {}
                Status::Ok | Status::BufError if full => {
                    return Err(CodecError::TooLarge { codec: Codec::Gzip, limit: out.limit() });
                }
                Status::Ok | Status::BufError => {
                    return Err(corrupt("its deflate stream is cut off"));
                }
            }
        }
    }
}

/// What follows the header of a member.
fn skip_header(packed: &[u8]) -> Option<&[u8]> {
    let (front, mut rest) = packed.split_first_chunk::<10>()?;
    let [id0, id1, method, flags, ..] = *front;
    if [id0, id1, method] != ID || flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (size, tail) = rest.split_first_chunk::<2>()?;
        rest = tail.get(usize::from(u16::from_le_bytes(*size))..)?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        let header = packed.get(..packed.len() - rest.len())?;
        let (crc, tail) = rest.split_first_chunk::<2>()?;
        let [c0, c1, _, _] = crc32(header).to_le_bytes();
        if *crc != [c0, c1] {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

/// Packs gzip.
#[derive(Debug, Default)]
pub(super) struct Deflater {
    context: Option<(u8, Compress)>,
}

impl Deflater {
    /// Appends `plain` as one member.
    pub(super) fn pack(
        &mut self,
        level: u8,
        plain: &[u8],
        out: &mut Scratch,
    ) -> Result<(), CodecError> {
        if !(1..=9).contains(&level) {
            return Err(CodecError::Refused {
                codec: Codec::Gzip,
                reason: "its levels are 1 to 9",
            });
        }
        let context = match &mut self.context {
            Some((with, context)) if *with == level => {
                context.reset();
                context
            }
            other => {
                let context = Compress::new(Compression::new(level.into()), false);
                &mut other.insert((level, context)).1
            }
        };
        out.put(&[ID[0], ID[1], ID[2], 0, 0, 0, 0, 0, 0, 0xff]);
        deflate(context, plain, out)?;
        out.put(&crc32(plain).to_le_bytes());
        let [size @ .., _, _, _, _] = (plain.len() as u64).to_le_bytes();
        out.put(&size);
        Ok(())
    }
}

fn deflate(context: &mut Compress, plain: &[u8], out: &mut Scratch) -> Result<(), CodecError> {
    let mut rest = plain;
    loop {
        let (read, written) = (context.total_in(), context.total_out());
        let room = out.room((rest.len() / 2).max(STEP));
        let status = context.compress(rest, room, FlushCompress::Finish).map_err(|_| {
            CodecError::Refused { codec: Codec::Gzip, reason: "its deflate stream broke" }
        })?;
        out.wrote(small(context.total_out() - written));
        rest = rest.get(small(context.total_in() - read)..).unwrap_or_default();
        if status == Status::StreamEnd {
            return Ok(());
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32IsoHdlc, bytes)).unwrap_or(u32::MAX)
}

/// What was read or written in one step is part of a slice, so it fits.
fn small(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

const fn corrupt(reason: &'static str) -> CodecError {
    CodecError::Corrupt { codec: Codec::Gzip, reason }
}
