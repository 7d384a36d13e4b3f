//! CPU per record as a ratio to the least a consumer can do.

#![forbid(unsafe_code)]

fn main() {}
