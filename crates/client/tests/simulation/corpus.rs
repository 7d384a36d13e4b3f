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
