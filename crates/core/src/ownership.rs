//! PILLAR 1. What is ours, since when, until when?

pub mod manual;
mod partition;

pub use partition::Ownership;
