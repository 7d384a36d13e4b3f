//! Bytes from nowhere against [`forebay_fuzz::codecs`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::codecs::check(data));
