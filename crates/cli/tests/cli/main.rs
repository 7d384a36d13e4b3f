//! Does the program do what its help says? Runs the binary, against brokers in this process.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing step ends the test")]

mod broker;
mod demo;
mod ending;
mod group;
mod perf;
mod program;
mod records;
mod usage;
