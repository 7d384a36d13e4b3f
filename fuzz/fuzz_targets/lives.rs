//! Lives from nowhere against [`lives`], a room that needs the client and the broker.

#![no_main]

#[path = "../src/lives.rs"]
mod lives;

libfuzzer_sys::fuzz_target!(|data: &[u8]| lives::check(data));
