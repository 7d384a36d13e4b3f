//! Unpacks the records of a compressed batch, one obvious way per codec, never past a bound.

use std::io::Read;

use super::Refusal;
use crate::code::ErrorCode;

/// How many bytes one batch may unpack to: more is refused as a bomb.
const MAX_INFLATED: usize = 256 << 20;
/// What snappy blocks written by Java and librdkafka begin with, before two version numbers.
const XERIAL: &[u8] = b"\x82SNAPPY\0";

/// Unpacks `packed` by the codec's number.
pub(super) fn inflate(codec: i16, packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let unpacked = match codec {
        1 => read_all(flate2::read::MultiGzDecoder::new(packed)),
        2 => snappy(packed),
        3 => read_all(lz4_flex::frame::FrameDecoder::new(packed)),
        4 => zstd(packed),
        _ => {
            let why = format!("{codec} is the number of no codec: 0 to 4 are");
            return Err(Refusal::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, why));
        }
    };
    unpacked.ok_or_else(|| {
        let why = format!("the batch does not unpack by codec {codec} into {MAX_INFLATED} bytes");
        Refusal::new(ErrorCode::CORRUPT_MESSAGE, why)
    })
}

fn read_all(from: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let most = u64::try_from(MAX_INFLATED).unwrap_or(u64::MAX);
    from.take(most.saturating_add(1)).read_to_end(&mut out).ok()?;
    (out.len() <= MAX_INFLATED).then_some(out)
}

/// Xerial's framing, or one raw block.
fn snappy(packed: &[u8]) -> Option<Vec<u8>> {
    let Some(mut blocks) = packed.strip_prefix(XERIAL).and_then(|rest| rest.get(8..)) else {
        return snappy_block(packed, MAX_INFLATED);
    };
    let mut out = Vec::new();
    while !blocks.is_empty() {
        let (len, rest) = blocks.split_first_chunk()?;
        let len = usize::try_from(i32::from_be_bytes(*len)).ok()?;
        let (block, rest) = rest.split_at_checked(len)?;
        out.extend(snappy_block(block, MAX_INFLATED.checked_sub(out.len())?)?);
        blocks = rest;
    }
    Some(out)
}

fn snappy_block(block: &[u8], most: usize) -> Option<Vec<u8>> {
    let len = snap::raw::decompress_len(block).ok()?;
    if len > most {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(block).ok()
}

fn zstd(packed: &[u8]) -> Option<Vec<u8>> {
    let mut context = zstd_safe::DCtx::create();
    let mut input = zstd_safe::InBuffer::around(packed);
    let mut out = Vec::new();
    let mut chunk = vec![0; zstd_safe::DCtx::out_size()];
    loop {
        let mut output = zstd_safe::OutBuffer::around(chunk.as_mut_slice());
        let hint = context.decompress_stream(&mut output, &mut input).ok()?;
        out.extend_from_slice(output.as_slice());
        let written = output.as_slice().len();
        if out.len() > MAX_INFLATED {
            return None;
        }
        let done = input.pos() == packed.len() && hint == 0;
        let starved = input.pos() == packed.len() && written == 0;
        if done || starved {
            return done.then_some(out);
        }
    }
}
