//! Bytes from nowhere against [`forebay_fuzz::request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::request::check(data));
