//! Bytes from nowhere against [`forebay_fuzz::frames`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::frames::check(data));
