//! Bytes from nowhere against [`forebay_fuzz::records`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::records::check(data));
