//! How much memory does hostile input make us ask for? A bound in the input's size.

use forebay_protocol::records::batch::Batches;
use forebay_protocol::records::codec::{Codec, CodecError, Decompressor, Scratch};
use forebay_protocol::records::error::RecordsError;
use forebay_protocol::records::record::Records;
use proptest::prelude::*;

use crate::goldens::java;

/// Reads all that can be read, and allocates only what the library does.
fn walk(bytes: &[u8]) -> usize {
    let mut seen = 0;
    for batch in Batches::new(bytes).map_while(Result::ok) {
        let records = Records::new(batch.header(), batch.section());
        for record in records.map_while(Result::ok) {
            seen += 1 + record.headers.iter().map_while(Result::ok).count();
        }
    }
    seen
}

proptest! {
    #[test]
    fn walking_hostile_records_allocates_nothing(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let goldens = java();
        let mut bytes = [&goldens["small-none"][..], &goldens["sparse"], &goldens["append-time"]].concat();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let used = allocation_counter::measure(|| {
            std::hint::black_box(walk(&bytes));
        });
        prop_assert_eq!(used.count_total, 0);
    }
}

#[test]
fn a_bomb_in_a_batch_stops_at_the_cap_whatever_the_codec() {
    const CAP: usize = 256 << 10;
    let goldens = java();
    let zeros = vec![0; 16 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut bytes = goldens[format!("small-{codec}").as_str()][..61].to_vec();
        let mut compressor = forebay_protocol::records::codec::Compressor::default();
        compressor.compress(codec, &zeros, &mut bytes).expect("packs");
        let length = (bytes.len() - 12) as u32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        let used = allocation_counter::measure(|| {
            let batch = Batches::new(&bytes).next().expect("one").expect("batch");
            let mut scratch = Scratch::new();
            let refused = batch.unpack(&mut Decompressor::new(), CAP, &mut scratch).err();
            let fault = CodecError::TooLarge { codec, limit: CAP };
            assert_eq!(refused, Some(RecordsError::Codec { base_offset: 100, fault }));
        });
        assert!(used.bytes_max <= 2 * CAP as u64 + 65_536, "{codec}: {}", used.bytes_max);
    }
}
