//! How is the body of a batch packed and unpacked?

use std::io::{Read, Write};

use clap::ValueEnum;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::block;
use zstd_safe::{CCtx, DCtx};

use crate::error::Error;

/// Start of every lz4 frame written here: independent 64 KiB blocks, no checksums, and the
/// header's own checksum.
const LZ4_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const LZ4_BLOCK: usize = 64 * 1024;
/// The top bit of an lz4 block's length: the block is stored as it is.
const LZ4_STORED: u32 = 1 << 31;

/// The codecs of Kafka's batches, by their number in the attributes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// `raw`, packed.
    pub(crate) fn pack(self, raw: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::None => Ok(raw.to_vec()),
            Self::Gzip => {
                let mut packer = GzEncoder::new(Vec::new(), Compression::default());
                packer.write_all(raw).and_then(|()| packer.finish()).map_err(|_| packing("gzip"))
            }
            Self::Snappy => {
                snap::raw::Encoder::new().compress_vec(raw).map_err(|_| packing("snappy"))
            }
            Self::Lz4 => pack_lz4(raw),
            Self::Zstd => {
                let mut packed = vec![0; zstd_safe::compress_bound(raw.len())];
                let into = packed.as_mut_slice();
                let len = CCtx::create().compress(into, raw, 3).map_err(|_| packing("zstd"))?;
                packed.truncate(len);
                Ok(packed)
            }
        }
    }
}

fn packing(codec: &'static str) -> Error {
    Error::Codec { codec, verb: "pack" }
}

fn pack_lz4(raw: &[u8]) -> Result<Vec<u8>, Error> {
    let mut packed = LZ4_HEADER.to_vec();
    for piece in raw.chunks(LZ4_BLOCK) {
        let block = block::compress(piece);
        let len = u32::try_from(block.len()).map_err(|_| packing("lz4"))?;
        packed.extend_from_slice(&len.to_le_bytes());
        packed.extend_from_slice(&block);
    }
    packed.extend_from_slice(&[0; 4]);
    Ok(packed)
}

/// Unpacks batches into one buffer that only grows.
pub(crate) struct Inflater {
    scratch: Vec<u8>,
    snappy: snap::raw::Decoder,
    zstd: DCtx<'static>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { scratch: Vec::new(), snappy: snap::raw::Decoder::new(), zstd: DCtx::create() }
    }

    /// The records of a batch whose attributes name codec `number`; `None` if the codec is
    /// unknown or its bytes are broken.
    pub(crate) fn open<'a>(&'a mut self, number: u8, body: &'a [u8]) -> Option<&'a [u8]> {
        match number {
            0 => Some(body),
            1 => {
                self.scratch.clear();
                GzDecoder::new(body).read_to_end(&mut self.scratch).ok()?;
                Some(&self.scratch)
            }
            2 => {
                let len = snap::raw::decompress_len(body).ok()?;
                self.grow(len);
                let len = self.snappy.decompress(body, &mut self.scratch).ok()?;
                self.scratch.get(..len)
            }
            3 => self.open_lz4(body),
            4 => {
                let len = zstd_safe::get_frame_content_size(body).ok().flatten()?;
                self.grow(usize::try_from(len).ok()?);
                let len = self.zstd.decompress(self.scratch.as_mut_slice(), body).ok()?;
                self.scratch.get(..len)
            }
            _ => None,
        }
    }

    fn open_lz4(&mut self, body: &[u8]) -> Option<&[u8]> {
        let (header, mut rest) = body.split_at_checked(LZ4_HEADER.len())?;
        if header.get(..4) != LZ4_HEADER.get(..4) {
            return None;
        }
        let mut filled = 0;
        loop {
            let (word, tail) = rest.split_first_chunk::<4>()?;
            let word = u32::from_le_bytes(*word);
            if word == 0 {
                return self.scratch.get(..filled);
            }
            let len = usize::try_from(word & !LZ4_STORED).ok()?;
            let (block, tail) = tail.split_at_checked(len)?;
            rest = tail;
            self.grow(filled + LZ4_BLOCK.max(len));
            let room = self.scratch.get_mut(filled..)?;
            filled += if word & LZ4_STORED == 0 {
                block::decompress_into(block, room).ok()?
            } else {
                room.get_mut(..len)?.copy_from_slice(block);
                len
            };
        }
    }

    fn grow(&mut self, len: usize) {
        if self.scratch.len() < len {
            self.scratch.resize(len, 0);
        }
    }
}
