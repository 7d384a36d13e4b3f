//! Bytes from nowhere against [`forebay_fuzz::legacy`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::legacy::check(data));
