//! Round trips, other implementations' data, caps, and data that is broken.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use super::*;

const PACKED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    let mut packed = vec![0xaa];
    Compressor::default().compress(codec, plain, &mut packed).expect("packs");
    packed.split_off(1)
}

fn unpack(codec: Codec, packed: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Scratch::new();
    Decompressor::new().decompress(codec, packed, limit, &mut out)?;
    Ok(out.as_slice().to_vec())
}

/// Text that packs, with stretches that do not.
fn sample(size: usize) -> Vec<u8> {
    let mut random = fastrand(7);
    let mut plain = Vec::with_capacity(size);
    while plain.len() < size {
        match random() % 3 {
            0 => plain.extend((0..random() % 200).map(|_| random().to_le_bytes()[3])),
            1 => plain.extend_from_slice(b"{\"customer\":\"42\",\"state\":\"shipped\"}"),
            _ => plain.extend(std::iter::repeat_n(b'x', random() as usize % 3000)),
        }
    }
    plain.truncate(size);
    plain
}

/// A generator that is the same everywhere.
fn fastrand(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

#[test]
fn what_was_packed_unpacks_to_the_same_with_one_context_for_all() {
    let (mut compressor, mut decompressor) = (Compressor::default(), Decompressor::new());
    let mut out = Scratch::new();
    for size in [0, 1, 100, 32_768, 65_535, 65_536, 65_537, 1_000_000, 300] {
        let plain = sample(size);
        for codec in Codec::ALL {
            let mut packed = Vec::new();
            compressor.compress(codec, &plain, &mut packed).expect("packs");
            decompressor.decompress(codec, &packed, size, &mut out).expect("unpacks");
            assert!(out.as_slice() == plain, "{codec} {size}");
        }
    }
}

#[test]
fn nothing_is_written_beyond_the_limit() {
    let plain = sample(100_000);
    for codec in PACKED {
        let packed = pack(codec, &plain);
        let mut out = Scratch::new();
        for limit in [0, 1, 1_000, 65_536, 99_999] {
            let refused = Decompressor::new().decompress(codec, &packed, limit, &mut out);
            assert_eq!(refused, Err(CodecError::TooLarge { codec, limit }));
        }
        assert!(out.capacity() < 100_000, "{codec}");
        assert!(unpack(codec, &packed, 100_000).expect("fits") == plain, "{codec}");
    }
}

#[test]
fn a_bomb_stops_at_the_limit_in_each_codec() {
    const LIMIT: usize = 1 << 20;
    let zeros = vec![0_u8; 64 << 20];
    for codec in PACKED {
        let packed = pack(codec, &zeros);
        let (mut out, mut decompressor) = (Scratch::new(), Decompressor::new());
        let used = allocation_counter::measure(|| {
            let refused = decompressor.decompress(codec, &packed, LIMIT, &mut out);
            assert_eq!(refused, Err(CodecError::TooLarge { codec, limit: LIMIT }));
        });
        assert!(used.bytes_max <= LIMIT as u64 * 2, "{codec}: {} bytes", used.bytes_max);
    }
}

#[test]
fn a_declared_size_alone_allocates_next_to_nothing() {
    let snappy = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'x'];
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 0, 0];
    let lz4 = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    for (codec, packed) in
        [(Codec::Snappy, &snappy[..]), (Codec::Zstd, &zstd[..]), (Codec::Lz4, &lz4[..])]
    {
        let mut out = Scratch::new();
        let mut decompressor = Decompressor::new();
        if decompressor.decompress(codec, packed, 1 << 30, &mut out).is_ok() {
            assert!(out.as_slice().is_empty(), "{codec}");
        }
        assert!(out.capacity() <= 64 * packed.len() + 65_536, "{codec} {}", out.capacity());
    }
}

proptest! {
    #[test]
    fn any_bytes_come_back(plain in prop::collection::vec(any::<u8>(), 0..5_000)) {
        for codec in Codec::ALL {
            prop_assert_eq!(&unpack(codec, &pack(codec, &plain), plain.len()).expect("own"), &plain);
        }
    }

    #[test]
    fn broken_data_is_an_error_or_harmless_and_never_exceeds_the_limit(
        size in 0_usize..3_000,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let plain = sample(size);
        for codec in PACKED {
            let mut packed = pack(codec, &plain);
            for (at, byte) in &flips {
                let at = at.index(packed.len());
                packed[at] ^= byte;
            }
            prop_assert!(!unpack(codec, &packed, 4_000).is_ok_and(|plain| plain.len() > 4_000));
            packed.truncate(cut.index(packed.len() + 1));
            prop_assert!(!unpack(codec, &packed, 4_000).is_ok_and(|plain| plain.len() > 4_000));
        }
    }

    #[test]
    fn bytes_that_are_no_packed_data_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for codec in PACKED {
            prop_assert!(!unpack(codec, &bytes, 10_000).is_ok_and(|plain| plain.len() > 10_000));
        }
    }
}

#[test]
fn a_cut_at_any_byte_is_noticed() {
    let plain = sample(2_000);
    for codec in PACKED {
        let packed = pack(codec, &plain);
        for end in 1..packed.len() {
            // A raw or framed Snappy stream may end after any whole block.
            let cut = unpack(codec, &packed[..end], 10_000);
            if codec == Codec::Snappy && end == 16 {
                continue;
            }
            assert!(cut.is_err(), "{codec} {end}");
        }
    }
}

#[test]
fn several_members_or_frames_are_one_stream() {
    for codec in PACKED {
        let mut packed = pack(codec, b"one ");
        packed.extend(pack(codec, b"two"));
        assert_eq!(unpack(codec, &packed, 100).expect("both"), b"one two", "{codec}");
    }
}

#[test]
fn raw_snappy_is_read_too() {
    let packed = snap::raw::Encoder::new().compress_vec(b"no framing").expect("packs");
    assert_eq!(unpack(Codec::Snappy, &packed, 100).expect("raw"), b"no framing");
}

#[test]
fn gzip_headers_with_all_fields_are_read() {
    let plain = b"fields in front";
    let packed = pack(Codec::Gzip, plain);
    let mut header = packed[..10].to_vec();
    header[3] = 0b1_1111;
    header.extend_from_slice(&[3, 0, 1, 2, 3]);
    header.extend_from_slice(b"name\0comment\0");
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &header);
    let mut with_fields = header.clone();
    with_fields.extend_from_slice(&crc.to_le_bytes()[..2]);
    with_fields.extend_from_slice(&packed[10..]);
    assert_eq!(unpack(Codec::Gzip, &with_fields, 100).expect("reads"), plain);
    with_fields[12] ^= 1;
    assert!(unpack(Codec::Gzip, &with_fields, 100).is_err(), "the header's checksum");
}

#[test]
fn zstd_frames_of_every_level_and_of_streaming_writers_are_read() {
    let plain = sample(400_000);
    for level in [-5, 1, 3, 9, 19, 22] {
        let mut packed = Vec::new();
        let levels = Levels { zstd: level, ..Levels::default() };
        Compressor::new(levels).compress(Codec::Zstd, &plain, &mut packed).expect("packs");
        assert!(unpack(Codec::Zstd, &packed, plain.len()).expect("reads") == plain, "{level}");
    }
    // A streaming writer does not know the size, so the frame does not tell it.
    let mut context = zstd_safe::CCtx::create();
    context.init(3).expect("level");
    let mut packed = vec![0; 1 << 20];
    let mut output = zstd_safe::OutBuffer::around(&mut packed[..]);
    for part in plain.chunks(10_000) {
        let mut input = zstd_safe::InBuffer::around(part);
        while input.pos < part.len() {
            context.compress_stream(&mut output, &mut input).expect("packs");
        }
    }
    assert_eq!(context.end_stream(&mut output).expect("ends"), 0);
    let size = output.pos();
    packed.truncate(size);
    assert!(unpack(Codec::Zstd, &packed, plain.len()).expect("reads") == plain);
}

#[test]
fn a_fresh_buffer_is_little_larger_than_what_it_holds() {
    for codec in PACKED {
        let mut decompressor = Decompressor::new();
        for size in [16_000, 17_000, 15_000, 16_500, 300_000, 290_000] {
            let packed = pack(codec, &sample(size));
            // The first of its kind may get too much: how it packs is not known yet.
            decompressor.decompress(codec, &packed, 1 << 20, &mut Scratch::new()).expect("unpacks");
            let mut out = Scratch::new();
            decompressor.decompress(codec, &packed, 1 << 20, &mut out).expect("unpacks");
            let held = out.capacity();
            assert!(held <= size + size / 4 + 1_024, "{codec}: {held} for {size}");
        }
    }
}

/// A frame of another implementation, with these settings.
fn lz4_frame(plain: &[u8], info: FrameInfo) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).expect("packs");
    encoder.finish().expect("ends")
}

#[test]
fn lz4_frames_of_every_kind_are_read() {
    let plain = sample(300_000);
    let sizes = [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB];
    for at in 0..32 {
        let flag = |bit: usize| at >> bit & 1 == 1;
        let mode = if flag(2) { BlockMode::Linked } else { BlockMode::Independent };
        let info = FrameInfo::new()
            .block_size(sizes[at % 4])
            .block_mode(mode)
            .block_checksums(flag(3))
            .content_checksum(flag(4))
            .content_size(flag(4).then_some(plain.len() as u64));
        let mut packed = lz4_frame(&plain, info);
        assert!(unpack(Codec::Lz4, &packed, plain.len()).expect("reads") == plain, "{at:b}");
        let two = [&b"\x5a\x2a\x4d\x18\x02\0\0\0hi"[..], &packed, &packed].concat();
        let twice = unpack(Codec::Lz4, &two, 2 * plain.len()).expect("reads");
        assert!(twice == [&plain[..], &plain].concat(), "{at:b}: skippable, and two frames");
        if flag(4) {
            let last = packed.len() - 1;
            packed[last] ^= 1;
            assert!(unpack(Codec::Lz4, &packed, plain.len()).is_err(), "{at:b}: checksum");
        }
    }
}

#[test]
fn a_turned_bit_under_a_block_checksum_is_noticed() {
    let plain = sample(2_000);
    let packed = lz4_frame(&plain, FrameInfo::new().block_checksums(true));
    for at in 7..packed.len() - 4 {
        let mut broken = packed.clone();
        broken[at] ^= 0x10;
        assert!(unpack(Codec::Lz4, &broken, 10_000).is_err(), "{at}");
    }
}

#[test]
fn data_that_needs_a_dictionary_is_refused_by_name() {
    // LZ4 with the flag set; zstd with a dictionary id of one byte.
    let lz4 = [0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 1, 0, 0, 0, 0];
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 1, 0, 0, b'x'];
    for (codec, packed) in [(Codec::Lz4, &lz4[..]), (Codec::Zstd, &zstd[..])] {
        assert_eq!(unpack(codec, packed, 100), Err(CodecError::Dictionary { codec }));
    }
}
