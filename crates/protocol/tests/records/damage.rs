//! Each bit of a batch that another client wrote is turned once: that shows, or it does no harm.

use forebay_protocol::records::batch::Batch;
use forebay_protocol::records::codec::Decompressor;
use forebay_protocol::records::legacy::LegacyReader;

use crate::goldens::{java, java_message_sets, read};

fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, bytes)
    })
}

#[test]
fn every_flipped_bit_of_a_batch_is_detected_or_harmless() {
    for (name, bytes) in java().into_iter().filter(|(name, _)| !name.starts_with("large")) {
        let good = read(&bytes).expect("reads");
        for (at, bad) in flipped(&bytes) {
            match (at, read(&bad)) {
                // Brokers write base offset and leader epoch after the checksum was made.
                (0..8, Ok(records)) => assert_eq!(records.len(), good.len(), "{name} {at}"),
                (12..16, records) => assert_eq!(records.as_ref(), Ok(&good), "{name} {at}"),
                (_, Ok(_)) => panic!("{name}: a bit of byte {at} turned, and nothing showed"),
                (_, Err(_)) => {}
            }
        }
    }
}

#[test]
fn every_cut_of_a_batch_is_detected() {
    for (name, bytes) in java().into_iter().filter(|(name, _)| !name.starts_with("large")) {
        for end in 0..bytes.len() {
            assert!(Batch::split_first(&bytes[..end]).is_err(), "{name} {end}");
        }
    }
}

#[test]
fn every_flipped_bit_of_an_old_message_is_detected_or_moves_its_offset() {
    let small = |name: &str| !name.contains("large");
    for (name, bytes) in java_message_sets().into_iter().filter(|(name, _)| small(name)) {
        let convert = |bytes: &[u8]| {
            let mut out = Vec::new();
            let mut reader = LegacyReader::new();
            let read = reader.convert(bytes, &mut Decompressor::new(), 1 << 20, &mut out);
            read.ok().filter(|read| *read == bytes.len()).map(|_| out)
        };
        let good = convert(&bytes).expect("converts");
        let good = read(&good).expect("reads").len();
        // The offsets stand outside the checksums; in a plain set each message has one.
        for (at, bad) in flipped(&bytes) {
            if let Some(out) = convert(&bad) {
                assert!(at < 8 || name.ends_with("none"), "{name} {at}");
                assert_eq!(read(&out).expect("reads").len(), good, "{name} {at}");
            }
        }
    }
}
