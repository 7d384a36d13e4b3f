//! The command line of Forebay.

#![forbid(unsafe_code)]

fn main() {}
