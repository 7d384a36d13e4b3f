//! Bytes from nowhere against [`forebay_fuzz::fetch_stream`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::fetch_stream::check(data));
