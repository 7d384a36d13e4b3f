//! The lives that fuzzing found worth keeping, lived once more on the stable compiler.

use crate::lives;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpora/lives.bin");

#[test]
fn what_fuzzing_found_worth_keeping_is_lived_through() {
    let bytes = std::fs::read(CORPUS).unwrap();
    let mut rest = bytes.as_slice();
    let mut count = 0;
    while let Some((len, after)) = rest.split_first_chunk() {
        let (input, after) = after.split_at(u32::from_be_bytes(*len) as usize);
        println!("{input:?}");
        lives::check(input);
        count += 1;
        rest = after;
    }
    assert!(100 < count, "{count} lives");
}

/// A partition is given back by the part of an answer that can be read, and the rest of the answer
/// ends the connection: the lane had nothing to dial for any more, and kept the cursor to itself.
#[test]
fn what_an_answer_gives_back_before_it_breaks_is_not_forgotten() {
    lives::check(&[
        0x85, 0x06, 0x5d, 0x47, 0x86, 0x07, 0x19, 0x07, 0x19, 0x37, 0x37, 0x37, 0x37, 0x37, 0x37,
        0x37, 0x37, 0x03, 0x01, 0x30, 0x37, 0x37, 0x37, 0xf6, 0x00,
    ]);
}

/// As above, with a partition whose new leader was named, but not yet where he lives.
#[test]
fn who_was_named_as_leader_before_an_answer_broke_is_asked() {
    lives::check(&[
        0x00, 0x1f, 0xf8, 0x01, 0x07, 0xff, 0x2f, 0x19, 0x07, 0x19, 0x07, 0x19, 0x7f, 0x07, 0x80,
        0x33, 0x28, 0xff, 0xaf, 0xfd, 0x64, 0xf0, 0x00, 0xff, 0xee, 0x0b, 0xdd, 0x00, 0x00, 0x06,
        0xdc, 0xf2, 0xff,
    ]);
}
