//! Bytes from nowhere against [`forebay_fuzz::group`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::group::check(data));
