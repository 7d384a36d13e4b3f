//! Bytes from nowhere against [`forebay_fuzz::response`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::response::check(data));
